//! Each figure of two runs, by its seconds.

use crate::condition::shown;
use crate::metric::{Direction, Metric, MetricUnit};
use crate::report::{LoadModel, Point, Report};
use crate::statistics::{Difference, ENOUGH, Sample};

use super::{ComparisonVerdict, FigureComparison};

/// All tests together find a difference where there is none in one of twenty comparisons at most, and
/// are held to less, as those of short runs promise a little too much. Half of it is for the figure that
/// says most, the rest for the three others.
const LEVEL: f64 = 0.04;
const OF_TELLING: f64 = 1.0 / 2.0;
const OF_OTHERS: f64 = 1.0 / 6.0;
const CONFIDENCE: f64 = 0.95;
/// Errors are compared by their difference, with this share of the threshold.
const OF_ERRORS: f64 = 0.1;
/// A figure is unchanged only if it has not changed by so many thresholds, with that confidence.
const EXCLUDED: f64 = 2.0;
/// A smaller threshold does not make a comparison less sure: of two equal runs, seconds differ too.
const LEAST: f64 = 0.025;
/// A shorter point is the rest of a second, whose figures vary more.
const SHORTEST: f64 = 0.5;

/// How a figure is taken from the points, and how differences of it are expressed.
struct Figure {
    name: &'static str,
    of: fn(&Point) -> Option<f64>,
    scale: Scale,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// As a share of what it was.
    Ratio,
    /// The same, of values of which a few are far larger than the others: their logarithms are
    /// compared.
    Logarithm,
    /// As it is.
    Difference,
}

/// What is compared.
const FIGURES: [Figure; 4] = [
    Figure {
        name: "throughput",
        of: |point| Some(point.operations as f64 / point.seconds),
        scale: Scale::Ratio,
    },
    Figure { name: "response.p50", of: |point| point.response_p50, scale: Scale::Logarithm },
    Figure { name: "response.p99", of: |point| point.response_p99, scale: Scale::Logarithm },
    Figure {
        name: "errors",
        of: |point| {
            let all = point.operations + point.errors;
            (all > 0).then(|| point.errors as f64 / all as f64)
        },
        scale: Scale::Difference,
    },
];

pub(super) fn compare(threshold: f64, before: &Report, after: &Report) -> Vec<FigureComparison> {
    FIGURES.iter().map(|figure| figure.compare(threshold, before, after)).collect()
}

/// The figure that says most: throughput of a closed loop. Arrivals at a rate set it themselves, so there
/// it is the median of the response.
pub(super) const fn telling(model: LoadModel) -> &'static str {
    match model {
        LoadModel::Closed => "throughput",
        LoadModel::Open => "response.p50",
    }
}

/// Whether it cannot be told of a figure, and nothing can be told without it: the one that says most, and
/// work that was not done or failed. A server that hangs for a third of a run makes seconds so different
/// that no test finds a difference, and leaves those without an answer out of the times.
pub(super) fn is_in_doubt(figure: &FigureComparison, threshold: f64, model: LoadModel) -> bool {
    let least = match &*figure.metric {
        name if name == telling(model) => 0.0,
        "throughput" => threshold,
        "errors" => threshold * OF_ERRORS,
        _ => return false,
    };
    let is_far = figure.change.is_none_or(|change| change.abs() >= least);
    figure.verdict == ComparisonVerdict::Inconclusive && is_far
}

