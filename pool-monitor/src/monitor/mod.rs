//! [`PoolMonitor`]: looks at pools at a steady interval, and tells subscribers what it saw.

mod log;
mod subscribers;
mod watched;

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use pool_core::ControlHandle;
use pool_core::runtime::{NoRuntime, Runtime, Timer, default_runtime};

use self::log::LogLines;
use self::subscribers::Subscribers;
pub use self::subscribers::{MonitorSubscription, Subscriber};
use self::watched::{Seen, Watched};
use crate::closed::make_room;
use crate::history::HISTORY_SPAN;
use crate::view::PoolView;

/// The shortest interval: looking at a pool takes microseconds, and its lock.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// How a [`PoolMonitor`] works.
///
/// ```
/// use std::time::Duration;
/// use pool_monitor::MonitorOptions;
///
/// let options =
///     MonitorOptions { interval: Duration::from_secs(1), ..MonitorOptions::default() };
/// assert_eq!(options.log_every, Some(Duration::from_secs(60)));
/// ```
#[derive(Clone, Debug)]
pub struct MonitorOptions {
    /// How often it looks: from 10 ms to 15 minutes. Default: 5 s.
    pub interval: Duration,
    /// How often it writes a line on each pool, about all that happened since the line before (a
    /// `tracing` event at level INFO, target `pool_monitor`); `None` for never. Default: a minute.
    /// Failed connects and suspected leaks are warnings, in any case, and at most one a look.
    pub log_every: Option<Duration>,
    /// Instead of the default one.
    pub runtime: Option<Arc<dyn Runtime>>,
}

impl Default for MonitorOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            log_every: Some(Duration::from_mins(1)),
            runtime: None,
        }
    }
}

/// Why a monitor could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// The interval is out of its range.
    #[error("an interval of {0:?} is not possible: choose one from 10ms to 15min")]
    Interval(Duration),
    /// The calling thread is not inside an async runtime.
    #[error(transparent)]
    NoRuntime(#[from] NoRuntime),
}

/// Looks at pools at a steady interval, keeps the last quarter of an hour of each, and tells
/// subscribers. Dropping it ends that.
///
/// It does not keep pools open. One that is closed is told of until its last connection is back, at least
/// once, and then forgotten. Of those that were told of as closed, at most a hundred are kept: the oldest
/// is forgotten when another pool comes to be watched.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sim = pool_testkit::Sim::new(1);
/// # let driver = pool_testkit::FakeDriver::new(&pool_testkit::FakeServer::new(sim.runtime()));
/// # let pool = pool_core::Pool::new(driver, pool_core::PoolConfig::default())?;
/// use pool_monitor::{MonitorOptions, PoolMonitor};
///
/// let monitor = PoolMonitor::start(MonitorOptions::default())?;
/// monitor.watch(&pool.control());
/// let _subscription = monitor.subscribe(|view: &pool_monitor::PoolView| {
///     println!("{} is used to {:.0} %", view.snapshot.pool, 100.0 * view.snapshot.utilisation());
/// });
/// monitor.look();
/// assert_eq!(monitor.views()[0].snapshot.stats.in_use, 0);
/// # Ok(())
/// # }
/// ```
pub struct PoolMonitor {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Arc<dyn Runtime>,
    interval: Duration,
    /// Held while they are looked at; never while anybody is told.
    pools: Mutex<Vec<Watched>>,
    subscribers: Arc<Subscribers>,
    log: Mutex<LogLines>,
    ended: AtomicBool,
    task: AtomicWaker,
}

impl PoolMonitor {
    /// Starts looking.
    ///
    /// # Errors
    ///
    /// The interval is out of its range, or the calling thread is not inside an async runtime.
    pub fn start(options: MonitorOptions) -> Result<Self, MonitorError> {
        let MonitorOptions { interval, log_every, runtime } = options;
        if !(SHORTEST_INTERVAL..=HISTORY_SPAN).contains(&interval) {
            return Err(MonitorError::Interval(interval));
        }
        let runtime = runtime.map_or_else(default_runtime, Ok)?;
        let inner = Arc::new(Inner {
            runtime: Arc::clone(&runtime),
            interval,
            pools: Mutex::default(),
            subscribers: Arc::default(),
            log: Mutex::new(LogLines::new(log_every)),
            ended: AtomicBool::new(false),
            task: AtomicWaker::new(),
        });
        let timer = runtime.timer()?;
        runtime.spawn(Box::pin(run(Arc::clone(&inner), timer)))?;
        Ok(Self { inner })
    }

