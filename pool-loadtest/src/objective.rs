//! What a pool is to achieve: conditions, and the load under which they are to hold.

use std::fmt;
use std::str::FromStr;

use pool_core::{ConfigError, Problem, may_hold_password};

use crate::condition::{Condition, Violation, rate};
use crate::report::{LoadModel, Report};

/// By how much the rate of a run may differ from the one an objective asks for, beside chance.
const SAME_RATE: f64 = 0.05;
/// How many standard deviations of a Poisson process are left to chance.
const CHANCE: f64 = 4.0;
const BEST: &str = "best throughput";
const ALLOWED: &str =
    "conditions such as 'response.p99<20ms, errors<1% at 2000/s', or 'best throughput'";

/// What a pool is to achieve, such as `response.p99<20ms, errors<1% at 2000/s`: conditions with
/// commas between them and, if it matters, the arrivals per second under which they are to hold. Or
/// `best throughput`, which names no bound.
///
/// ```
/// use pool_loadtest::Objective;
///
/// let objective: Objective = "response.p99 < 20 ms, errors < 1 % at 2000/s".parse()?;
/// assert_eq!(objective.rate(), Some(2000.0));
/// assert_eq!(objective.to_string(), "response.p99<20ms, errors<1% at 2000/s");
/// # Ok::<(), pool_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// None: the best throughput.
    conditions: Vec<Condition>,
    rate: Option<f64>,
}

/// A report does not keep to an objective, or the objective makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectiveError {
    /// The objective is not understood.
    #[error("the objective is not understood")]
    Invalid(#[source] ConfigError),
    /// It is missed; at least one violation.
    #[error("the objective is missed: {}", words(.0))]
    Missed(Vec<Violation>),
}

fn words(violations: &[Violation]) -> String {
    violations.iter().map(Violation::to_string).collect::<Vec<_>>().join("; ")
}

impl Objective {
    /// The most operations per second, whatever they take.
    #[must_use]
    pub fn best_throughput() -> Self {
        Self { conditions: Vec::new(), rate: None }
    }

    /// Whether it asks for the best throughput and not for a bound.
    #[must_use]
    pub fn is_best_throughput(&self) -> bool {
        self.conditions.is_empty()
    }

    /// What is to hold; nothing if the best throughput is asked for.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Arrivals per second under which it is to hold; `None` for the load of a closed loop.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// Every condition that `report` does not meet. A metric that was not measured is not met, and
    /// a run under another load shows nothing. The best throughput is a matter of several runs and
    /// is never missed by one.
    #[must_use]
    pub fn check(&self, report: &Report) -> Vec<Violation> {
        let other_load = self.rate.and_then(|rate| other_load(rate, report));
        let missed = self.conditions.iter().filter_map(|condition| condition.unless_met(report));
        other_load.into_iter().chain(missed).collect()
    }
}

/// What is wrong if a report is not of `rate` arrivals per second.
fn other_load(rate: f64, report: &Report) -> Option<Violation> {
    let condition = format!("at {rate}/s");
    let violation = |measured, detail| {
        Some(Violation { condition, metric: "arrivals".to_owned(), measured, detail })
    };
    if report.load.model == LoadModel::Closed {
        let detail = "the load was a closed loop, which has no rate of its own".to_owned();
        return violation(None, detail);
    }
    let (arrivals, seconds) = (report.generator.arrivals as f64, report.duration_seconds.max(1e-9));
    let expected = rate * seconds;
    if (arrivals - expected).abs() <= expected * SAME_RATE + expected.sqrt() * CHANCE {
        return None;
    }
    let arrived = arrivals / seconds;
    violation(Some(arrived), format!("there were {arrived:.0} arrivals per second"))
}

impl Report {
    /// Checks that the run kept to an objective, such as `response.p99<20ms, errors<1%`.
    ///
    /// # Errors
    ///
    /// [`ObjectiveError::Missed`] with everything that was missed; [`ObjectiveError::Invalid`] if
    /// the objective is not understood.
    pub fn require(&self, objective: &str) -> Result<(), ObjectiveError> {
        let objective: Objective = objective.parse().map_err(ObjectiveError::Invalid)?;
        let violations = objective.check(self);
        if violations.is_empty() { Ok(()) } else { Err(ObjectiveError::Missed(violations)) }
    }

    /// Like [`require`](Self::require), for tests.
    ///
    /// # Panics
    ///
    /// If the objective is missed or not understood, with the report as text.
    #[track_caller]
    pub fn assert_holds(&self, objective: &str) {
        match self.require(objective) {
            Ok(()) => {}
            Err(ObjectiveError::Invalid(error)) => panic!("objective {objective:?}: {error}"),
            Err(error) => panic!("{error}\n\n{self}"),
        }
    }
}

