//! A figure and a bound for it: what objectives and thresholds are made of.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use humantime::format_duration;
use pool_core::{Problem, parse_duration};
use serde::{Deserialize, Serialize};

use crate::metric::{Metric, MetricUnit};
use crate::report::Report;
use crate::words::{grouped, time};

/// A figure and a bound, such as `response.p99<20ms`, `throughput>=2000/s` or `errors<1%`. Whether
/// it is what a report must meet or what it must not is for whoever asks.
///
/// ```
/// use pool_loadtest::Condition;
///
/// let condition: Condition = " response.p99 < 20 ms ".parse()?;
/// assert_eq!(condition.to_string(), "response.p99<20ms");
/// assert!("response.p99<20".parse::<Condition>().is_err(), "a time has a unit");
/// # Ok::<(), pool_core::Problem>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    metric: Metric,
    relation: Relation,
    bound: Bound,
}

/// What a report does not keep to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Violation {
    /// The condition as text, such as `response.p99<20ms`.
    pub condition: String,
    /// The metric it is about.
    pub metric: String,
    /// The metric's value: a time in microseconds, a share from 0 to 1, a rate per second or a
    /// count; `None` if nothing was measured.
    pub measured: Option<f64>,
    /// What was found, in words.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.condition, self.detail)
    }
}

/// How a value must be to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Relation {
    /// What begins with another comes before it.
    const ALL: [Self; 4] = [Self::AtMost, Self::AtLeast, Self::Less, Self::More];

    const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::AtMost => value <= bound,
            Self::More => value > bound,
            Self::AtLeast => value >= bound,
        }
    }
}

/// A bound as it was written, so that it is written so again.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    Time(Duration),
    PerSecond(f64),
    Percent(f64),
    Count(f64),
}

impl Bound {
    /// In the unit of its metric.
    fn value(self) -> f64 {
        match self {
            Self::Time(time) => time.as_secs_f64() * 1e6,
            Self::Percent(percent) => percent / 100.0,
            Self::PerSecond(number) | Self::Count(number) => number,
        }
    }

    fn read(text: &str, unit: MetricUnit) -> Option<Self> {
        match unit {
            MetricUnit::Microseconds => parse_duration(text).map(Self::Time),
            MetricUnit::PerSecond => rate(text).map(Self::PerSecond),
            MetricUnit::Share => number(text.strip_suffix('%')?).map(Self::Percent),
            MetricUnit::Count => number(text).map(Self::Count),
        }
    }

    const fn allowed(unit: MetricUnit) -> &'static str {
        match unit {
            MetricUnit::Microseconds => "a time with its unit, such as 20ms, 800us or 1s 500ms",
            MetricUnit::PerSecond => "a rate such as 2000/s",
            MetricUnit::Share => "a percentage such as 1%",
            MetricUnit::Count => "a number such as 0 or 100",
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Time(time) => write!(f, "{}", format_duration(time)),
            Self::PerSecond(number) => write!(f, "{number}/s"),
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Count(number) => write!(f, "{number}"),
        }
    }
}

/// A number that is not negative; `_` may be among its digits.
fn number(text: &str) -> Option<f64> {
    let digits = text.trim().replace('_', "");
    let plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    digits.parse().ok().filter(|number: &f64| plain && number.is_finite())
}

/// What conditions say of kinds of operation that a workload does not have.
#[cfg(feature = "cli")]
pub(crate) fn unknown_kinds(conditions: &[Condition], kinds: &[String]) -> Vec<Problem> {
    let asked = conditions.iter().filter_map(|condition| condition.metric().kind());
    let field = "kind of operation";
    if kinds.len() < 2 {
        // A single one is all there is, and reports do not show it again.
        let (why, allowed) = ("there is only one", "the figure alone, such as response.p99");
        return asked.map(|kind| Problem::invalid(field, kind, why, allowed)).collect();
    }
    let unknown = asked.filter(|kind| !kinds.iter().any(|known| known == kind));
    let known = kinds.iter().map(|kind| &**kind);
    unknown.map(|kind| Problem::unknown(field, kind, known.clone())).collect()
}

/// So many per second, as in `2000/s`.
pub(crate) fn rate(text: &str) -> Option<f64> {
    number(text.trim().strip_suffix('s')?.trim_end().strip_suffix('/')?)
}

/// A metric's value for people.
pub(crate) fn shown(value: f64, unit: MetricUnit) -> String {
    match unit {
        MetricUnit::Microseconds => time(value),
        MetricUnit::PerSecond => format!("{}/s", grouped(value.round() as u64)),
        MetricUnit::Share => format!("{:.2} %", value * 100.0),
        MetricUnit::Count => format!("{value}"),
    }
}

impl Condition {
    /// The figure it is about.
    #[must_use]
    pub fn metric(&self) -> &Metric {
        &self.metric
    }

    /// The violation, if `report` must meet this and does not. What was not measured is not met.
    #[must_use]
    pub fn unless_met(&self, report: &Report) -> Option<Violation> {
        self.judge(report, false)
    }

    /// The violation, if `report` must not meet this and does. What was not measured may as well
    /// have been met, so it is a violation too.
    #[must_use]
    pub fn if_met(&self, report: &Report) -> Option<Violation> {
        self.judge(report, true)
    }