impl Figure {
    fn compare(&self, threshold: f64, before: &Report, after: &Report) -> FigureComparison {
        let metric: Metric = self.name.parse().expect("bug: a constant");
        let unknown = FigureComparison {
            metric: self.name.to_owned(),
            before: metric.of(before),
            after: metric.of(after),
            change: None,
            low: None,
            high: None,
            probability: None,
            verdict: ComparisonVerdict::Inconclusive,
            detail: String::new(),
        };
        let values = [before, after].map(|report| self.values(report));
        let [Some(first), Some(second)] = [&values[0], &values[1]].map(|it| Sample::of_series(it))
        else {
            let fewest = values[0].len().min(values[1].len());
            let detail =
                format!("has {fewest} seconds to compare, and at least {ENOUGH} are needed");
            return FigureComparison { detail, ..unknown };
        };
        if self.scale == Scale::Ratio && first.mean <= 0.0 {
            return Self::from_nothing(&second, unknown);
        }
        let found = Difference::between(&first, &second);
        let (change, margin) = (found.by, found.margin(CONFIDENCE));
        let share = |value: f64| match self.scale {
            Scale::Ratio => value / first.mean,
            Scale::Logarithm => value.exp() - 1.0,
            Scale::Difference => value,
        };
        let [low, change, high] = [change - margin, change, change + margin].map(share);
        let threshold = match self.scale {
            Scale::Difference => threshold * OF_ERRORS,
            Scale::Ratio | Scale::Logarithm => threshold,
        };
        let is_worse = match metric.direction() {
            Direction::Higher => change < 0.0,
            Direction::Lower | Direction::Neither => change > 0.0,
        };
        let is_telling = self.name == telling(after.load.model);
        let level = LEVEL * if is_telling { OF_TELLING } else { OF_OTHERS };
        let significant = found.probability < level;
        let least = if self.scale == Scale::Difference { LEAST * OF_ERRORS } else { LEAST };
        let excluded = EXCLUDED * threshold.max(least);
        let verdict = match (change.abs() > threshold && significant, is_worse) {
            (true, true) => ComparisonVerdict::Regressed,
            (true, false) => ComparisonVerdict::Improved,
            (false, _) if -low < excluded && high < excluded => ComparisonVerdict::Unchanged,
            (false, _) => ComparisonVerdict::Inconclusive,
        };
        let went = went(&unknown, change, metric.unit());
        let [least, most] = [low, high].map(|share| signed(share, metric.unit()));
        let detail = format!("{went}; with a confidence of 95 % from {least} to {most})");
        FigureComparison {
            change: Some(change),
            low: Some(low),
            high: Some(high),
            probability: Some(found.probability),
            verdict,
            detail,
            ..unknown
        }
    }

    /// After a run that did nothing, of which nothing is a multiple.
    fn from_nothing(second: &Sample, unknown: FigureComparison) -> FigureComparison {
        let (verdict, detail) = if second.mean > 0.0 {
            (ComparisonVerdict::Improved, "was nothing, and is something now")
        } else {
            (ComparisonVerdict::Inconclusive, "is nothing in both")
        };
        FigureComparison { verdict, detail: detail.to_owned(), ..unknown }
    }

    /// Of each whole second in which there was something to measure.
    fn values(&self, report: &Report) -> Vec<f64> {
        let whole = report.series.iter().filter(|point| point.seconds >= SHORTEST);
        let values = whole.filter_map(|point| (self.of)(point));
        match self.scale {
            Scale::Logarithm => values.filter(|value| *value > 0.0).map(f64::ln).collect(),
            Scale::Ratio | Scale::Difference => values.collect(),
        }
    }
}

/// What a figure was and is; with the interval only if that is why nothing can be said.
pub(super) fn in_brief(figure: &FigureComparison) -> String {
    let unit = figure.metric.parse().ok().map(|metric: Metric| metric.unit());
    match (figure.change, unit) {
        (Some(change), Some(unit)) if figure.verdict != ComparisonVerdict::Inconclusive => {
            format!("{} {})", figure.metric, went(figure, change, unit))
        }
        _ => format!("{} {}", figure.metric, figure.detail),
    }
}

/// `went from 100/s to 90/s (-10.0 %`, to be closed.
fn went(figure: &FigureComparison, change: f64, unit: MetricUnit) -> String {
    let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |it| shown(it, unit));
    let (was, is) = (value(figure.before), value(figure.after));
    format!("went from {was} to {is} ({}", signed(change, unit))
}

/// A change of a figure that is counted in this unit: of shares their difference.
pub(crate) fn signed(share: f64, unit: MetricUnit) -> String {
    match unit {
        MetricUnit::Share => format!("{:+.2} points", share * 100.0),
        _ => format!("{:+.1} %", share * 100.0),
    }
}

/// A share as `5 %` or `2.5 %`.
pub(crate) fn signless(share: f64) -> String {
    // What was a percentage becomes one again.
    let percent = (share * 1e4).round() / 100.0;
    format!("{percent} %")
}
