//! What the present size was seen to do, and how sure that is.

use std::collections::VecDeque;

use super::reading::{Load, Reading};

/// Readings that are remembered. More would remember another load, fewer could not tell 3 % from noise.
const REMEMBERED: usize = 20;
/// Throughput that differs by so much, for so many readings in a row, is that of another load.
const OTHER_LOAD: f64 = 0.2;
const OTHER_LOAD_DEVIATIONS: f64 = 4.0;
const OTHER_LOAD_READINGS: u32 = 3;
/// Readings that say how long clients wait: a queue that goes is soon another one.
const LATELY: f64 = 5.0;
/// How much a new reading says of the noise: the last ten or so count.
const NOISE_LEARNED: f64 = 0.1;

/// The last readings at the present size that say something of it, the latest last.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    seen: VecDeque<Seen>,
    /// Readings in a row that do not fit the others.
    others: u32,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    load: Load,
    seconds: f64,
    completed: f64,
    /// In seconds.
    response: f64,
}

impl Recent {
    /// Says whether another load has begun: then all that was before is forgotten.
    pub(super) fn push(&mut self, reading: &Reading, load: Load, noise: &mut Noise) -> bool {
        let known = self.under(Load::Busy).rate;
        let change = if known > 0.0 { (reading.rate() / known - 1.0).abs() } else { 0.0 };
        let seconds = reading.span.as_secs_f64();
        let (completed, response) = (reading.completed as f64, reading.response().as_secs_f64());
        let seen = Seen { load, seconds, completed, response };
        if change <= OTHER_LOAD.max(OTHER_LOAD_DEVIATIONS * noise.deviation()) {
            self.others = 0;
            if self.seen.len() == REMEMBERED {
                self.seen.pop_front();
            }
            self.seen.push_back(seen);
            noise.push(reading);
            return false;
        }
        self.others += 1;
        noise.pause();
        if self.others < OTHER_LOAD_READINGS {
            return false;
        }
        *self = Self { seen: VecDeque::from([seen]), others: 0 };
        true
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What it did lately, for as long as it was under this load or more.
    pub(super) fn under(&self, load: Load) -> Samples {
        let last = self.seen.iter().rev().take_while(|seen| seen.load >= load);
        let (mut readings, mut seconds, mut completed, mut response) = (0.0, 0.0, 0.0, 0.0);
        for seen in last {
            readings += 1.0;
            seconds += seen.seconds;
            completed += seen.completed;
            if readings <= LATELY {
                response += seen.response;
            }
        }
        let mean = |sum: f64, count: f64| if count > 0.0 { sum / count } else { 0.0 };
        Samples {
            readings,
            rate: mean(completed, seconds),
            response: mean(response, readings.min(LATELY)),
        }
    }
}

/// Throughput at one size.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Samples {
    pub(super) readings: f64,
    /// Connections given back a second.
    pub(super) rate: f64,
    /// How long clients waited on average in the last few of them, for a connection and with it, in seconds.
    pub(super) response: f64,
}

/// How much throughput varies from a reading to the next at the same size, as a part of it. It is measured:
/// a pool with ten completions a second is noisier than one with ten thousand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Noise {
    variance: f64,
    before: Option<f64>,
}

impl Noise {
    pub(super) fn push(&mut self, reading: &Reading) {
        let rate = reading.rate();
        if let Some(before) = self.before.filter(|before| *before > 0.0) {
            let difference = (rate / before).ln();
            // Two readings differ by the noise of both.
            let seen = difference * difference / 2.0;
            self.variance = match self.variance {
                0.0 => seen,
                known => known + (seen - known) * NOISE_LEARNED,
            };
        }
        // Events that come independently vary by the root of their number. A few readings that happen to
        // be alike must not look like certainty.
        self.variance = self.variance.max(0.5 / reading.completed.max(1) as f64);
        self.before = Some(rate);
    }

    /// The size changes: the next reading is not to be compared with the last.
    pub(super) fn pause(&mut self) {
        self.before = None;
    }

    pub(super) fn deviation(&self) -> f64 {
        self.variance.sqrt()
    }
}

/// By how many percent throughput grows if the size grows by one percent: 1 if each connection that is
/// added does as much as those before, 0 if it does nothing, less if it is in the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elasticity {
    pub(super) value: f64,
    /// Its standard deviation.
    pub(super) doubt: f64,
}

impl Elasticity {
    /// Whether more connections are in the way of each other, beyond doubt.
    pub(super) fn is_negative(&self) -> bool {
        self.value + 2.0 * self.doubt < 0.0
    }

    pub(super) fn between(
        (from, before): (usize, Samples),
        (to, after): (usize, Samples),
        noise: &Noise,
    ) -> Self {
        let steps = (to as f64 / from as f64).ln();
        let value = (after.rate / before.rate).ln() / steps;
        let readings = 1.0 / before.readings + 1.0 / after.readings;
        Self { value, doubt: noise.deviation() * readings.sqrt() / steps.abs() }
    }
}
