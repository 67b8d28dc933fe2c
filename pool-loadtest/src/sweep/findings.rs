//! What the runs of a sweep come to.

use crate::report::LoadModel;
use crate::scalability::Scalability;
use crate::words::{counted, grouped, percent, time};

use super::axis::rank;
use super::pooled::{Spread, estimate as estimated};
use super::report::{Estimate, SweepCell, SweepReport, SweepRun, SweepVerdict};

/// A throughput of this share of the best is as good.
const NEAR_BEST: f64 = 0.95;
/// A cell of which more fails is no candidate.
const FAILING: f64 = 0.01;
/// Different values that the Universal Scalability Law is fitted to at least.
const ENOUGH_FOR_LAW: usize = 3;
/// A law that explains less of the variation is not relied on.
pub(crate) const GOOD_FIT: f64 = 0.9;

/// Fills in what each cell's runs come to.
pub(super) fn estimate(cells: &mut [SweepCell]) {
    let throughput = values(cells, |run| Some(run.throughput));
    let p50 = values(cells, |run| run.response_p50);
    let p99 = values(cells, |run| run.response_p99);
    let spreads = [&throughput, &p50, &p99].map(|groups| Spread::of(groups));
    for (number, cell) in cells.iter_mut().enumerate() {
        cell.throughput = estimated(&throughput[number], spreads[0].as_ref());
        cell.response_p50 = estimated(&p50[number], spreads[1].as_ref());
        cell.response_p99 = estimated(&p99[number], spreads[2].as_ref());
        let sum = |count: fn(&SweepRun) -> u64| cell.runs.iter().map(count).sum::<u64>();
        let (errors, operations) = (sum(|run| run.errors), sum(|run| run.operations));
        let all = operations + errors;
        cell.errors = (all > 0).then(|| errors as f64 / all as f64);
        cell.utilisation = mean(&cell.runs, |run| Some(run.utilisation));
    }
}

/// A figure of every run, by cell.
fn values(cells: &[SweepCell], of: impl Fn(&SweepRun) -> Option<f64>) -> Vec<Vec<f64>> {
    cells.iter().map(|cell| cell.runs.iter().filter_map(&of).collect()).collect()
}

fn mean(runs: &[SweepRun], of: impl Fn(&SweepRun) -> Option<f64>) -> Option<f64> {
    let values: Vec<_> = runs.iter().filter_map(of).collect();
    estimated(&values, None).map(|estimate| estimate.mean)
}

/// Fits the Universal Scalability Law, where a sweep is one that it speaks of.
pub(super) fn scalability(report: &SweepReport) -> Option<Scalability> {
    let [setting] = &report.settings[..] else { return None };
    let load = report.load.as_ref().filter(|load| load.model == LoadModel::Closed)?;
    if setting.field != "max_open" {
        return None;
    }
    // Connections that no task is there to use scale nothing.
    let usable = |value: &str| rank(value).min(load.tasks.unwrap_or(usize::MAX) as u64);
    let measured: Vec<_> = report
        .cells
        .iter()
        .filter(|cell| is_sound(cell))
        .flat_map(|cell| cell.runs.iter().map(|run| (usable(&cell.values[0]), run.throughput)))
        .collect();
    let mut numbers: Vec<_> = measured.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let measured: Vec<_> = measured.iter().map(|(n, x)| (*n as f64, *x)).collect();
    if numbers.len() < ENOUGH_FOR_LAW { None } else { Scalability::fit(&measured) }
}

