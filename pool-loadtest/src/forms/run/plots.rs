//! The plots of a run. One that would have no figure is left out.

use hdrhistogram::Histogram;

use super::Happening;
use super::series::merged;
use crate::forms::svg::{Axis, Colour, Layer, Place, Plot, Shape, Spread, Unit};
use crate::report::{Latency, Point, Report};
use crate::words::{grouped, time};

/// More points than a plot has pixels say nothing more.
const MOST_POINTS: usize = 600;
/// How finely a distribution is drawn.
const QUANTILES: u32 = 120;

/// What succeeded in each second, of which there are as many as there is room for.
pub(in crate::forms) fn operations(report: &Report) -> Vec<Place> {
    rate(&merged(&report.series, MOST_POINTS), |point| point.operations)
}

fn rate(points: &[Point], count: fn(&Point) -> u64) -> Vec<Place> {
    let each = points.iter().filter(|point| point.seconds > 0.0);
    each.map(|point| (point.at_seconds, Some(count(point) as f64 / point.seconds))).collect()
}

/// Operations and errors per second, over time.
pub(super) fn throughput(report: &Report, marks: &[Happening]) -> Vec<Plot> {
    let points = merged(&report.series, MOST_POINTS);
    let average = grouped(report.throughput.round() as u64);
    let succeeded = Plot {
        name: "throughput",
        title: "Operations per second".to_owned(),
        description: format!("On average {average} operations per second succeeded."),
        x: Axis::time(),
        y: Axis::new("per second", Unit::Plain, Spread::Linear),
        layers: vec![Layer::new("operations", Colour::Blue, Shape::Line(operations(report)))],
        marks: marks.to_vec(),
    };
    let mut plots = drawable(succeeded.clone());
    let mut layers = Vec::new();
    // On a scale of their own: they are few beside what succeeds.
    if report.errors > 0 {
        layers.push(Layer::new("errors", Colour::Red, Shape::Line(rate(&points, |it| it.errors))));
    }
    if points.iter().any(|point| point.dropped > 0) {
        let dropped = Shape::Dashed(rate(&points, |it| it.dropped));
        layers.push(Layer::new("arrivals dropped", Colour::Orange, dropped));
    }
    let (errors, dropped) = (grouped(report.errors), grouped(report.generator.dropped));
    plots.extend(drawable(Plot {
        name: "errors",
        title: "What did not succeed, per second".to_owned(),
        description: format!("In all {errors} operations failed and {dropped} were dropped."),
        layers,
        ..succeeded
    }));
    plots
}

/// Percentiles of the response over time, and how all responses are distributed.
pub(super) fn latencies(report: &Report, marks: &[Happening]) -> Vec<Plot> {
    let points = merged(&report.series, MOST_POINTS);
    let over_time = |of: fn(&Point) -> Option<f64>| {
        points.iter().map(|point| (point.at_seconds, of(point))).collect()
    };
    let shown = |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), time);
    let Latency { p50, p99, max, .. } = report.response;
    let seconds = Plot {
        name: "response",
        title: "Response time over the run".to_owned(),
        description: format!(
            "Over the whole run the median was {}, the 99th percentile {}, the longest {}.",
            shown(p50),
            shown(p99),
            shown(max)
        ),
        x: Axis::time(),
        y: Axis::new("response, logarithmic", Unit::Micros, Spread::Logarithmic),
        layers: vec![
            Layer::new("longest", Colour::Grey, Shape::Dashed(over_time(|it| it.response_max))),
            Layer::new("p99", Colour::Purple, Shape::Line(over_time(|it| it.response_p99))),
            Layer::new("median", Colour::Blue, Shape::Line(over_time(|it| it.response_p50))),
        ],
        marks: marks.to_vec(),
    };
    [drawable(seconds), drawable(distribution(report))].concat()
}

