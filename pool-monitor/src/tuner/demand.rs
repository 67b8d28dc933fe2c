//! How many connections were asked for in the last half minute.

use std::time::Duration;

use pool_core::runtime::Instant;

use super::reading::Reading;

/// Half of what is looked back at. All of it is what the fleet's shares look at, too.
const HALF: Duration = Duration::from_secs(15);

/// The peak and the mean of use, in two halves: the one that is full, and the one that grows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Demand {
    last: Half,
    growing: Half,
    since: Option<Instant>,
    is_full: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Half {
    peak: usize,
    area: f64,
    seconds: f64,
}

impl Demand {
    pub(super) fn push(&mut self, now: Instant, reading: &Reading) {
        let since = *self.since.get_or_insert(now);
        if now.since(since) >= HALF {
            self.is_full = self.last.seconds > 0.0;
            self.last = std::mem::take(&mut self.growing);
            self.since = Some(now);
        }
        let seconds = reading.span.as_secs_f64();
        self.growing.peak = self.growing.peak.max(reading.peak_in_use + reading.waiting);
        self.growing.area += reading.mean_in_use * seconds;
        self.growing.seconds += seconds;
    }

    /// The most that were in use or waited for at once, in the last 15 to 30 s.
    pub(super) fn peak(&self) -> usize {
        self.last.peak.max(self.growing.peak)
    }

    /// How many were in use on average.
    pub(super) fn mean(&self) -> f64 {
        let seconds = self.last.seconds + self.growing.seconds;
        if seconds > 0.0 { (self.last.area + self.growing.area) / seconds } else { 0.0 }
    }

    /// Whether it was looked at for long enough to say that more is not needed.
    pub(super) fn is_known(&self) -> bool {
        self.is_full
    }
}
