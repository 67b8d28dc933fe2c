//! What is watched, as data: rules, and what may be wrong with them.

use std::fmt;
use std::time::Duration;

use pool_core::{ConfigError, Problem};

use super::glob::matches;
use super::{file, template};
use crate::history::HISTORY_SPAN;
use crate::signal::Signal;

/// How bad it is: who is told depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be looked at during the day.
    Warning,
    /// To be woken for.
    Critical,
}

impl Severity {
    /// Every severity, the least bad first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The name used in rules and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// From where on a value is a problem. The threshold itself is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Larger ones are.
    Above(f64),
    /// Smaller ones are.
    Below(f64),
}

impl Bound {
    /// The threshold.
    #[must_use]
    pub const fn threshold(self) -> f64 {
        match self {
            Self::Above(threshold) | Self::Below(threshold) => threshold,
        }
    }

    /// Whether `value` lies beyond the threshold.
    #[must_use]
    pub fn is_passed_by(self, value: f64) -> bool {
        match self {
            Self::Above(threshold) => value > threshold,
            Self::Below(threshold) => value < threshold,
        }
    }

    /// The same side of another threshold.
    pub(crate) const fn at(self, threshold: f64) -> Self {
        match self {
            Self::Above(_) => Self::Above(threshold),
            Self::Below(_) => Self::Below(threshold),
        }
    }
}

/// When an alert fires for a pool, and when it stops.
///
/// ```
/// use std::time::Duration;
/// use pool_monitor::{Bound, Rule, Rules, Severity, Signal};
///
/// let rule = Rule {
///     severity: Severity::Critical,
///     lasting: Duration::from_mins(5),
///     pools: vec!["orders-*".to_owned()],
///     ..Rule::new("orders_wait", Signal::WaitP99, Bound::Above(0.25))
/// };
/// Rules(vec![rule]).validate()?;
/// # Ok::<(), pool_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What the alert is called: a-z, 0-9, - and _.
    pub name: String,
    /// What is looked at.
    pub signal: Signal,
    /// From where on it is a problem, in the signal's unit.
    pub bound: Bound,
    /// An alert that fires goes on until the value is no longer beyond this: the threshold itself, or
    /// one that is harder to get back to, so that a value around the threshold does not flap. `None`:
    /// the threshold.
    pub clear: Option<f64>,
    /// The stretch of time that a rate or a percentile is about. Default: a minute; at most
    /// [`HISTORY_SPAN`], which is what is remembered.
    pub over: Duration,
    /// How long it must have been so before the alert fires; `for` in files. Default: zero.
    ///
    /// An event counts for as long as `over`: where one is enough to be above the threshold, as it is
    /// above 0, and one is not to be enough for an alert, this must be longer than `over`.
    pub lasting: Duration,
    /// How long the alert goes on firing after it has become better. Default: zero.
    pub keep_firing: Duration,
    /// How bad it is. Default: a warning.
    pub severity: Severity,
    /// Nothing is said of a pool with fewer acquires a minute. Default: 0.
    pub minimum_traffic: f64,
    /// Names of the pools it is for, in which `*` stands for any text. Default: every pool.
    pub pools: Vec<String>,
    /// The sentence that people read; `{pool}` and `{value}` are filled in.
    pub summary: String,
}

impl Rule {
    /// A rule for every pool, with the defaults.
    #[must_use]
    pub fn new(name: impl Into<String>, signal: Signal, bound: Bound) -> Self {
        Self {
            name: name.into(),
            signal,
            bound,
            clear: None,
            over: Duration::from_mins(1),
            lasting: Duration::ZERO,
            keep_firing: Duration::ZERO,
            severity: Severity::Warning,
            minimum_traffic: 0.0,
            pools: vec!["*".to_owned()],
            summary: format!("{signal} of the pool {{pool}} is {{value}}"),
        }
    }

