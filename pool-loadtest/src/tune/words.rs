//! What a search found, in words.

use crate::words::{counted, grouped, percent, time};

use super::report::{Confidence, TuneReport, TuneStep};
use super::search::{Goal, Search};

/// A value this much larger than the next smaller that was tried leaves few in between.
const NEAR: f64 = 1.5;

/// Runs with the same value that differ by more were not made under the same conditions.
const SAME: f64 = 0.15;

/// What makes a recommendation sure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sure {
    /// Whether no longer run disappointed.
    pub(super) at_once: bool,
    /// By how much runs with the value differ, as a share.
    pub(super) disagreement: f64,
}

/// Why this value is recommended.
pub(super) fn found(report: &TuneReport, search: &Search, value: usize, goal: Goal) -> String {
    let field = &report.field;
    let last = report.steps.last();
    let figures = last.map_or_else(String::new, figures);
    match goal {
        Goal::Meet => format!(
            "{field} = {value} is the smallest value that was found to meet the objective: {figures}\
             {}",
            next_smaller(report, search.below(value))
        ),
        Goal::BestThroughput => {
            let best = search.best().unwrap_or(value);
            let share = search.throughput(value) / search.throughput(best).max(f64::MIN_POSITIVE);
            let best = if best == value {
                "which is the best".to_owned()
            } else {
                format!("which is {} of the best, that of {best}", percent(share))
            };
            format!("{field} = {value} is enough: {figures}, {best}")
        }
    }
}

/// How the next smaller value missed.
fn next_smaller(report: &TuneReport, below: Option<usize>) -> String {
    let Some(below) = below else { return String::new() };
    let missed = report.steps.iter().rev().find(|step| step.value == below);
    let Some(violation) = missed.and_then(|step| step.violations.first()) else {
        return String::new();
    };
    format!(". {} = {below} missed {violation}", report.field)
}

impl Sure {
    /// How sure a value is, of which `below` is the next smaller that was tried.
    pub(super) fn confidence(self, value: usize, below: Option<usize>) -> Confidence {
        let below = below.unwrap_or(value.saturating_sub(1));
        let is_near = value <= below + 1 || value as f64 <= below as f64 * NEAR;
        match (self.at_once && self.disagreement <= SAME, is_near) {
            (false, _) => Confidence::Low,
            (true, true) => Confidence::High,
            (true, false) => Confidence::Medium,
        }
    }

    /// The same in words.
    pub(super) fn reason(self, report: &TuneReport, value: usize, below: Option<usize>) -> String {
        let runs = counted(report.steps.len() as u64, "run");
        let verified = if self.at_once {
            "a longer one has confirmed it"
        } else {
            "longer ones disappointed before one confirmed it"
        };
        let next = match below {
            None => "it is the smallest that is ever tried".to_owned(),
            Some(below) if below + 1 == value => {
                format!("{below}, the next smaller, is too small{}", brings(report, value, below))
            }
            Some(below) => format!(
                "{below} is too small{}; what lies between it and {value} was not tried",
                brings(report, value, below)
            ),
        };
        let disagreement = if self.disagreement > SAME {
            let share = percent(self.disagreement);
            format!("; runs with it differ by {share}, so something else may have been at work")
        } else {
            String::new()
        };
        format!("{runs}; {verified}; {next}{disagreement}")
    }
}

/// What the next smaller value brings of the throughput.
fn brings(report: &TuneReport, value: usize, below: usize) -> String {
    let throughput = |value: usize| {
        let step = report.steps.iter().rev().find(|step| step.value == value);
        step.map(|step| step.throughput).filter(|throughput| *throughput > 0.0)
    };
    let (Some(less), Some(all)) = (throughput(below), throughput(value)) else {
        return String::new();
    };
    format!(" (it brings {} of the throughput of {value})", percent(less / all))
}

/// Why nothing is recommended.
pub(super) fn missed(report: &TuneReport, best: Option<usize>) -> String {
    let (field, most) = (&report.field, report.most);
    let missed = violation(report, Some(most));
    match best.and_then(|best| report.steps.iter().rev().find(|step| step.value == best)) {
        Some(step) => format!(
            "no value meets the objective, not even {field} = {most}{missed}; the best seen was \
             {field} = {}: {}",
            step.value,
            figures(step)
        ),
        // A value of the best throughput is one whose operations succeed.
        None => format!("too much failed with every value, with {field} = {most} too{missed}"),
    }
}

/// What the latest run with this value, or with any, missed.
fn violation(report: &TuneReport, value: Option<usize>) -> String {
    let mut steps = report.steps.iter().rev();
    let last = steps.find(|step| match value {
        Some(value) => step.value == value,
        None => !step.violations.is_empty(),
    });
    let missed = last.and_then(|step| step.violations.first());
    missed.map_or_else(String::new, |violation| format!(" ({violation})"))
}

/// Why nothing is recommended after longer runs that disappointed.
pub(super) fn unsteady(
    report: &TuneReport,
    search: &Search,
    goal: Goal,
    best: Option<usize>,
) -> String {
    let found = match (goal, best) {
        (Goal::BestThroughput, Some(best)) => format!(
            "runs with the same value differ too much to tell which is best: with {} = {best} by {}",
            report.field,
            percent(search.disagreement(best))
        ),
        _ => {
            let missed = violation(report, None);
            format!("longer runs missed what shorter ones had met, time and again{missed}")
        }
    };
    format!("{found}; let nothing else run on this machine, or let runs take longer")
}

/// Throughput and p99 of a run.
pub(super) fn figures(step: &TuneStep) -> String {
    let throughput = grouped(step.throughput.round() as u64);
    let p99 = step.response_p99.map_or_else(|| "-".to_owned(), time);
    format!("{throughput}/s, p99 {p99}")
}
