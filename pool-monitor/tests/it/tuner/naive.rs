//! What others do, in short: each grows or shrinks by latency or waiting alone.

use pool_core::runtime::Instant;

use super::Sizing;
use pool_monitor::tuner::{Decision, Reading};

fn allowed(reading: &Reading, limit: usize) -> usize {
    limit.clamp(reading.least, reading.most)
}

/// `FlexyPool`'s: one more each time that somebody waits.
#[derive(Default)]
pub(super) struct Flexy;

impl Sizing for Flexy {
    fn size(&mut self, _now: Instant, reading: &Reading) -> (usize, Option<Decision>) {
        // A strategy runs at each acquire that waited too long: many times in a control period.
        let more = reading.waiting.min(reading.limit);
        (allowed(reading, reading.limit + more), None)
    }
}

/// TCP Vegas for concurrency, as in Netflix' concurrency-limits: the queue is estimated from the latency
/// above the best seen.
pub(super) struct Vegas {
    best: f64,
    limit: f64,
}

impl Default for Vegas {
    fn default() -> Self {
        Self { best: f64::INFINITY, limit: 0.0 }
    }
}

impl Sizing for Vegas {
    fn size(&mut self, _now: Instant, reading: &Reading) -> (usize, Option<Decision>) {
        let Some(service) = reading.mean_busy else { return (reading.limit, None) };
        let service = service.as_secs_f64();
        self.limit = reading.limit as f64;
        self.best = self.best.min(service);
        // Limited by the application, not by the limit.
        if reading.mean_in_use < 0.5 * self.limit {
            return (reading.limit, None);
        }
        let step = self.limit.log10().max(1.0);
        let queue = (self.limit * (1.0 - self.best / service)).ceil();
        if queue <= step {
            self.limit += 6.0 * step;
        } else if queue < 3.0 * step {
            self.limit += step;
        } else if queue > 6.0 * step {
            self.limit -= step;
        }
        (allowed(reading, self.limit.round() as usize), None)
    }
}

/// Gradient2 of the same: the long average of the latency, a tolerance, and room for a queue.
#[derive(Default)]
pub(super) struct Gradient2 {
    long: f64,
    limit: f64,
}

impl Sizing for Gradient2 {
    fn size(&mut self, _now: Instant, reading: &Reading) -> (usize, Option<Decision>) {
        const TOLERANCE: f64 = 1.5;
        const SMOOTHING: f64 = 0.2;
        const WINDOW: f64 = 600.0;
        const QUEUE: f64 = 4.0;
        let Some(service) = reading.mean_busy else { return (reading.limit, None) };
        let service = service.as_secs_f64();
        if self.limit == 0.0 {
            self.limit = reading.limit as f64;
            self.long = service;
        }
        self.long += (service - self.long) * 2.0 / (WINDOW + 1.0);
        if self.long / service > 2.0 {
            self.long *= 0.95;
        }
        if reading.mean_in_use < self.limit / 2.0 {
            return (reading.limit, None);
        }
        let gradient = (TOLERANCE * self.long / service).clamp(0.5, 1.0);
        let wanted = self.limit * gradient + QUEUE;
        self.limit += (wanted - self.limit) * SMOOTHING;
        self.limit = self.limit.clamp(reading.least as f64, reading.most as f64);
        (allowed(reading, self.limit.round() as usize), None)
    }
}