    /// Whether it is for the pool of this name.
    #[must_use]
    pub fn is_for(&self, pool: &str) -> bool {
        self.pools.iter().any(|pattern| matches(pattern, pool))
    }

    /// Beyond this an alert that fires goes on firing.
    pub(crate) fn clear_bound(&self) -> Bound {
        self.bound.at(self.clear.unwrap_or(self.bound.threshold()))
    }

    /// The sentence for one pool.
    pub(crate) fn summary_of(&self, pool: &str, value: f64) -> String {
        template::fill(&self.summary, pool, &shown_value(value, self.signal.unit()))
    }

    /// What is wrong with it, by fields.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut find = |field: &str, value: String, why: &str, allowed: &str| {
            problems.push(Problem::invalid(field, value, why, allowed));
        };
        let side = match self.bound {
            Bound::Above(_) => "above",
            Bound::Below(_) => "below",
        };
        let (threshold, unit) = (self.bound.threshold(), self.signal.unit());
        if !threshold.is_finite() {
            find(side, threshold.to_string(), "not finite", "a number");
        } else if let Some(clear) = self.clear {
            // Beyond the threshold the alert would stop while the problem is still there.
            if !clear.is_finite() || self.bound.is_passed_by(clear) {
                let (better, value) = (if side == "above" { "most" } else { "least" }, clear);
                let allowed = format!("at {better} {}", shown_value(threshold, unit));
                find("clear", shown_value(value, unit), "beyond the threshold", &allowed);
            }
        }
        if self.over.is_zero() || self.over > HISTORY_SPAN {
            find("over", shown_time(self.over), "out of range", "above zero, at most 15m");
        }
        if !(self.minimum_traffic >= 0.0 && self.minimum_traffic.is_finite()) {
            let value = self.minimum_traffic.to_string();
            find("minimum_traffic", value, "out of range", "acquires a minute, from 0");
        }
        if self.pools.is_empty() || self.pools.iter().any(String::is_empty) {
            let value = format!("{:?}", self.pools);
            find("pools", value, "a rule for no pool", "names of pools, * for any text");
        }
        if let Err(why) = template::check(&self.summary) {
            let allowed = "a sentence with {pool} and {value}";
            find("summary", self.summary.clone(), &why, allowed);
        }
        problems
    }
}

/// What a rule or a sink may be called.
pub(crate) const NAME: &str = "a name of a-z, 0-9, - and _, at most 64 long";

pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    !name.is_empty() && name.len() <= 64 && name.chars().all(is_plain)
}

/// A name in a message, unless it is none: then it may be a secret in the wrong place.
pub(crate) fn shown_name(name: &str) -> &str {
    if is_name(name) { name } else { "(not shown)" }
}

/// Problems of the fields of what is called `name`, by whole paths.
pub(crate) fn within(
    path: &str,
    name: &str,
    problems: Vec<Problem>,
) -> impl Iterator<Item = Problem> {
    let path = format!("{path}.{}", shown_name(name));
    problems.into_iter().map(move |mut problem| {
        problem.field = format!("{path}.{}", problem.field);
        problem
    })
}

