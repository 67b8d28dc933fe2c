//! Two runs beside each other: whether the second is better, worse or the same.

mod differences;
mod figures;
#[cfg(feature = "cli")]
mod file;
mod text;

use serde::{Deserialize, Serialize};

#[cfg(feature = "cli")]
pub(crate) use self::differences::Setup;
#[cfg(feature = "cli")]
pub(crate) use self::figures::{signed, signless};
#[cfg(feature = "cli")]
pub(crate) use self::file::{found, read};
use crate::report::{LoadModel, Report, ReportKind, SCHEMA_VERSION};

/// By how much figures may differ before it matters, unless it is said otherwise.
pub(crate) const THRESHOLD: f64 = 0.05;

/// What comparing a run with an earlier one found.
///
/// A figure has changed if its difference is both larger than a threshold, as no two runs are quite
/// alike, and significant: improbable if there were none. The second is judged from the runs' seconds
/// (Welch's t-test; what one second was tells much of the next, so the means' errors are taken from how
/// slowly the seconds sway). Four figures are tested, to a level of 4 % together: half of it for the one
/// that says most, a sixth for each of the others (Bonferroni).
///
/// A figure is unchanged if a change of twice the threshold can be excluded, with a confidence of 95 %.
/// Between the two nothing can be told, which is so of runs that are short beside the swaying of their
/// seconds: 30 s tell a change of 10 % where seconds differ by 3 %, or by 5 % independently.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Comparison {
    /// Version of this form.
    pub schema_version: u32,
    /// What kind of report this is: `compare`.
    pub kind: ReportKind,
    /// By how much figures may differ before it matters, as a share.
    pub threshold: f64,
    /// What makes the runs hard to compare, such as another workload; empty if nothing does.
    pub differences: Vec<String>,
    /// What else was different, such as settings of the pool.
    pub notes: Vec<String>,
    /// Throughput, median and 99th percentile of the response, and errors.
    pub figures: Vec<FigureComparison>,
    /// All in all. It has regressed if any figure has. Nothing is said if the load generator could not
    /// keep up, or if the figure that says most says nothing: throughput of a closed loop, the median
    /// of the response of an open one.
    pub verdict: ComparisonVerdict,
    /// The same in words.
    pub summary: String,
}

/// One figure of two runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FigureComparison {
    /// Its name, such as `response.p99`.
    pub metric: String,
    /// Its value in the earlier run: a time in microseconds, a rate per second or a share.
    pub before: Option<f64>,
    /// Its value in the later run.
    pub after: Option<f64>,
    /// By how much its mean over the seconds has changed, as a share of what it was: 0.1 is 10 % more.
    /// Of errors the difference of the shares. `None` if there are too few seconds.
    pub change: Option<f64>,
    /// The lower end of where the true change lies with a confidence of 95 %.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// How probable such a difference is if there is none in truth.
    pub probability: Option<f64>,
    /// What follows.
    pub verdict: ComparisonVerdict,
    /// The same in words.
    pub detail: String,
}

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ComparisonVerdict {
    /// No difference that matters.
    Unchanged,
    /// Better, by more than the threshold and not by chance.
    Improved,
    /// Worse, by more than the threshold and not by chance.
    Regressed,
    /// There are too few seconds, or they differ too much among themselves.
    Inconclusive,
}

impl ComparisonVerdict {
    /// The name in texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Improved => "improved",
            Self::Regressed => "regressed",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl Comparison {
    /// Compares a run with an earlier one; a difference of up to 5 % does not matter.
    #[must_use]
    pub fn of(before: &Report, after: &Report) -> Self {
        Self::beyond(THRESHOLD, before, after)
    }

    /// The same with another threshold, a share such as 0.05. Errors are compared by the difference
    /// of their shares, for which a tenth of it is the threshold.
    #[must_use]
    pub fn beyond(threshold: f64, before: &Report, after: &Report) -> Self {
        let figures = figures::compare(threshold, before, after);
        let saturated = [before, after].iter().any(|report| report.generator.saturated);
        let verdict = if saturated {
            ComparisonVerdict::Inconclusive
        } else {
            overall(threshold, &figures, after.load.model)
        };
        let named = |verdict: ComparisonVerdict| {
            let found = figures.iter().filter(|figure| figure.verdict == verdict);
            found.map(figures::in_brief).collect::<Vec<_>>().join("; ")
        };
        let summary = match verdict {
            _ if saturated => {
                "the load generator could not keep up, so the figures say more of it".to_owned()
            }
            ComparisonVerdict::Unchanged => unchanged(threshold, &figures),
            ComparisonVerdict::Inconclusive => format!("{}; longer runs tell more", named(verdict)),
            verdict => named(verdict),
        };
        Self {
            schema_version: SCHEMA_VERSION,
            kind: ReportKind::Compare,
            threshold,
            differences: differences::obstacles(before, after),
            notes: differences::notes(before, after),
            figures,
            verdict,
            summary,
        }
    }
}

/// The verdict on all figures.
fn overall(threshold: f64, figures: &[FigureComparison], model: LoadModel) -> ComparisonVerdict {
    let any = |verdict| figures.iter().any(|figure| figure.verdict == verdict);
    let is_in_doubt = |figure: &FigureComparison| figures::is_in_doubt(figure, threshold, model);
    if any(ComparisonVerdict::Regressed) {
        ComparisonVerdict::Regressed
    } else if figures.iter().any(is_in_doubt) {
        ComparisonVerdict::Inconclusive
    } else if any(ComparisonVerdict::Improved) {
        ComparisonVerdict::Improved
    } else {
        ComparisonVerdict::Unchanged
    }
}

/// That nothing has changed, and what could not be told.
fn unchanged(threshold: f64, figures: &[FigureComparison]) -> String {
    let unknown = figures.iter().filter(|it| it.verdict == ComparisonVerdict::Inconclusive);
    let unknown: Vec<_> = unknown.map(|figure| &*figure.metric).collect();
    let share = figures::signless(threshold);
    let words = format!("no figure has changed by more than {share} for certain");
    if unknown.is_empty() {
        return words;
    }
    format!("{words}; whether {} has cannot be told", unknown.join(" or "))
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
