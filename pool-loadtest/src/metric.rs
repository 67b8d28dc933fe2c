//! The figures of a report that an objective or a threshold can be about, by name.

use std::fmt;
use std::str::FromStr;

use pool_core::Problem;

use crate::report::{KindReport, Latency, Report};

/// A figure of a [`Report`], such as `response.p99` or `throughput`; of one kind of operation with
/// that kind before it, as in `transfer.response.p99`.
///
/// ```
/// use pool_loadtest::Metric;
///
/// let metric: Metric = "transfer.response.p99".parse()?;
/// assert_eq!((metric.kind(), metric.to_string().as_str()), (Some("transfer"), "transfer.response.p99"));
/// let refused = "response.p9".parse::<Metric>().unwrap_err();
/// assert_eq!(refused.nearest.as_deref(), Some("response.p99"));
/// # Ok::<(), pool_core::Problem>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    kind: Option<String>,
    figure: &'static Figure,
}

/// What a metric's value is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricUnit {
    /// Microseconds.
    Microseconds,
    /// Per second.
    PerSecond,
    /// A share, 0 to 1; written as a percentage.
    Share,
    /// A number of things.
    Count,
}

/// Which way a metric gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Direction {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
    /// Neither: it only says how things were.
    Neither,
}

/// One row of the table of figures.
#[derive(Debug, PartialEq, Eq)]
struct Figure {
    name: &'static str,
    value: Value,
}

/// Where a figure is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Latency(Phase, Statistic),
    Throughput,
    Errors,
    ErrorCount,
    Dropped,
    InUse,
    Utilisation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Wait,
    Service,
    Response,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Statistic {
    Mean,
    P50,
    P90,
    P99,
    P99_9,
    Max,
}

const fn latency(name: &'static str, phase: Phase, statistic: Statistic) -> Figure {
    Figure { name, value: Value::Latency(phase, statistic) }
}

const fn figure(name: &'static str, value: Value) -> Figure {
    Figure { name, value }
}

/// Every figure that has a name.
static FIGURES: [Figure; 24] = [
    latency("response.mean", Phase::Response, Statistic::Mean),
    latency("response.p50", Phase::Response, Statistic::P50),
    latency("response.p90", Phase::Response, Statistic::P90),
    latency("response.p99", Phase::Response, Statistic::P99),
    latency("response.p99_9", Phase::Response, Statistic::P99_9),
    latency("response.max", Phase::Response, Statistic::Max),
    latency("wait.mean", Phase::Wait, Statistic::Mean),
    latency("wait.p50", Phase::Wait, Statistic::P50),
    latency("wait.p90", Phase::Wait, Statistic::P90),
    latency("wait.p99", Phase::Wait, Statistic::P99),
    latency("wait.p99_9", Phase::Wait, Statistic::P99_9),
    latency("wait.max", Phase::Wait, Statistic::Max),
    latency("service.mean", Phase::Service, Statistic::Mean),
    latency("service.p50", Phase::Service, Statistic::P50),
    latency("service.p90", Phase::Service, Statistic::P90),
    latency("service.p99", Phase::Service, Statistic::P99),
    latency("service.p99_9", Phase::Service, Statistic::P99_9),
    latency("service.max", Phase::Service, Statistic::Max),
    figure("throughput", Value::Throughput),
    figure("errors", Value::Errors),
    figure("error_count", Value::ErrorCount),
    figure("dropped", Value::Dropped),
    figure("in_use", Value::InUse),
    figure("utilisation", Value::Utilisation),
];

impl Value {
    /// Whether a single kind of operation has this figure too.
    const fn is_of_kinds(self) -> bool {
        matches!(self, Self::Latency(..) | Self::Throughput | Self::Errors | Self::ErrorCount)
    }
}

impl Metric {
    /// The names of all figures. Those of latencies, `throughput`, `errors` and `error_count` are
    /// there for each kind of operation too.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        FIGURES.iter().map(|figure| figure.name)
    }

    /// The kind of operation it is about; `None` for all of them.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// Its value in `report`, in its [`unit`](Self::unit). `None` if nothing was measured, or the
    /// report knows no such kind of operation.
    #[must_use]
    pub fn of(&self, report: &Report) -> Option<f64> {
        match &self.kind {
            Some(name) => {
                let kind = report.kinds.iter().find(|kind| kind.name == *name)?;
                self.figure.value.of_kind(kind, report.duration_seconds)
            }
            None => self.figure.value.of_all(report),
        }
    }

    /// What its value is counted in.
    #[must_use]
    pub fn unit(&self) -> MetricUnit {
        match self.figure.value {
            Value::Latency(..) => MetricUnit::Microseconds,
            Value::Throughput => MetricUnit::PerSecond,
            Value::Errors | Value::Utilisation => MetricUnit::Share,
            Value::ErrorCount | Value::Dropped | Value::InUse => MetricUnit::Count,
        }
    }

    /// Which way it gets better.
    #[must_use]
    pub fn direction(&self) -> Direction {
        match self.figure.value {
            Value::Throughput => Direction::Higher,
            Value::Utilisation => Direction::Neither,
            _ => Direction::Lower,
        }
    }
}