/// A duration as the files write it.
pub(crate) fn shown_time(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

/// A value for people, to three digits.
pub(crate) fn shown_value(value: f64, unit: &str) -> String {
    match unit {
        PART => format!("{} %", rounded(value * 100.0)),
        SECONDS if value.abs() < 1.0 => format!("{} ms", rounded(value * 1e3)),
        SECONDS if value.abs() < 120.0 => format!("{} s", rounded(value)),
        SECONDS => format!("{} min", rounded(value / 60.0)),
        counted => format!("{} {counted}", rounded(value)),
    }
}

/// The units of a [`Signal`] that have a way of their own to be written.
pub(crate) const PART: &str = "1";
pub(crate) const SECONDS: &str = "s";

fn rounded(value: f64) -> String {
    let digits = match value.abs() {
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// The rules of a program. Default: those that are shipped, see [the module](crate::alerts).
#[derive(Clone, Debug, PartialEq)]
pub struct Rules(pub Vec<Rule>);

impl Rules {
    /// The rules of a file's table `[alerts]`, those that are shipped among them; `file` is what
    /// messages call it.
    ///
    /// # Errors
    ///
    /// Every problem of the file at once, each with its line.
    ///
    /// ```
    /// let rules = pool_monitor::Rules::from_toml(
    ///     "alerts.toml",
    ///     "[alerts.rules.utilisation]\nabove = \"80%\"\nclear = \"70%\"",
    /// )?;
    /// assert_eq!(rules.0[0].clear, Some(0.7));
    /// # Ok::<(), pool_core::ConfigError>(())
    /// ```
    pub fn from_toml(file: &str, text: &str) -> Result<Self, ConfigError> {
        file::read_rules(file, text)
    }

    /// Looks at all rules as a whole.
    ///
    /// # Errors
    ///
    /// Every problem at once.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        for (index, rule) in self.0.iter().enumerate() {
            if !is_name(&rule.name) {
                let name = shown_name(&rule.name);
                problems.push(Problem::invalid("alerts.rules", name, "not a name", NAME));
            } else if self.0[..index].iter().any(|other| other.name == rule.name) {
                let why = "two rules of one name";
                problems.push(Problem::invalid("alerts.rules", &rule.name, why, "another name"));
            }
            problems.extend(within("alerts.rules", &rule.name, rule.problems()));
        }
        ConfigError::from_problems(problems)
    }
}

impl Default for Rules {
    fn default() -> Self {
        file::shipped_rules()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_with_their_unit_to_three_digits() {
        for (value, unit, shown) in [
            (0.934, PART, "93.4 %"),
            (1.0, PART, "100 %"),
            (0.25, SECONDS, "250 ms"),
            (12.345, SECONDS, "12.3 s"),
            (330.0, SECONDS, "5.5 min"),
            (312.4, "connections a minute", "312 connections a minute"),
        ] {
            assert_eq!(shown_value(value, unit), shown);
        }
    }

    #[test]
    fn everything_wrong_with_rules_is_said_at_once() {
        let wrong = Rule {
            clear: Some(0.95),
            over: Duration::from_hours(1),
            minimum_traffic: f64::NAN,
            pools: Vec::new(),
            summary: "{pol} is full".to_owned(),
            ..Rule::new("full", Signal::Utilisation, Bound::Above(0.9))
        };
        let infinite = Rule::new("full", Signal::Churn, Bound::Below(f64::INFINITY));
        let nameless = Rule::new("postgres://app:hunter2@db", Signal::Churn, Bound::Above(1.0));
        let error = Rules(vec![wrong, infinite, nameless]).validate().expect_err("all wrong");
        let text = error.to_string();
        for part in [
            "alerts.rules.full.clear = \"95 %\": beyond the threshold; allowed: at most 90 %",
            "alerts.rules.full.over = \"1h\": out of range",
            "alerts.rules.full.minimum_traffic = \"NaN\": out of range",
            "alerts.rules.full.pools = \"[]\": a rule for no pool",
            "alerts.rules.full.summary = \"{pol} is full\": unknown {pol}",
            "two rules of one name",
            "alerts.rules.full.below = \"inf\": not finite",
            "alerts.rules = \"(not shown)\": not a name",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(error.problems().len(), 8, "{text}");
        assert!(!text.contains("hunter2"));
    }

    #[test]
    fn the_other_side_of_below_is_above() {
        let rule = |clear| Rule {
            clear: Some(clear),
            ..Rule::new("idle", Signal::Acquires, Bound::Below(10.0))
        };
        assert_eq!(Rules(vec![rule(20.0)]).validate(), Ok(()));
        assert!(Rules(vec![rule(5.0)]).validate().is_err());
    }
}
