//! The run second by second, in a bounded number of points.

use std::mem::{replace, swap};
use std::time::Duration;

use hdrhistogram::Histogram;
use pool_core::{PoolConfig, PoolStats};

use super::measured::{End, Sample, add, histogram, record};
use crate::report::Point;

/// Most points that are kept. Once there are as many, neighbours become one, and further points are
/// twice as long.
const MOST_POINTS: usize = 3_600;
/// What is shorter than this share of a point is part of the one before.
const STUB: f64 = 0.1;

#[derive(Clone, Debug)]
pub(super) struct Series {
    /// Those that are over. The last one may still grow.
    points: Vec<Point>,
    /// Responses of the last of them.
    last: Histogram<u64>,
    /// What there was since.
    current: Current,
    /// How many seconds a point lasts.
    step: u32,
}

#[derive(Clone, Debug)]
struct Current {
    responses: Histogram<u64>,
    operations: u64,
    errors: u64,
    /// Arrivals dropped since the load began, when the last point ended.
    dropped_before: u64,
}

impl Series {
    pub(super) fn new() -> Self {
        let responses = histogram();
        let current = Current { responses, operations: 0, errors: 0, dropped_before: 0 };
        Self { points: Vec::new(), last: histogram(), current, step: 1 }
    }

    pub(super) fn record(&mut self, sample: &Sample) {
        match sample.end {
            End::Succeeded => self.current.operations += 1,
            End::Failed => self.current.errors += 1,
            End::Waiting | End::Dropped => return,
        }
        if sample.is_timed {
            record(&mut self.current.responses, sample.response());
        }
    }

    /// When the next point ends, since the load was measured.
    pub(super) fn next_end(&self) -> Duration {
        let ended = self.points.last().map_or(0.0, |point| point.at_seconds);
        let step = f64::from(self.step);
        // A point that was late is no reason for the next to be.
        Duration::from_secs_f64((((ended + STUB * step) / step).floor() + 1.0) * step)
    }

    /// A point ends. `dropped` are all arrivals dropped since the load began.
    pub(super) fn end_point(&mut self, at: Duration, dropped: u64, pool: &PoolStats) -> Point {
        let at_seconds = at.as_secs_f64();
        let began = self.points.last().map_or(0.0, |point| point.at_seconds);
        let mut point = Point {
            at_seconds,
            seconds: at_seconds - began,
            operations: replace(&mut self.current.operations, 0),
            errors: replace(&mut self.current.errors, 0),
            dropped: dropped - replace(&mut self.current.dropped_before, dropped),
            response_p50: None,
            response_p99: None,
            response_max: None,
            in_use: pool.in_use,
            idle: pool.idle,
            opening: pool.opening,
            waiting: pool.waiting,
            max_open: Some(pool.max_open).filter(|most| *most != PoolConfig::UNLIMITED),
        };
        let stub = STUB * f64::from(self.step);
        match self.points.pop_if(|_| point.seconds < stub) {
            Some(before) => {
                point.seconds += before.seconds;
                point.operations += before.operations;
                point.errors += before.errors;
                point.dropped += before.dropped;
                add(&mut self.last, &self.current.responses);
            }
            None => swap(&mut self.last, &mut self.current.responses),
        }
        self.current.responses.reset();
        point.set_percentiles(&self.last);
        self.points.push(point.clone());
        if self.points.len() == MOST_POINTS {
            self.halve();
        }
        point
    }

    /// Neighbours become one. The last of them is not exact any more, as it may still grow.
    fn halve(&mut self) {
        self.points = self.points.chunks(2).map(merged).collect();
        self.step = self.step.saturating_mul(2);
    }

    /// The points, and arrivals that were dropped in the last one but counted only now.
    pub(super) fn points(&self, dropped: u64) -> Vec<Point> {
        let mut points = self.points.clone();
        if let Some(last) = points.last_mut() {
            last.dropped += dropped.saturating_sub(self.current.dropped_before);
        }
        points
    }
}

impl Point {
    fn set_percentiles(&mut self, nanos: &Histogram<u64>) {
        let some = !nanos.is_empty();
        let micros = |nanos: u64| some.then_some(nanos as f64 / 1e3);
        self.response_p50 = micros(nanos.value_at_quantile(0.5));
        self.response_p99 = micros(nanos.value_at_quantile(0.99));
        self.response_max = micros(nanos.max());
    }
}

/// One point of neighbours. Their histograms are gone: the larger p99 is no smaller than that of all
/// of them, and the median is that of the average operation.
fn merged(points: &[Point]) -> Point {
    let last = points.last().expect("bug: chunks are not empty");
    let larger = |of: fn(&Point) -> Option<f64>| points.iter().filter_map(of).reduce(f64::max);
    let (mut sum, mut weights) = (0.0, 0.0);
    for point in points {
        if let Some(p50) = point.response_p50 {
            let weight = (point.operations + point.errors) as f64;
            sum += p50 * weight;
            weights += weight;
        }
    }
    Point {
        seconds: points.iter().map(|point| point.seconds).sum(),
        operations: points.iter().map(|point| point.operations).sum(),
        errors: points.iter().map(|point| point.errors).sum(),
        dropped: points.iter().map(|point| point.dropped).sum(),
        response_p50: (weights > 0.0).then(|| sum / weights),
        response_p99: larger(|point| point.response_p99),
        response_max: larger(|point| point.response_max),
        ..last.clone()
    }
}