/// Says what is best, and what is enough.
pub(super) fn verdict(report: &SweepReport) -> SweepVerdict {
    let inconclusive = |summary: String| SweepVerdict { summary, ..SweepVerdict::default() };
    let runs = report.runs();
    if runs == 0 {
        return inconclusive("not one run came to an end".to_owned());
    }
    let all = report.cells.iter().flat_map(|cell| &cell.runs);
    let saturated = all.filter(|run| run.generator_saturated).count();
    if saturated > 0 {
        return inconclusive(format!(
            "the load generator could not keep up in {saturated} of {}: their figures say more of \
             it than of the pool, so nothing is recommended",
            counted(runs as u64, "run")
        ));
    }
    let merit = Merit::of(report);
    let candidates: Vec<_> = (0..report.cells.len())
        .filter_map(|number| {
            let cell = &report.cells[number];
            Some((number, merit.of_cell(cell).filter(|_| is_sound(cell))?))
        })
        .collect();
    let Some(&(best, most)) = candidates.iter().max_by(|(_, a), (_, b)| a.total_cmp(b)) else {
        return inconclusive(if report.cells.iter().any(is_sound) {
            "with no value arrivals are kept up with: a lower rate, or larger values".to_owned()
        } else {
            "in every cell more than 1 % of the operations failed: look into the errors".to_owned()
        });
    };
    let spread = Spread::of(&values(&report.cells, |run| merit.of_run(run)));
    let at_least = |number: usize, merit: f64| {
        let runs = |number: usize| report.cells[number].runs.len();
        let bound = spread.map_or(1.0, |spread| spread.ratio_at_least(runs(number), runs(best)));
        merit / most * bound
    };
    let near = candidates
        .iter()
        .find(|(number, merit)| *number == best || at_least(*number, *merit) >= NEAR_BEST);
    let &(enough, merit_of_enough) = near.unwrap_or(&(best, most));
    let knee = knee(report).filter(|_| merit.is_throughput());
    let at_least = at_least(enough, merit_of_enough);
    let share = merit_of_enough / most;
    let words =
        Words { report, merit, best, enough, share, at_least, knee, is_repeated: spread.is_some() };
    let summary = words.summary();
    SweepVerdict { is_conclusive: true, summary, best: Some(best), enough: Some(enough), knee }
}

/// What makes one cell better than another.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Merit {
    /// More throughput.
    Throughput,
    /// A shorter p99, where arrivals are kept up with: who leaves most of them out is not better for that.
    Promptness,
}

impl Merit {
    /// In an open loop the arrivals set the throughput.
    fn of(report: &SweepReport) -> Self {
        let is_open = report.load.as_ref().is_some_and(|load| load.model == LoadModel::Open);
        if is_open { Self::Promptness } else { Self::Throughput }
    }

    fn is_throughput(self) -> bool {
        self == Self::Throughput
    }

    fn of_cell(self, cell: &SweepCell) -> Option<f64> {
        let throughput = cell.throughput?.mean;
        let merit = match self {
            Self::Throughput => throughput,
            Self::Promptness if !keeps_up(cell) => return None,
            Self::Promptness => 1.0 / cell.response_p99?.mean,
        };
        Some(merit).filter(|merit| *merit > 0.0)
    }

    fn of_run(self, run: &SweepRun) -> Option<f64> {
        match self {
            Self::Throughput => Some(run.throughput),
            Self::Promptness => run.response_p99.map(f64::recip),
        }
    }
}

/// Whether nearly all arrivals were served, or at least tried.
fn keeps_up(cell: &SweepCell) -> bool {
    let sum = |count: fn(&SweepRun) -> u64| cell.runs.iter().map(count).sum::<u64>() as f64;
    sum(|run| run.operations + run.errors) >= NEAR_BEST * sum(|run| run.arrivals)
}

/// Whether its operations succeeded: one that fails takes no time, and is no work done either.
fn is_sound(cell: &SweepCell) -> bool {
    cell.errors.is_some_and(|errors| errors <= FAILING)
}

/// The cell with the largest ratio of throughput to service time (L. Kleinrock, "Power and
/// deterministic rules of thumb for probabilistic problems in computer communications", 1979). None
/// if it is the last, for what lies beyond that is not known.
fn knee(report: &SweepReport) -> Option<usize> {
    let power = |cell: &SweepCell| {
        let cell = Some(cell).filter(|cell| is_sound(cell))?;
        let service = mean(&cell.runs, |run| run.service_mean).filter(|mean| *mean > 0.0)?;
        Some(cell.throughput?.mean / service)
    };
    let powers = report.cells.iter().map(power).enumerate();
    let powers = powers.filter_map(|(number, power)| Some((number, power?)));
    let is_of_connections =
        matches!(&report.settings[..], [setting] if setting.field == "max_open");
    let knee = powers.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(number, _)| number);
    knee.filter(|number| is_of_connections && number + 1 < report.cells.len())
}

/// What a verdict is put into words from.
struct Words<'a> {
    report: &'a SweepReport,
    merit: Merit,
    best: usize,
    enough: usize,
    /// What is enough, as a share of the best: found, and at least.
    share: f64,
    at_least: f64,
    knee: Option<usize>,
    is_repeated: bool,
}

