//! `--fail-if` and `--baseline`: what a run is held to once it is over.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use clap::Args;
use pool_core::{Origin, Problem};
use schemars::JsonSchema;
use serde::Serialize;

use super::Failure;
use crate::compare::{self, Comparison, ComparisonVerdict, Setup, THRESHOLD};
use crate::condition::{Condition, Violation, unknown_kinds};
use crate::forms::Case;
use crate::report::Report;
use crate::words::paragraph;

const FAIL_IF: &str = "Exit with 3 if this holds after the run, such as 'response.p99>20ms'";
const FAIL_IF_LONG: &str = "\
Exit with 3 if this holds after the run; may be given several times:
--fail-if 'response.p99>20ms' --fail-if 'errors>1%' --fail-if 'throughput<2000/s'.

Figures are response, wait and service with .mean, .p50, .p90, .p99, .p99_9 or .max, and
throughput, errors (a share), error_count, dropped, in_use and utilisation; of one kind of
operation with its name before them, as in transfer.response.p99";
const BASELINE: &str =
    "Compare with the report of an earlier run; exit with 4 if this one is worse";
const BASELINE_LONG: &str = "\
Compare with the report of an earlier run, saved as JSON, and exit with 4 if this one is worse,
as `compare` does, or with 5 if that cannot be told; the report of an unlike run is refused
before the load, with 2";
const THRESHOLD_HELP: &str = "By how much figures may differ before it matters";

/// What a run is held to.
#[derive(Clone, Debug, Args)]
pub(crate) struct CriteriaArguments {
    #[arg(long, value_name = "CONDITION", help = FAIL_IF, long_help = FAIL_IF_LONG)]
    fail_if: Vec<String>,
    #[arg(long, value_name = "PATH", help = BASELINE, long_help = BASELINE_LONG)]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    threshold: ThresholdArguments,
}

/// What difference matters.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ThresholdArguments {
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = threshold)]
    #[arg(allow_hyphen_values = true, help = THRESHOLD_HELP)]
    pub(crate) threshold: f64,
}

fn threshold(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let share = number.map(|percent| percent / 100.0).filter(|share| (0.0..=1.0).contains(share));
    let usual = THRESHOLD * 100.0;
    share.ok_or_else(|| format!("allowed: a percentage from 0% to 100%, such as {usual}%"))
}

/// The same, read.
#[derive(Debug)]
pub(super) struct Criteria {
    fail_if: Vec<Condition>,
    baseline: Option<Baseline>,
    threshold: f64,
}

/// The report of an earlier run.
#[derive(Debug)]
struct Baseline {
    path: PathBuf,
    report: Report,
}

impl CriteriaArguments {
    /// Reads them, the earlier report among them, before there is a load; and what is wrong with them.
    pub(super) fn read(&self) -> (Criteria, Vec<Problem>) {
        let (mut fail_if, mut problems) = (Vec::new(), Vec::new());
        for condition in &self.fail_if {
            match condition.parse() {
                Ok(condition) => fail_if.push(condition),
                Err(problem) => problems.push(of_fail_if(problem)),
            }
        }
        let baseline = self.baseline.as_deref().and_then(|path| {
            let refused = |error| problems.push(no_baseline(path, &error));
            let report = compare::found(path).map_err(refused).ok()?;
            Some(Baseline { path: path.to_owned(), report })
        });
        (Criteria { fail_if, baseline, threshold: self.threshold.threshold }, problems)
    }
}

/// A problem of a condition, with the option that it came from.
fn of_fail_if(problem: Problem) -> Problem {
    problem.at(Origin::Code { name: Arc::from("--fail-if") })
}

fn no_baseline(path: &Path, error: &anyhow::Error) -> Problem {
    let why = format!("{error:#}");
    let allowed = "the report of a run, saved as JSON (--save)";
    Problem::invalid("--baseline", path.display().to_string(), why, allowed)
}

impl Criteria {
    /// What they say of kinds of operation that the workload does not have.
    pub(super) fn unknown_kinds(&self, kinds: &[String]) -> Vec<Problem> {
        unknown_kinds(&self.fail_if, kinds).into_iter().map(of_fail_if).collect()
    }

    /// Why a run of this setup cannot be compared with the earlier one. A usage problem, as for `compare`:
    /// the figures would say nothing however they come out, so nothing is run for them. What is left to
    /// the comparison itself is that the run had an end, and one that is interrupted ends by that.
    pub(super) fn unlike(&self, setup: &Setup) -> Option<Problem> {
        let Baseline { path, report } = self.baseline.as_ref()?;
        let (path, obstacles) = (path.display().to_string(), setup.obstacles(report));
        let why = format!("cannot be compared with this run: {}", obstacles.join("; "));
        let allowed = "the report of a run like this one, in all but the pool's settings";
        (!obstacles.is_empty()).then(|| Problem::invalid("--baseline", path, why, allowed))
    }