    fn judge(&self, report: &Report, forbidden: bool) -> Option<Violation> {
        let Self { metric, relation, bound } = self;
        let measured = metric.of(report);
        let detail = match (measured, metric.kind()) {
            (Some(value), _) if relation.holds(value, bound.value()) != forbidden => return None,
            (Some(value), _) => format!("it was {}", shown(value, metric.unit())),
            (None, Some(kind)) if report.kinds.iter().all(|known| known.name != kind) => {
                format!("there was no operation of the kind {kind}, so it was not measured")
            }
            (None, _) => "it was not measured: nothing was done".to_owned(),
        };
        let (condition, metric) = (self.to_string(), metric.to_string());
        Some(Violation { condition, metric, measured, detail })
    }
}

impl FromStr for Condition {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let Some(at) = text.find(['<', '>', '=']) else {
            let allowed = "METRIC<BOUND or METRIC>BOUND, such as response.p99<20ms";
            return Err(Problem::invalid("condition", text, "no < or > in it", allowed));
        };
        let metric: Metric = text[..at].parse()?;
        let mut signs = Relation::ALL.into_iter();
        let found = signs.find_map(|it| Some((it, text[at..].strip_prefix(it.sign())?)));
        let Some((relation, bound)) = found else {
            let why = "a figure is hardly ever equal to a bound";
            return Err(Problem::invalid("condition", text, why, "<, <=, > or >="));
        };
        let (bound, unit) = (bound.trim(), metric.unit());
        let invalid = || {
            let field = metric.to_string();
            Problem::invalid(field, bound, "not understood", Bound::allowed(unit))
        };
        let bound = Bound::read(bound, unit).ok_or_else(invalid)?;
        Ok(Self { metric, relation, bound })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.metric, self.relation.sign(), self.bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::report;

    fn condition(text: &str) -> Condition {
        text.parse().unwrap_or_else(|problem| panic!("{text}: {problem}"))
    }

    #[cfg(feature = "cli")]
    #[test]
    fn a_kind_that_the_workload_does_not_have_is_told_with_those_it_has() {
        let conditions = ["transfr.response.p99<20ms", "read.errors<1%", "throughput>1/s"];
        let conditions = conditions.map(|it| it.parse::<Condition>().expect("understood"));
        let kinds = ["read", "transfer"].map(str::to_owned);
        let problems = unknown_kinds(&conditions, &kinds);
        assert_eq!(problems.len(), 1, "{problems:?}");
        let problem = (&*problems[0].value, problems[0].nearest.as_deref());
        assert_eq!(problem, ("transfr", Some("transfer")));
        let single = unknown_kinds(&conditions[1..2], &kinds[..1]);
        let expected = "kind of operation = \"read\": there is only one; allowed: the figure alone, such \
                        as response.p99";
        assert_eq!(single.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn a_condition_survives_the_way_through_text() {
        for text in [
            "response.p99<20ms",
            "wait.p50<=800us",
            "transfer.response.max>1s 500ms",
            "throughput>=2000/s",
            "errors<0.07%",
            "dropped<=0",
        ] {
            assert_eq!(condition(text).to_string(), text);
        }
        assert_eq!(condition(" throughput >= 2_000 / s ").to_string(), "throughput>=2000/s");
        assert_eq!(condition("response.p99 < 1.5 ms").to_string(), "response.p99<1ms 500us");
    }

    #[test]
    fn what_is_not_understood_says_what_is_allowed() {
        for (text, words) in [
            ("response.p99", "METRIC<BOUND"),
            ("response.p99=20ms", "<, <=, > or >="),
            ("response.p99<20", "such as 20ms"),
            ("throughput>20ms", "such as 2000/s"),
            ("throughput>-5/s", "such as 2000/s"),
            ("throughput>inf/s", "such as 2000/s"),
            ("errors<0.01", "such as 1%"),
            ("dropped<", "such as 0"),
            ("respons.p99<20ms", "did you mean \"response.p99\"?"),
        ] {
            let problem = text.parse::<Condition>().expect_err(text).to_string();
            assert!(problem.contains(words), "{text}: {problem}");
        }
    }

    #[test]
    fn a_condition_is_met_or_forbidden_but_never_both() {
        let report = report();
        for (text, met) in [
            ("response.p99<9001us", true),
            ("response.p99<9ms", false),
            ("response.p99<=9ms", true),
            ("throughput>=2000/s", true),
            ("throughput>2000/s", false),
            ("errors<2%", true),
        ] {
            let condition = condition(text);
            let (unless, forbidden) = (condition.unless_met(&report), condition.if_met(&report));
            assert_eq!((unless.is_none(), forbidden.is_some()), (met, met), "{text}");
        }
    }

    #[test]
    fn what_was_not_measured_violates_both_ways_and_says_so() {
        let mut report = report();
        report.response.p99 = None;
        let condition = condition("response.p99<20ms");
        for violation in [condition.unless_met(&report), condition.if_met(&report)] {
            let violation = violation.expect("not measured");
            assert_eq!(violation.measured, None);
            assert!(violation.to_string().contains("not measured"), "{violation}");
        }
        let unknown = super::tests::condition("refund.response.p99<20ms").unless_met(&report);
        let words = unknown.expect("no such kind").to_string();
        assert!(words.contains("no operation of the kind refund"), "{words}");
    }

    #[test]
    fn a_violation_says_what_was_asked_and_what_was_found() {
        let violation = condition("response.p99<5ms").unless_met(&report()).expect("missed");
        assert_eq!(violation.to_string(), "response.p99<5ms: it was 9.00 ms");
        let violation = condition("errors>0.5%").if_met(&report()).expect("met");
        assert_eq!(violation.to_string(), "errors>0.5%: it was 1.00 %");
        let violation = condition("throughput<1000000/s").if_met(&report()).expect("met");
        assert_eq!(violation.to_string(), "throughput<1000000/s: it was 2 000/s");
    }
}
