//! What a pool's statistics lack, counted as it happens: how long each wait, hold and connect took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pool_core::runtime::Instant;
use pool_core::{
    AcquireCancelled, AcquireFailed, AcquireSucceeded, CallSite, ConnectionOpened,
    ConnectionReleased, Frequent, LeakSuspected, Observer, PoolStats,
};

use crate::histogram::{Histogram, Totals};

/// Counts for one pool, from any thread.
pub(crate) struct Recorder {
    wait: Histogram,
    held: Histogram,
    connect: Histogram,
    leaks: AtomicU64,
    last_leak: Mutex<Option<Leak>>,
}

/// A checkout that was held for longer than `leak_after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leak {
    /// Where it was acquired.
    pub site: CallSite,
    /// How long it had been held when that was noticed.
    pub held: Duration,
}

/// All that was counted of a pool until one moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    pub(crate) stats: PoolStats,
    pub(crate) wait: Totals,
    pub(crate) held: Totals,
    pub(crate) connect: Totals,
    pub(crate) leaks: u64,
    pub(crate) last_leak: Option<Leak>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            wait: Histogram::new(),
            held: Histogram::new(),
            connect: Histogram::new(),
            leaks: AtomicU64::new(0),
            last_leak: Mutex::new(None),
        }
    }

    pub(crate) fn sample(&self, at: Instant, stats: PoolStats) -> Sample {
        Sample {
            at,
            stats,
            wait: self.wait.totals(),
            held: self.held.totals(),
            connect: self.connect.totals(),
            leaks: self.leaks.load(Ordering::Relaxed),
            last_leak: *self.last_leak.lock(),
        }
    }
}

impl Observer for Recorder {
    fn frequent(&self) -> Frequent {
        Frequent::ACQUIRE_SUCCEEDED | Frequent::RELEASED
    }

    fn acquire_succeeded(&self, event: &AcquireSucceeded<'_>) {
        self.wait.record(event.waited);
    }

    fn acquire_failed(&self, event: &AcquireFailed<'_>) {
        self.wait.record(event.error.details().waited);
    }

    fn acquire_cancelled(&self, event: &AcquireCancelled<'_>) {
        self.wait.record(event.waited);
    }

    fn released(&self, event: &ConnectionReleased<'_>) {
        self.held.record(event.held);
    }

    fn opened(&self, event: &ConnectionOpened<'_>) {
        self.connect.record(event.took);
    }

    fn leak_suspected(&self, event: &LeakSuspected<'_>) {
        self.leaks.fetch_add(1, Ordering::Relaxed);
        *self.last_leak.lock() = Some(Leak { site: event.site, held: event.held });
    }
}
