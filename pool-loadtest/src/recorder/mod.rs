//! What the operations of a run took. They are written down in a few shards that tasks share, and
//! from there into the histograms, many at a time: so an operation takes one lock that is seldom
//! held, and memory grows neither with operations nor with tasks.

mod failures;
mod measured;
mod series;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use pool_core::PoolStats;

pub(crate) use self::failures::{AcquireCause, Failure, in_full};
pub use self::measured::Unfinished;
pub(crate) use self::measured::{End, KINDS, Measured, Sample, Times};
use self::series::Series;
use crate::generator::{Arrived, Tally};
use crate::report::Point;

const SHARDS: usize = 16;
/// How many operations a shard holds before they go into the histograms.
const BATCH: usize = 256;

pub(crate) struct Recorder {
    shards: Vec<Mutex<Vec<Sample>>>,
    /// Locked after a shard, never before.
    sums: Mutex<Sums>,
    tally: Tally,
}

struct Sums {
    measured: Measured,
    series: Series,
    /// Operations succeeded by the end of the load; `None` while it goes on.
    in_time: Option<u64>,
}

impl Sums {
    fn record(&mut self, sample: &Sample) {
        self.measured.record(sample);
        if self.in_time.is_none() {
            self.series.record(sample);
        }
    }
}

impl Recorder {
    /// Of a workload with so many kinds of operations.
    pub(crate) fn new(kinds: usize) -> Self {
        let sums = Sums { measured: Measured::new(kinds), series: Series::new(), in_time: None };
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(Vec::with_capacity(BATCH))).collect(),
            sums: Mutex::new(sums),
            tally: Tally::default(),
        }
    }

    /// An operation of this task ended, other than by failing.
    pub(crate) fn record(&self, task: usize, sample: Sample) {
        let mut shard = lock(&self.shards[task % SHARDS]);
        shard.push(sample);
        if shard.len() >= BATCH {
            self.empty(&mut shard);
        }
    }

    pub(crate) fn record_failure(&self, sample: &Sample, failure: Failure) {
        let mut sums = lock(&self.sums);
        sums.record(sample);
        sums.measured.failures.record(failure);
    }

    /// How the arrivals fared.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Operations succeeded and failed so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let sums = self.flushed();
        (sums.measured.succeeded(), sums.measured.failures.count())
    }

    /// When the series' next point ends, since the load was measured.
    pub(crate) fn next_point(&self) -> Duration {
        lock(&self.sums).series.next_end()
    }

    /// A point of the series ends, so long after the load began to be measured.
    pub(crate) fn end_point(&self, at: Duration, pool: &PoolStats) -> Point {
        self.flushed().series.end_point(at, self.tally.read().dropped(), pool)
    }

    /// The time is up. What ends from here on is late.
    pub(crate) fn end(&self, at: Duration, pool: &PoolStats) -> Point {
        let mut sums = self.flushed();
        sums.in_time = Some(sums.measured.succeeded());
        sums.series.end_point(at, self.tally.read().dropped(), pool)
    }

    /// How long operations took so far.
    pub(crate) fn response(&self) -> Histogram<u64> {
        self.flushed().measured.response()
    }

    /// Everything so far, of an open loop or a closed one.
    pub(crate) fn found(&self, is_open: bool) -> Found {
        let sums = self.flushed();
        let in_time = sums.in_time.unwrap_or_else(|| sums.measured.succeeded());
        let (measured, arrived) = (sums.measured.clone(), self.tally.read());
        let series = sums.series.points(arrived.dropped());
        Found { measured, in_time, arrived: is_open.then_some(arrived), series }
    }

    /// The sums with what the shards hold.
    fn flushed(&self) -> MutexGuard<'_, Sums> {
        self.shards.iter().for_each(|shard| self.empty(&mut lock(shard)));
        lock(&self.sums)
    }

    fn empty(&self, shard: &mut Vec<Sample>) {
        let mut sums = lock(&self.sums);
        shard.drain(..).for_each(|sample| sums.record(&sample));
    }
}

/// What a recorder has recorded.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) measured: Measured,
    /// Operations succeeded by the end of the load.
    pub(crate) in_time: u64,
    /// How arrivals fared, in an open loop.
    pub(crate) arrived: Option<Arrived>,
    pub(crate) series: Vec<Point>,
}

/// A task that panicked while it recorded has recorded at worst half an operation.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
