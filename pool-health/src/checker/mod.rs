//! [`HealthChecker`]: asks a pool's database on a connection of its own.

mod asked;
mod look;
mod prober;
mod schedule;
mod task;
mod wait;

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use pool_core::runtime::{Instant, Runtime, default_runtime};
use pool_core::{
    Brief, Circuit, CircuitChanged, ControlHandle, Frequent, Observer, PoolState, Subscription,
};

use self::look::unknown;
use self::prober::Prober;
use self::schedule::Scheduled;
use crate::health::{Health, HealthChange, HealthState};
use crate::options::{HealthError, HealthOptions};

/// How late a task may be that is well, on a machine that is busy.
const LATE: Duration = Duration::from_secs(10);

/// How many changes are remembered.
const CHANGES: usize = 100;

/// Asks a pool's database how it is, at a steady interval, on a connection of its own that is counted in
/// [`PoolStats::probes`](pool_core::PoolStats::probes) and taken from nobody. Dropping it ends that.
///
/// What it found is read in a few nanoseconds and without waiting, however the database is. The pool's
/// observers are told of each change, by [`Observer::health_changed`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = pool_testkit::FakeServer::new(std::sync::Arc::new(pool_core::runtime::TokioRuntime::new()));
/// # let driver = pool_testkit::FakeDriver::new(&server);
/// # let pool = pool_core::Pool::new(driver, pool_core::PoolConfig::default())?;
/// use pool_health::{HealthChecker, HealthOptions, HealthState};
///
/// let checker = HealthChecker::start(&pool.control(), HealthOptions::default())?;
/// assert_eq!(checker.health().state, HealthState::Unknown); // it has only begun to ask
/// # Ok(())
/// # }
/// ```
pub struct HealthChecker {
    inner: Arc<Inner>,
    _events: Subscription,
}

struct Inner {
    pool: ControlHandle,
    options: HealthOptions,
    runtime: Arc<dyn Runtime>,
    current: ArcSwap<Health>,
    /// When that was made.
    looked_at: AtomicU64,
    changes: Mutex<VecDeque<HealthChange>>,
    /// A probe is wanted soon.
    is_asked: AtomicBool,
    has_ended: AtomicBool,
    task: AtomicWaker,
    /// The checks on a schedule, each of which has a task.
    scheduled: Vec<Scheduled>,
}

impl HealthChecker {
    /// Begins to ask, at once.
    ///
    /// # Errors
    ///
    /// Every problem of the options; or the calling thread is not inside an async runtime.
    pub fn start(pool: &ControlHandle, options: HealthOptions) -> Result<Self, HealthError> {
        options.validate()?;
        let runtime = options.runtime.clone().map_or_else(default_runtime, Ok)?;
        let now = runtime.now();
        let scheduled = options.checks.iter().filter_map(|check| Scheduled::new(check, now));
        let scheduled: Vec<_> = scheduled.collect();
        let inner = Arc::new(Inner {
            pool: Arc::clone(pool),
            runtime: Arc::clone(&runtime),
            current: ArcSwap::from_pointee(unknown(pool)),
            looked_at: AtomicU64::new(now.as_nanos()),
            options,
            changes: Mutex::default(),
            is_asked: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            task: AtomicWaker::new(),
            scheduled,
        });
        inner.tell(&inner.current.load());
        let (timer, prober) = (runtime.timer()?, Prober::new(Arc::clone(&inner)));
        let events = pool.observe(Arc::new(Alarm(Arc::downgrade(&inner))));
        // Dropped for an error, it ends the tasks that were started.
        let checker = Self { inner: Arc::clone(&inner), _events: events };
        runtime.spawn(Box::pin(task::run(Arc::clone(&inner), prober, timer)))?;
        for index in 0..inner.scheduled.len() {
            let task = schedule::run(Arc::clone(&inner), index, runtime.timer()?);
            runtime.spawn(Box::pin(task))?;
        }
        Ok(checker)
    }