impl Words<'_> {
    fn summary(&self) -> String {
        let Self { report, best, knee, is_repeated, .. } = *self;
        let mut sentences = self.best_and_enough();
        if !is_repeated {
            sentences.push("Each was run once only, so luck may have a part in it".to_owned());
        }
        sentences.extend(knee.map(|knee| {
            let name = self.name(knee);
            format!("The knee is at {name}: beyond it time grows by more than throughput")
        }));
        let most = self.most_at_work();
        sentences.extend(report.scalability.as_ref().map(|law| law_in_words(law, most)));
        if report.settings.len() == 1 && best + 1 == report.cells.len() && best > 0 {
            let words = "It is the largest that was tried, so a larger one may be better still";
            // Beside what it is about.
            sentences.insert(1, words.to_owned());
        }
        sentences.join(". ")
    }

    fn best_and_enough(&self) -> Vec<String> {
        let Self { best, enough, is_repeated, .. } = *self;
        let certain = if is_repeated { " for certain" } else { "" };
        let (name, throughput, p99) =
            (self.name(best), rate(self.throughput(best)), self.p99(best));
        let first = match self.merit {
            Merit::Throughput => format!("{name} has the best throughput, {throughput}, p99 {p99}"),
            Merit::Promptness => {
                format!("{name} has the shortest p99, {p99} at {throughput}")
            }
        };
        if enough == best {
            let rest = if self.is_smaller_missing() {
                "; not all smaller ones were run".to_owned()
            } else {
                format!(", and no smaller one is within 5 % of it{certain}")
            };
            return vec![first + &rest];
        }
        let (name, p99) = (self.name(enough), self.p99(enough));
        let at_least = percent(self.at_least);
        let certain = if is_repeated {
            format!(" (with a confidence of 95 % at least {at_least})")
        } else {
            String::new()
        };
        let share = percent(self.share);
        vec![
            first,
            match self.merit {
                Merit::Throughput => {
                    format!("{name} is enough: {share} of that{certain}, p99 {p99}")
                }
                Merit::Promptness => {
                    format!("{name} is enough: p99 {p99}, {share} as prompt{certain}")
                }
            },
        ]
    }

    /// Whether a value before the best has not been run.
    fn is_smaller_missing(&self) -> bool {
        self.report.cells[..self.best].iter().any(|cell| cell.runs.is_empty())
    }

    fn name(&self, cell: usize) -> String {
        let (settings, values) = (&self.report.settings, &self.report.cells[cell].values);
        let named =
            settings.iter().zip(values).map(|(it, value)| format!("{} = {value}", it.field));
        named.collect::<Vec<_>>().join(", ")
    }

    /// The largest number of connections that was tried and can have been at work.
    fn most_at_work(&self) -> f64 {
        let tasks = self.report.load.as_ref().and_then(|load| load.tasks);
        let values = self.report.settings.iter().flat_map(|setting| &setting.values);
        let most = values.map(|value| rank(value)).max().unwrap_or(0);
        most.min(tasks.map_or(u64::MAX, |tasks| tasks as u64)) as f64
    }

    fn throughput(&self, cell: usize) -> f64 {
        self.report.cells[cell].throughput.map_or(0.0, |throughput| throughput.mean)
    }

    fn p99(&self, cell: usize) -> String {
        let p99 = self.report.cells[cell].response_p99;
        p99.map_or_else(|| "unknown".to_owned(), |Estimate { mean, .. }| time(mean))
    }
}

fn law_in_words(law: &Scalability, most: f64) -> String {
    if law.r_squared < GOOD_FIT {
        let explained = percent(law.r_squared.max(0.0));
        return format!(
            "The Universal Scalability Law explains {explained} of the differences, too little to \
             rely on"
        );
    }
    match law.peak {
        // What it says far beyond the figures that it was fitted to is no more than a guess.
        Some(peak) if peak > most => format!(
            "By the Universal Scalability Law throughput still grows at {}, the most that were at \
             work",
            counted(most as u64, "connection")
        ),
        Some(peak) => format!(
            "By the Universal Scalability Law throughput peaks at {} (about {})",
            counted(peak.round() as u64, "connection"),
            rate(law.throughput(peak))
        ),
        None if law.sigma <= 0.0 => {
            "By the Universal Scalability Law throughput grows as the connections do".to_owned()
        }
        None => "By the Universal Scalability Law throughput levels off but never falls".to_owned(),
    }
}

/// Operations per second for people.
pub(super) fn rate(throughput: f64) -> String {
    format!("{}/s", grouped(throughput.round() as u64))
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
