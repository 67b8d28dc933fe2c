//! The plots of a comparison: the seconds of both runs, and how sure the differences are.

use crate::compare::{Comparison, ComparisonVerdict, FigureComparison, signless};
use crate::forms::run::operations;
use crate::forms::svg::{Axis, Colour, Layer, Plot, Shape, Spread, Unit};
use crate::metric::{Metric, MetricUnit};
use crate::report::Report;

/// A colour for each verdict.
const VERDICTS: [(ComparisonVerdict, Colour); 4] = [
    (ComparisonVerdict::Regressed, Colour::Red),
    (ComparisonVerdict::Improved, Colour::Green),
    (ComparisonVerdict::Unchanged, Colour::Blue),
    (ComparisonVerdict::Inconclusive, Colour::Purple),
];

/// Operations per second of both runs, over each other.
pub(super) fn throughput(before: &Report, after: &Report) -> Option<Plot> {
    let plot = Plot {
        name: "throughput",
        title: "Operations per second".to_owned(),
        description: "What succeeded in each second of both runs, from the beginning of each."
            .to_owned(),
        x: Axis::time(),
        y: Axis::new("per second", Unit::Plain, Spread::Linear),
        layers: vec![
            Layer::new("before", Colour::Orange, Shape::Dashed(operations(before))),
            Layer::new("after", Colour::Blue, Shape::Line(operations(after))),
        ],
        marks: Vec::new(),
    };
    plot.has_figures().then_some(plot)
}

/// By how much each figure has changed, from where to where for certain. Not errors: their difference
/// is no share of what they were.
pub(super) fn changes(comparison: &Comparison) -> Option<Plot> {
    let is_ratio = |figure: &&FigureComparison| {
        let unit = figure.metric.parse().map(|metric: Metric| metric.unit());
        figure.change.is_some() && unit.is_ok_and(|unit| unit != MetricUnit::Share)
    };
    let figures: Vec<_> = comparison.figures.iter().filter(is_ratio).collect();
    let places = || (1_u32..).map(f64::from).zip(figures.iter().copied());
    let percent = |share: f64| share * 100.0;
    let (end, threshold) = (figures.len() as f64 + 1.0, percent(comparison.threshold));
    let across = |y: f64| Shape::Dashed(vec![(0.0, Some(y)), (end, Some(y))]);
    let mut layers = vec![
        Layer::new("threshold", Colour::Grey, across(threshold)),
        Layer::unnamed(Colour::Grey, across(-threshold)),
    ];
    for (verdict, colour) in VERDICTS {
        let of_verdict = || places().filter(move |(_, figure)| figure.verdict == verdict);
        let intervals: Vec<_> = of_verdict()
            .filter_map(|(x, figure)| Some((x, percent(figure.low?), percent(figure.high?))))
            .collect();
        if intervals.is_empty() {
            continue;
        }
        let dots = of_verdict().map(|(x, figure)| (x, figure.change.map(percent))).collect();
        layers.push(Layer::new(verdict.name(), colour, Shape::Intervals(intervals)));
        layers.push(Layer::unnamed(colour, Shape::Dots(dots)));
    }
    let plot = Plot {
        name: "changes",
        title: "By how much figures have changed".to_owned(),
        description: format!(
            "The true change lies within the bar with a confidence of 95 %; less than {} does not matter.",
            signless(comparison.threshold)
        ),
        x: Axis::new("", Unit::Count, Spread::Linear)
            .with_ticks(places().map(|(x, figure)| (x, short(figure).to_owned()))),
        y: Axis::new("change, with a confidence of 95 %", Unit::Change, Spread::Around),
        layers,
        marks: Vec::new(),
    };
    (!figures.is_empty()).then_some(plot)
}

/// What a figure is called below a plot, where three names have to fit a telephone.
fn short(figure: &FigureComparison) -> &str {
    figure.metric.trim_start_matches("response.")
}