    /// The latest snapshot. If the checker's task has not run for long, because its runtime is stuck or
    /// gone, nothing is known any more, and the snapshot says so.
    #[must_use]
    pub fn health(&self) -> Arc<Health> {
        let health = self.inner.current.load_full();
        let unseen = self.inner.unseen_for();
        if health.pool_state == PoolState::Closed || unseen < self.inner.patience() {
            return health;
        }
        let why = format!("the checker has not run for {}: its runtime is stuck", Brief(unseen));
        let state = HealthState::Unknown;
        let since = if health.state == state { health.since } else { health.at };
        Arc::new(Health { state, since, reasons: vec![why], ..(*health).clone() })
    }

    /// The latest hundred changes, the oldest first.
    #[must_use]
    pub fn changes(&self) -> Vec<HealthChange> {
        self.inner.changes.lock().iter().cloned().collect()
    }

    /// The pool that is asked about.
    #[must_use]
    pub fn pool(&self) -> &ControlHandle {
        &self.inner.pool
    }

    /// Has the next probe begin as soon as `doubt_interval` allows: after a hint that something has
    /// changed. The pool's own failed connects are such a hint already.
    pub fn ask(&self) {
        self.inner.ask();
    }
}

impl fmt::Debug for HealthChecker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthChecker")
            .field("health", &*self.inner.current.load())
            .finish_non_exhaustive()
    }
}

impl Drop for HealthChecker {
    fn drop(&mut self) {
        self.inner.end();
    }
}

impl Inner {
    /// Has the tasks end.
    fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
        self.task.wake();
        self.scheduled.iter().for_each(|scheduled| scheduled.task.wake());
    }

    /// The task has ended. Of a pool that is closed everything is known.
    fn part(&self) {
        let last = self.current.load_full();
        if last.pool_state == PoolState::Closed {
            return;
        }
        let pool_state = self.pool.state();
        let (state, why) = match pool_state {
            // Since the latest look.
            PoolState::Closed => (HealthState::Unhealthy, look::CLOSED),
            _ => (HealthState::Unknown, "the checker has ended"),
        };
        self.publish(Health {
            state,
            reasons: vec![why.to_owned()],
            pool_state,
            probe_circuit: Circuit::Closed,
            role: None,
            at: SystemTime::now(),
            ..(*last).clone()
        });
    }

    fn ask(&self) {
        self.is_asked.store(true, Ordering::Release);
        self.task.wake();
    }

    /// For how long nobody has looked.
    fn unseen_for(&self) -> Duration {
        self.runtime.now().since(Instant::from_nanos(self.looked_at.load(Ordering::Acquire)))
    }

    /// For how long the task may be busy with a probe, and late.
    fn patience(&self) -> Duration {
        self.options.timeout + LATE
    }

    /// Makes `health` the one that is read; what became of the state is remembered, and said.
    fn publish(&self, mut health: Health) {
        let before = self.current.load_full();
        if before.state == health.state {
            health.since = before.since;
        } else {
            let mut changes = self.changes.lock();
            let change = HealthChange {
                number: changes.back().map_or(1, |latest| latest.number + 1),
                at: health.at,
                from: before.state,
                to: health.state,
                reasons: health.reasons.clone(),
            };
            if changes.len() == CHANGES {
                changes.pop_front();
            }
            changes.push_back(change.clone());
            drop(changes);
            // Foreign code, outside the lock.
            look::tell(&health, &change);
        }
        let health = Arc::new(health);
        self.current.store(Arc::clone(&health));
        self.looked_at.store(self.runtime.now().as_nanos(), Ordering::Release);
        self.tell(&health);
    }

    /// Tells the pool's observers. At each look, so that another checker that ends does not leave its last
    /// word in force; what they know already, they are not told again.
    fn tell(&self, health: &Health) {
        self.pool.tell_health(health.state, health.probe_circuit, &health.reasons);
    }
}

/// Has the prober ask when the pool's connects begin to fail, or to succeed.
struct Alarm(Weak<Inner>);

impl Observer for Alarm {
    fn frequent(&self) -> Frequent {
        Frequent::NONE
    }

    fn circuit_changed(&self, event: &CircuitChanged<'_>) {
        // Each attempt of an outage opens it by half, and closes nothing.
        let is_news = [event.from, event.to].contains(&Circuit::Closed);
        if let Some(inner) = self.0.upgrade().filter(|_| is_news) {
            inner.ask();
        }
    }
}