    /// Looks at this pool, too, from now on. A pool that is watched already stays as it is; one that has
    /// the name of another is called `name#2` ([why not to](crate::catalogue::POOL_NAME)), unless that other is
    /// closed: then it takes its place.
    pub fn watch(&self, pool: &ControlHandle) {
        // Foreign code, which may look at the monitor.
        let metadata = pool.metadata();
        let mut pools = self.inner.pools.lock();
        if pools.iter().any(|other| other.is_of(pool)) {
            return;
        }
        let forgotten = make_room(&mut *pools, pool.name(), Watched::closed);
        let watched = Watched::new(pool, metadata, &pools, self.inner.runtime.now());
        pools.push(watched);
        drop(pools);
        // Ends subscriptions, outside the lock.
        drop(forgotten);
    }

    /// Tells `subscriber` of every pool after every look, until the subscription is dropped. It is called
    /// by who looks, which is the monitor's task: it must not block, and not look itself. A panic is
    /// contained.
    pub fn subscribe(&self, subscriber: impl Subscriber) -> MonitorSubscription {
        Subscribers::add(&self.inner.subscribers, Arc::new(subscriber))
    }

    /// Looks now, in between: before a report, at a program's end.
    pub fn look(&self) {
        self.inner.look();
    }

    /// What was seen by the latest look, a view for each pool, in the order in which they came to be
    /// watched. A pool that was not looked at yet has none.
    #[must_use]
    pub fn views(&self) -> Vec<PoolView> {
        self.inner.pools.lock().iter().filter_map(Watched::view).collect()
    }

    /// The same of the pool with this name.
    #[must_use]
    pub fn view(&self, pool: &str) -> Option<PoolView> {
        self.views().into_iter().find(|view| &*view.snapshot.pool == pool)
    }
}

impl fmt::Debug for PoolMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolMonitor")
            .field("interval", &self.inner.interval)
            .finish_non_exhaustive()
    }
}

impl Drop for PoolMonitor {
    fn drop(&mut self) {
        self.inner.ended.store(true, Ordering::Release);
        self.inner.task.wake();
    }
}

/// The monitor's task.
async fn run(inner: Arc<Inner>, mut timer: Box<dyn Timer>) {
    loop {
        timer.reset(inner.runtime.now().after(inner.interval));
        let is_due = poll_fn(|cx| {
            inner.task.register(cx.waker());
            if inner.ended.load(Ordering::Acquire) {
                return Poll::Ready(false);
            }
            timer.poll_expired(cx).map(|()| true)
        });
        if !is_due.await {
            return;
        }
        // What logs are written to is foreign code; it does not end the monitor.
        if catch_unwind(AssertUnwindSafe(|| inner.look())).is_err() {
            tracing::error!(target: "pool_monitor", "a look at the pools panicked");
        }
    }
}

impl Inner {
    fn look(&self) {
        let (seen, gone): (Vec<_>, Vec<_>) = {
            let mut pools = self.pools.lock();
            // Read under the lock: of two who look at once, the later sees the later time.
            let now = self.runtime.now();
            let is_logged = self.log.lock().is_due(now);
            let seen = pools.iter_mut().map(|pool| pool.look(now, is_logged)).collect();
            (seen, pools.extract_if(.., |pool| pool.is_gone()).collect())
        };
        // Those who listened to them are dropped here, outside the lock.
        drop(gone);
        for Seen { view, since_line } in &seen {
            log::warn(view);
            if let Some(window) = since_line {
                log::write(view, window);
            }
            self.subscribers.tell(view);
        }
    }
}
