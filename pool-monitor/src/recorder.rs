//! What a pool's statistics lack, counted as it happens: how long each wait, hold and connect took.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pool_core::runtime::Instant;
use pool_core::{
    AcquireCancelled, AcquireFailed, AcquirePhase, AcquireSucceeded, CallSite, CloseReason,
    ConnectionChecked, ConnectionClosed, ConnectionOpened, ConnectionReleased, Frequent,
    LeakSuspected, Observer, OpenFailed, PoolStats, ReconfigureRefused,
};

use crate::causes::in_one_line;
use crate::histogram::{Histogram, Totals};

/// Counts for one pool, from any thread.
pub(crate) struct Recorder {
    wait: Histogram,
    held: Histogram,
    connect: Histogram,
    users: Users,
    leaks: AtomicU64,
    last_leak: Mutex<Option<Leak>>,
    /// Configurations that were refused.
    refused: AtomicU64,
    last_connect_error: Mutex<Option<Arc<str>>>,
    /// Of connections that a check found dead, their ages since the last sample.
    died: Mutex<Option<Ages>>,
    /// And the shortest time that one of them had been idle.
    died_idle: Mutex<Option<Duration>>,
}

/// How many more users there are than when counting began, and how many more there were at most. A peak
/// between two looks would be missed by whoever just looks, the more surely the more regular it is.
#[derive(Default)]
struct Users {
    now: AtomicI64,
    most: AtomicI64,
}

impl Users {
    fn one_more(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        if now > self.most.load(Ordering::Relaxed) {
            self.most.fetch_max(now, Ordering::Relaxed);
        }
    }

    fn one_less(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }

    /// The most connections in use since this was asked before. Who was a user when counting began is in
    /// both numbers, and cancels out.
    fn most_since_last(&self, stats: &PoolStats) -> usize {
        let now = self.now.load(Ordering::Relaxed);
        let more = self.most.swap(now, Ordering::Relaxed).saturating_sub(now);
        let most = stats.in_use.saturating_add(usize::try_from(more).unwrap_or(0));
        most.min(stats.peak_in_use).max(stats.in_use)
    }
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

/// How old connections were, of the youngest and of the oldest of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ages {
    /// Of the youngest.
    pub youngest: Duration,
    /// Of the oldest.
    pub oldest: Duration,
}

impl Ages {
    pub(crate) fn of_both(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let (Some(a), Some(b)) = (one, other) else { return one.or(other) };
        let (youngest, oldest) = (a.youngest.min(b.youngest), a.oldest.max(b.oldest));
        Some(Self { youngest, oldest })
    }
}

/// All that was counted of a pool until one moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    pub(crate) stats: PoolStats,
    /// Connections in use at once since the sample before.
    pub(crate) most_in_use: usize,
    pub(crate) wait: Totals,
    pub(crate) held: Totals,
    pub(crate) connect: Totals,
    pub(crate) leaks: u64,
    pub(crate) last_leak: Option<Leak>,
    pub(crate) refused: u64,
    pub(crate) last_connect_error: Option<Arc<str>>,
    pub(crate) died: Option<Ages>,
    pub(crate) died_idle: Option<Duration>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            wait: Histogram::new(),
            held: Histogram::new(),
            connect: Histogram::new(),
            users: Users::default(),
            leaks: AtomicU64::new(0),
            last_leak: Mutex::new(None),
            refused: AtomicU64::new(0),
            last_connect_error: Mutex::new(None),
            died: Mutex::new(None),
            died_idle: Mutex::new(None),
        }
    }

    pub(crate) fn sample(&self, at: Instant, stats: PoolStats) -> Sample {
        let most_in_use = self.users.most_since_last(&stats);
        Sample {
            at,
            most_in_use,
            stats,
            wait: self.wait.totals(),
            held: self.held.totals(),
            connect: self.connect.totals(),
            leaks: self.leaks.load(Ordering::Relaxed),
            last_leak: *self.last_leak.lock(),
            refused: self.refused.load(Ordering::Relaxed),
            last_connect_error: self.last_connect_error.lock().clone(),
            died: self.died.lock().take(),
            died_idle: self.died_idle.lock().take(),
        }
    }
}

impl Observer for Recorder {
    fn frequent(&self) -> Frequent {
        Frequent::ACQUIRE_SUCCEEDED | Frequent::RELEASED
    }

    fn acquire_succeeded(&self, event: &AcquireSucceeded<'_>) {
        self.users.one_more();
        self.wait.record(event.waited);
    }

    fn acquire_failed(&self, event: &AcquireFailed<'_>) {
        let details = event.error.details();
        // Who is refused at once says nothing of how long one waits: many of them would make the sickest
        // pool look like the fastest.
        if details.phase != AcquirePhase::Start {
            self.wait.record(details.waited);
        }
    }

    fn acquire_cancelled(&self, event: &AcquireCancelled<'_>) {
        self.wait.record(event.waited);
    }

    fn released(&self, event: &ConnectionReleased<'_>) {
        self.users.one_less();
        self.held.record(event.held);
    }

    fn opened(&self, event: &ConnectionOpened<'_>) {
        self.connect.record(event.took);
    }

    fn open_failed(&self, event: &OpenFailed<'_>) {
        *self.last_connect_error.lock() = Some(in_one_line(event.error).into());
    }

    fn checked(&self, event: &ConnectionChecked<'_>) {
        if event.error.is_some() {
            let mut died = self.died_idle.lock();
            *died = Some(died.map_or(event.idle, |idle| idle.min(event.idle)));
        }
    }

    fn closed(&self, event: &ConnectionClosed<'_>) {
        if event.reason == CloseReason::CheckFailed {
            let mut died = self.died.lock();
            *died = Ages::of_both(*died, Some(Ages { youngest: event.age, oldest: event.age }));
        }
    }

    fn leak_suspected(&self, event: &LeakSuspected<'_>) {
        self.leaks.fetch_add(1, Ordering::Relaxed);
        *self.last_leak.lock() = Some(Leak { site: event.site, held: event.held });
    }

    fn reconfigure_refused(&self, _event: &ReconfigureRefused<'_>) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}
