//! What a tuner is told of its pool, counted as it happens. It is there only while a tuner is.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use pool_core::runtime::{Instant, Runtime};
use pool_core::{
    AcquireSucceeded, ConnectionOpened, ConnectionReleased, ErrorClass, Frequent, Observer,
    OpenFailed, PoolStats, StatementFinished,
};

use crate::tuner::Reading;

/// A Postgres server that starts or stops refuses everybody by it: that says nothing of how many are too
/// many.
const NOT_READY: &str = "57P03";

/// Counts for one pool, from any thread, since the last reading.
pub(super) struct Meter {
    runtime: Arc<dyn Runtime>,
    users: Users,
    waits: Sum,
    /// In nanoseconds.
    smallest_wait: AtomicU64,
    holds: Sum,
    statements: Sum,
    /// Whether the driver has ever told of a statement.
    are_statements_told: AtomicBool,
    connects: Sum,
    overloads: AtomicU64,
}

/// The sizes that a tuner may choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) least: usize,
    pub(super) most: usize,
}

impl Meter {
    pub(super) fn new(runtime: &Arc<dyn Runtime>) -> Self {
        Self {
            runtime: Arc::clone(runtime),
            users: Users::new(runtime.now()),
            waits: Sum::default(),
            smallest_wait: AtomicU64::new(u64::MAX),
            holds: Sum::default(),
            statements: Sum::default(),
            are_statements_told: AtomicBool::new(false),
            connects: Sum::default(),
            overloads: AtomicU64::new(0),
        }
    }

    /// What happened in the `span` that ends `now`, which began with the reading before.
    pub(super) fn read(
        &self,
        now: Instant,
        span: Duration,
        stats: &PoolStats,
        Bounds { least, most }: Bounds,
    ) -> Reading {
        let peak_in_use = self.users.take_peak(stats);
        let (waits, holds) = (self.waits.take(), self.holds.take());
        let (statements, connects) = (self.statements.take(), self.connects.take());
        let smallest_wait = self.smallest_wait.swap(u64::MAX, Ordering::Relaxed);
        let are_told = self.are_statements_told.load(Ordering::Relaxed);
        let mean_busy = Tally { count: holds.count, ..statements }.mean();
        Reading {
            span,
            limit: stats.max_open,
            mean_in_use: self.users.take_mean(now, span, stats).min(peak_in_use as f64),
            peak_in_use,
            waiting: stats.waiting,
            smallest_wait: (waits.count > 0).then(|| Duration::from_nanos(smallest_wait)),
            mean_wait: waits.mean(),
            completed: holds.count,
            mean_held: holds.mean(),
            mean_busy: mean_busy.filter(|_| are_told),
            overloads: self.overloads.swap(0, Ordering::Relaxed),
            mean_connect: connects.mean(),
            least,
            most,
        }
    }
}

impl Observer for Meter {
    fn frequent(&self) -> Frequent {
        Frequent::ACQUIRE_SUCCEEDED | Frequent::RELEASED | Frequent::STATEMENTS
    }

    fn acquire_succeeded(&self, event: &AcquireSucceeded<'_>) {
        self.users.change(1, self.runtime.now());
        // In this order: a wait that is counted has its part in the smallest.
        let waited = nanos(event.waited);
        if waited < self.smallest_wait.load(Ordering::Relaxed) {
            self.smallest_wait.fetch_min(waited, Ordering::Relaxed);
        }
        self.waits.add(event.waited);
    }

    fn released(&self, event: &ConnectionReleased<'_>) {
        self.users.change(-1, self.runtime.now());
        self.holds.add(event.held);
    }

    fn opened(&self, event: &ConnectionOpened<'_>) {
        self.connects.add(event.took);
    }

    fn open_failed(&self, event: &OpenFailed<'_>) {
        if is_overload(event.class, event.code) {
            self.overloads.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn statement_finished(&self, event: &StatementFinished<'_>) {
        self.are_statements_told.store(true, Ordering::Relaxed);
        self.statements.add(event.took);
    }
}

/// Whether a connect failed because the server has too many connections.
fn is_overload(class: ErrorClass, code: Option<&str>) -> bool {
    class == ErrorClass::Overloaded && code != Some(NOT_READY)
}

/// How many more users there are than when counting began, how many more there were at most, and for how
/// long. Who was a user when counting began is known from the pool's own figures.
struct Users {
    now: AtomicI64,
    most: AtomicI64,
    /// When that was changed last, in nanoseconds.
    changed: AtomicU64,
    /// Users times nanoseconds until then.
    area: AtomicI64,
}

impl Users {
    fn new(now: Instant) -> Self {
        Self {
            now: AtomicI64::new(0),
            most: AtomicI64::new(0),
            changed: AtomicU64::new(now.as_nanos()),
            area: AtomicI64::new(0),
        }
    }

    fn change(&self, by: i64, at: Instant) {
        let before = self.now.fetch_add(by, Ordering::Relaxed);
        if before + by > self.most.load(Ordering::Relaxed) {
            self.most.fetch_max(before + by, Ordering::Relaxed);
        }
        self.pass(before, at);
    }

    /// There were so many until `at`. Of two changes at once, each has the time since the other: what they
    /// get wrong is as short as that.
    fn pass(&self, users: i64, at: Instant) {
        let since = self.changed.swap(at.as_nanos(), Ordering::Relaxed);
        let passed = at.since(Instant::from_nanos(since)).as_nanos() as i64;
        self.area.fetch_add(users * passed, Ordering::Relaxed);
    }

    /// The most at once since this was asked before.
    fn take_peak(&self, stats: &PoolStats) -> usize {
        let now = self.now.load(Ordering::Relaxed);
        let more = self.most.swap(now, Ordering::Relaxed).saturating_sub(now);
        let most = handed_out(stats).saturating_add(usize::try_from(more).unwrap_or(0));
        most.min(stats.peak_in_use)
    }

    /// How many there were on average since this was asked before, a `span` ago.
    fn take_mean(&self, now: Instant, span: Duration, stats: &PoolStats) -> f64 {
        let users = self.now.load(Ordering::Relaxed);
        self.pass(users, now);
        let area = self.area.swap(0, Ordering::Relaxed);
        let others = handed_out(stats) as f64 - users as f64;
        let mean = if span.is_zero() { users as f64 } else { area as f64 / span.as_nanos() as f64 };
        (mean + others).max(0.0)
    }
}

/// Connections that users have.
fn handed_out(stats: &PoolStats) -> usize {
    stats.in_use - stats.checking - stats.resetting
}

/// Durations, added up.
#[derive(Default)]
struct Sum {
    count: AtomicU64,
    nanos: AtomicU64,
}

impl Sum {
    fn add(&self, duration: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        if !duration.is_zero() {
            self.nanos.fetch_add(nanos(duration), Ordering::Relaxed);
        }
    }

    fn take(&self) -> Tally {
        let count = self.count.swap(0, Ordering::Relaxed);
        Tally { count, nanos: self.nanos.swap(0, Ordering::Relaxed) }
    }
}

struct Tally {
    count: u64,
    nanos: u64,
}

impl Tally {
    fn mean(&self) -> Option<Duration> {
        self.nanos.checked_div(self.count).map(Duration::from_nanos)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