impl Value {
    fn of_all(self, report: &Report) -> Option<f64> {
        match self {
            Self::Latency(phase, statistic) => {
                let Report { wait, service, response, .. } = report;
                statistic.of(phase.choose(wait, service, response))
            }
            Self::Throughput => Some(report.throughput),
            Self::Errors => share(report.errors, report.operations + report.late + report.errors),
            Self::ErrorCount => Some(report.errors as f64),
            Self::Dropped => Some(report.generator.dropped as f64),
            Self::InUse => Some(report.in_use as f64),
            Self::Utilisation => Some(report.pool.utilisation),
        }
    }

    fn of_kind(self, kind: &KindReport, seconds: f64) -> Option<f64> {
        match self {
            Self::Latency(phase, statistic) => {
                let KindReport { wait, service, response, .. } = kind;
                statistic.of(phase.choose(wait, service, response))
            }
            Self::Throughput => Some(kind.operations as f64 / seconds),
            Self::Errors => share(kind.errors, kind.operations + kind.errors),
            Self::ErrorCount => Some(kind.errors as f64),
            Self::Dropped | Self::InUse | Self::Utilisation => None,
        }
    }
}

impl Phase {
    fn choose<T>(self, wait: T, service: T, response: T) -> T {
        match self {
            Self::Wait => wait,
            Self::Service => service,
            Self::Response => response,
        }
    }
}

impl Statistic {
    fn of(self, latency: &Latency) -> Option<f64> {
        match self {
            Self::Mean => latency.mean,
            Self::P50 => latency.p50,
            Self::P90 => latency.p90,
            Self::P99 => latency.p99,
            Self::P99_9 => latency.p99_9,
            Self::Max => latency.max,
        }
    }
}

/// Nothing done has no share of errors.
fn share(errors: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| errors as f64 / all as f64)
}

impl FromStr for Metric {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        // As reports for people write it.
        let text = text.trim();
        let name = match text.strip_suffix("p99.9") {
            Some(rest) => format!("{rest}p99_9"),
            None => text.to_owned(),
        };
        for figure in &FIGURES {
            let Some(rest) = name.strip_suffix(figure.name) else { continue };
            let kind = rest.strip_suffix('.').filter(|kind| !kind.trim().is_empty());
            if rest.is_empty() || (kind.is_some() && figure.value.is_of_kinds()) {
                return Ok(Self { kind: kind.map(|kind| kind.trim().to_owned()), figure });
            }
        }
        Err(Problem::unknown("metric", name, Self::names()))
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = &self.kind {
            write!(f, "{kind}.")?;
        }
        f.write_str(self.figure.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::report;

    fn value(name: &str, report: &Report) -> Option<f64> {
        name.parse::<Metric>().expect(name).of(report)
    }

    #[test]
    fn every_name_survives_the_way_through_text() {
        for name in Metric::names() {
            assert_eq!(name.parse::<Metric>().expect(name).to_string(), name);
        }
        let long = "slow read.response.p99.9".parse::<Metric>().expect("a kind with a space");
        assert_eq!(
            (long.kind(), &*long.to_string()),
            (Some("slow read"), "slow read.response.p99_9")
        );
    }

    #[test]
    fn a_name_that_is_none_is_refused_with_all_of_them_and_the_nearest() {
        for name in ["respons.p99", "transfer.utilisation", ".throughput", "p99", ""] {
            let problem = name.parse::<Metric>().expect_err(name);
            assert!(problem.allowed.contains("response.p99, response.p99_9"), "{problem}");
            assert!(problem.allowed.contains("utilisation"), "{problem}");
        }
        let problem = "respons.p99".parse::<Metric>().expect_err("misspelt");
        assert_eq!(problem.nearest.as_deref(), Some("response.p99"));
    }

    #[test]
    fn a_name_that_may_be_a_password_is_not_repeated() {
        let problem = "postgres://app:hunter2@db/shop".parse::<Metric>().expect_err("a URL");
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
    }

    #[test]
    fn each_name_finds_its_figure() {
        let report = report();
        assert_eq!(value("throughput", &report), Some(2_000.0));
        assert_eq!(value("response.p99", &report), Some(9_000.0));
        assert_eq!(value("wait.p50", &report), Some(100.0));
        assert_eq!(value("service.max", &report), Some(20_000.0));
        assert_eq!(value("errors", &report), Some(0.01));
        assert_eq!(value("error_count", &report), Some(202.0));
        assert_eq!(value("transfer.response.p99", &report), Some(12_000.0));
        assert_eq!(value("transfer.throughput", &report), Some(400.0));
        assert_eq!(value("transfer.errors", &report), Some(0.0));
        assert_eq!(value("no such kind.response.p99", &report), None);
    }

    #[test]
    fn nothing_done_has_no_latency_and_no_share_of_errors() {
        let mut report = report();
        (report.operations, report.errors, report.late) = (0, 0, 0);
        report.response.p99 = None;
        assert_eq!((value("errors", &report), value("response.p99", &report)), (None, None));
        assert_eq!(value("error_count", &report), Some(0.0));
    }
}