/// How much of all is no slower than what.
fn distribution(report: &Report) -> Plot {
    let histograms = report.histograms.as_ref();
    let layer = |label, colour, latency: &Latency, histogram: Option<&Histogram<u64>>, dashed| {
        let places = match histogram {
            Some(histogram) => quantiles(histogram),
            None => percentiles(latency),
        };
        let shape = if dashed { Shape::Dashed(places) } else { Shape::Line(places) };
        Layer::new(label, colour, shape)
    };
    Plot {
        name: "distribution",
        title: "Distribution of latencies".to_owned(),
        description:
            "For each percentile, the time that so many operations took at most: waiting for \
                      a connection, using it, and both."
                .to_owned(),
        x: Axis::new("percentile", Unit::OneIn, Spread::Logarithmic),
        y: Axis::new("at most, logarithmic", Unit::Micros, Spread::Logarithmic),
        layers: vec![
            layer("wait", Colour::Orange, &report.wait, histograms.map(|it| &it.wait), true),
            layer(
                "service",
                Colour::Green,
                &report.service,
                histograms.map(|it| &it.service),
                true,
            ),
            layer(
                "response",
                Colour::Blue,
                &report.response,
                histograms.map(|it| &it.response),
                false,
            ),
        ],
        marks: Vec::new(),
    }
}

/// From none up to the one that is rarest: one in two took longer, one in ten ...
fn quantiles(nanos: &Histogram<u64>) -> Vec<(f64, Option<f64>)> {
    if nanos.is_empty() {
        return Vec::new();
    }
    let rarest = (nanos.len() as f64).max(10.0);
    let one_in = |step| rarest.powf(f64::from(step) / f64::from(QUANTILES));
    let place = |one_in: f64| {
        let micros = nanos.value_at_quantile(1.0 - 1.0 / one_in) as f64 / 1e3;
        (one_in, Some(micros))
    };
    (0..=QUANTILES).map(|step| place(one_in(step))).collect()
}

/// What a report that was read from JSON has of them.
fn percentiles(latency: &Latency) -> Vec<(f64, Option<f64>)> {
    let rarest = (latency.count as f64).max(2.0);
    let known = [
        (2.0, latency.p50),
        (10.0, latency.p90),
        (100.0, latency.p99),
        (1_000.0, latency.p99_9),
        (rarest, latency.max),
    ];
    let mut places: Vec<_> = known.into_iter().filter(|(one_in, _)| *one_in <= rarest).collect();
    places.dedup_by_key(|(one_in, _)| *one_in);
    places
}

/// What connections were there and what they did, and who waited for one.
pub(super) fn occupancy(report: &Report, marks: &[Happening]) -> Vec<Plot> {
    let points = merged(&report.series, MOST_POINTS);
    let count = |of: fn(&Point) -> usize| {
        points.iter().map(|point| (point.at_seconds, Some(of(point) as f64))).collect()
    };
    let limit = points.iter().map(|it| (it.at_seconds, it.max_open.map(|most| most as f64)));
    let busy = crate::words::percent(report.pool.utilisation);
    let peak = report.pool.peak_in_words();
    drawable(Plot {
        name: "occupancy",
        title: "Connections, and acquires that wait for one".to_owned(),
        description: format!(
            "On average {busy} of the connections were in use, {peak}. What stands above max_open \
             waits."
        ),
        x: Axis::time(),
        y: Axis::new("at the end of each second", Unit::Count, Spread::Linear),
        layers: vec![
            Layer::new("in use", Colour::Blue, Shape::Area(count(|it| it.in_use))),
            Layer::new("idle", Colour::Green, Shape::Area(count(|it| it.idle))),
            Layer::new("opening", Colour::Purple, Shape::Area(count(|it| it.opening))),
            Layer::new("waiting", Colour::Orange, Shape::Area(count(|it| it.waiting))),
            Layer::new("max_open", Colour::Red, Shape::Dashed(limit.collect())),
        ],
        marks: marks.to_vec(),
    })
}

fn drawable(plot: Plot) -> Vec<Plot> {
    if plot.has_figures() { vec![plot] } else { Vec::new() }
}