    /// Holds a run to them.
    pub(super) fn judge(&self, report: &Report) -> Judgement {
        let of = |condition: &Condition| (condition.to_string(), condition.if_met(report));
        let conditions: Vec<_> = self.fail_if.iter().map(of).collect();
        Judgement {
            thresholds: conditions.iter().filter_map(|(_, violation)| violation.clone()).collect(),
            conditions,
            comparison: self
                .baseline
                .as_ref()
                .map(|earlier| Comparison::beyond(self.threshold, &earlier.report, report)),
        }
    }
}

/// What came of it; added to the report.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Judgement {
    /// What of `--fail-if` holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    thresholds: Vec<Violation>,
    /// Every condition, and how it is violated.
    #[serde(skip)]
    conditions: Vec<(String, Option<Violation>)>,
    /// How the run compares with the earlier one.
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Comparison>,
}

impl Judgement {
    /// The same as cases of a test suite.
    pub(super) fn cases(&self) -> Vec<Case> {
        let thresholds = self.conditions.iter().map(|(condition, violation)| {
            let name = format!("not {condition}");
            match violation {
                None => Case::passed(name),
                Some(violation) => Case::failed(name, &violation.detail),
            }
        });
        let comparison = self.comparison.iter().map(|comparison| {
            let name = "no worse than the baseline";
            match comparison.verdict {
                ComparisonVerdict::Regressed => Case::failed(name, &comparison.summary),
                ComparisonVerdict::Inconclusive => Case::skipped(name, &comparison.summary),
                ComparisonVerdict::Unchanged | ComparisonVerdict::Improved => Case::passed(name),
            }
        });
        thresholds.chain(comparison).collect()
    }

    /// How the program ends after it.
    ///
    /// # Errors
    ///
    /// What of it is missed; thresholds before comparisons.
    pub(super) fn conclude(&self) -> Result<(), Failure> {
        if !self.thresholds.is_empty() {
            let words: Vec<_> = self.thresholds.iter().map(Violation::to_string).collect();
            return Err(Failure::Missed(anyhow!("threshold missed: {}", words.join("; "))));
        }
        self.comparison.as_ref().map_or(Ok(()), conclude)
    }
}

/// How the program ends after a comparison.
pub(super) fn conclude(comparison: &Comparison) -> Result<(), Failure> {
    let summary = &comparison.summary;
    match comparison.verdict {
        ComparisonVerdict::Regressed => Err(Failure::Regressed(anyhow!("regressed: {summary}"))),
        ComparisonVerdict::Inconclusive => {
            Err(Failure::Inconclusive(anyhow!("inconclusive: {summary}")))
        }
        ComparisonVerdict::Unchanged | ComparisonVerdict::Improved => Ok(()),
    }
}

impl Display for Judgement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (condition, violation) in &self.conditions {
            let words = match violation {
                None => format!("kept: not {condition}"),
                Some(violation) => format!("MISSED: {violation}"),
            };
            paragraph(f, "threshold", &words)?;
        }
        match &self.comparison {
            Some(comparison) => write!(f, "\n{comparison}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn judged(conditions: &[&str], baseline: Option<Report>) -> Judgement {
        let fail_if = conditions.iter().map(|it| it.parse().expect("understood")).collect();
        let baseline = baseline.map(|report| Baseline { path: PathBuf::new(), report });
        Criteria { fail_if, baseline, threshold: 0.05 }.judge(&samples::report())
    }

    #[test]
    fn a_threshold_that_holds_is_missed_and_the_others_are_kept() {
        let judgement = judged(&["response.p99>5ms", "errors>50%"], None);
        let Err(Failure::Missed(error)) = judgement.conclude() else { panic!("not missed") };
        assert_eq!(error.to_string(), "threshold missed: response.p99>5ms: it was 9.00 ms");
        let text = judgement.to_string();
        assert!(text.contains("MISSED: response.p99>5ms: it was 9.00 ms"), "{text}");
        assert!(text.contains("kept: not errors>50%"), "{text}");
        assert_eq!(judgement.cases().len(), 2);
    }

    #[test]
    fn a_run_that_is_like_its_baseline_ends_well() {
        assert!(judged(&[], Some(samples::report())).conclude().is_ok());
    }

    #[test]
    fn a_run_that_is_worse_than_its_baseline_has_regressed() {
        let mut faster = samples::report();
        for point in &mut faster.series {
            point.operations *= 2;
        }
        let judgement = judged(&[], Some(faster));
        let Err(Failure::Regressed(error)) = judgement.conclude() else { panic!("not regressed") };
        assert!(error.to_string().contains("throughput went from"), "{error}");
    }

    #[test]
    fn a_threshold_is_a_percentage() {
        assert_eq!(threshold(" 2.5 % "), Ok(0.025));
        for text in ["5", "-1%", "101%", "few%", "NaN%"] {
            assert!(
                threshold(text).is_err_and(|words| words.contains("from 0% to 100%")),
                "{text}"
            );
        }
    }
}