impl FromStr for Objective {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let words: Vec<_> = text.split_whitespace().collect();
        if words == [""; 0] {
            return Err(Problem::invalid("objective", text, "empty", ALLOWED).into());
        }
        if may_hold_password(text) {
            return Err(Problem::not_shown("objective", "not understood", ALLOWED).into());
        }
        let at = words.iter().rposition(|word| *word == "at");
        let (conditions, load) = match at {
            Some(at) => (words[..at].join(" "), Some(words[at + 1..].join(" "))),
            None => (words.join(" "), None),
        };
        let mut problems = Vec::new();
        let rate = load.as_deref().and_then(|load| {
            let rate = rate(load).filter(|rate| *rate > 0.0);
            if rate.is_none() {
                let allowed = "arrivals per second after `at`, such as 2000/s";
                problems.push(Problem::invalid("rate", load, "not understood", allowed));
            }
            rate
        });
        if conditions.eq_ignore_ascii_case(BEST) {
            if load.is_some() {
                let why = "arrivals at a rate set the throughput themselves";
                problems.push(Problem::invalid("objective", text.trim(), why, BEST));
            }
            ConfigError::from_problems(problems)?;
            return Ok(Self::best_throughput());
        }
        let mut read = Vec::new();
        for condition in conditions.split(',') {
            match condition.parse() {
                Ok(condition) => read.push(condition),
                Err(problem) => problems.push(problem),
            }
        }
        ConfigError::from_problems(problems)?;
        Ok(Self { conditions: read, rate })
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_best_throughput() {
            return f.write_str(BEST);
        }
        for (number, condition) in self.conditions.iter().enumerate() {
            write!(f, "{}{condition}", if number == 0 { "" } else { ", " })?;
        }
        match self.rate {
            Some(rate) => write!(f, " at {rate}/s"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::report;

    fn objective(text: &str) -> Objective {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn an_objective_survives_the_way_through_text() {
        for text in
            ["response.p99<20ms at 2000/s", "throughput>=2000/s, errors<1%", "best throughput"]
        {
            assert_eq!(objective(text).to_string(), text);
        }
        let loose = objective(" response.p99 < 20 ms ,errors<1 %   at 2000 / s ");
        assert_eq!(loose.to_string(), "response.p99<20ms, errors<1% at 2000/s");
        assert!(objective("Best  Throughput").is_best_throughput());
    }

    #[test]
    fn every_problem_of_an_objective_is_told_at_once() {
        let error = "respons.p99<20ms, errors<5 at soon".parse::<Objective>().expect_err("wrong");
        let words = error.to_string();
        for part in ["rate = \"soon\"", "did you mean \"response.p99\"?", "such as 1%"] {
            assert!(words.contains(part), "{part} not in {words}");
        }
    }

    #[test]
    fn objectives_that_make_no_sense_say_why() {
        for (text, words) in [
            ("", "empty"),
            ("response.p99<20ms,", "no < or >"),
            ("response.p99<20ms at 0/s", "such as 2000/s"),
            ("best throughput at 2000/s", "set the throughput themselves"),
            ("postgres://app:hunter2@db/shop", "(not shown)"),
        ] {
            let error = text.parse::<Objective>().expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn every_condition_that_is_missed_is_told() {
        let text = "response.p99<5ms, throughput>=1/s, errors<0.5%";
        let violations = objective(text).check(&report());
        let missed: Vec<_> = violations.iter().map(|violation| &*violation.metric).collect();
        assert_eq!(missed, ["response.p99", "errors"]);
        assert_eq!(objective("best throughput").check(&report()), []);
    }

    #[test]
    fn a_run_under_another_load_shows_nothing() {
        let objective = objective("response.p99<20ms at 2000/s");
        let mut report = report();
        assert!(objective.check(&report)[0].detail.contains("a closed loop"));
        report.load.model = LoadModel::Open;
        assert_eq!(objective.check(&report), [], "2020/s is near enough");
        report.generator.arrivals = 10_000;
        assert!(objective.check(&report)[0].detail.contains("1000 arrivals per second"));
    }

    #[test]
    fn a_report_can_be_held_to_an_objective() {
        let report = report();
        assert_eq!(report.require("response.p99<20ms"), Ok(()));
        let missed = report.require("response.p99<5ms").expect_err("missed").to_string();
        assert_eq!(missed, "the objective is missed: response.p99<5ms: it was 9.00 ms");
        let invalid = report.require("response.p99<5");
        assert!(matches!(invalid, Err(ObjectiveError::Invalid(_))), "{invalid:?}");
    }

    #[test]
    #[should_panic(
        expected = "the objective is missed: response.p99<5ms: it was 9.00 ms\n\nsqlite"
    )]
    fn a_missed_assertion_panics_with_the_report() {
        report().assert_holds("response.p99<5ms");
    }
}
