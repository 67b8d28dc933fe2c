//! The pool as its users see it: the data plane.

use std::fmt;
use std::future::poll_fn;
use std::panic::Location;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::acquire::Acquire;
use crate::config::{ConfigError, PoolConfig, Problem, Reconfigured};
use crate::control::{Control, ControlHandle, Handle};
use crate::driver::Driver;
use crate::error::{CallSite, CloseReport, Holder, OpenError, TryAcquireError};
use crate::guard::{Guard, OwnedPoolGuard, PoolGuard};
use crate::listeners::{Observers, Wanted};
use crate::observer::{
    AcquireStarted, AcquireSucceeded, Observer, PoolReconfigured, ReconfigureRefused, Served,
};
use crate::probe::ProbeConnection;
use crate::runtime::{Instant, Runtime, default_runtime};
use crate::shared::Shared;
use crate::state::{Checkout, Effects, State, WatchOutcome};
use crate::stats::{DbStats, PoolState, PoolStats};
use crate::watchdog::Watchdog;

/// What a pool is made of besides its driver.
///
/// Made from a [`PoolConfig`] alone, or with functional update:
///
/// ```
/// use pool_core::{PoolConfig, PoolOptions};
///
/// let options = PoolOptions { name: Some("orders".into()), ..PoolConfig::default().into() };
/// # let _ = options;
/// ```
#[derive(Clone, Default)]
pub struct PoolOptions {
    /// The settings.
    pub config: PoolConfig,
    /// The pool's name in errors, events and metrics. Default: the database system's name. Not to
    /// be made from a DSN, which may hold a password.
    pub name: Option<Arc<str>>,
    /// The async runtime. Default: tokio, if that feature is on, otherwise smol, if that one is.
    pub runtime: Option<Arc<dyn Runtime>>,
    /// Who is told what happens, from the first event on.
    pub observers: Vec<Arc<dyn Observer>>,
}

impl From<PoolConfig> for PoolOptions {
    fn from(config: PoolConfig) -> Self {
        Self { config, ..Self::default() }
    }
}

impl fmt::Debug for PoolOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolOptions")
            .field("config", &self.config)
            .field("name", &self.name)
            .field("runtime", &self.runtime)
            .finish_non_exhaustive()
    }
}

/// A pool of a driver's connections.
///
/// Cloning gives another handle to the same pool; dropping the last handle closes it. Control
/// handles do not keep a pool open.
///
/// ```
/// # use std::sync::Arc;
/// use std::time::Duration;
/// use pool_core::{Pool, PoolConfig};
/// # use pool_core::runtime::TokioRuntime;
/// # use pool_testkit::{FakeDriver, FakeServer};
/// # let driver = FakeDriver::new(&FakeServer::new(Arc::new(TokioRuntime::new())));
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
///
/// let pool = Pool::open(driver, PoolConfig { max_open: 1, ..PoolConfig::default() }).await?;
/// let connection = pool.acquire().await?;
/// let error = pool.acquire_within(Duration::from_millis(10)).await.unwrap_err();
/// assert!(error.is_timeout());
/// assert_eq!(pool.holders()[0].site.file(), file!()); // whoever has the only one
/// drop(connection);
/// assert_eq!((pool.stats().idle, pool.stats().in_use), (1, 0));
/// assert!(pool.close(Duration::from_secs(5)).await.drained);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Pool<D: Driver> {
    shared: Arc<Shared<D>>,
    last: Arc<LastHandle<D>>,
}

/// What all handles of a pool share; dropped with the last of them.
struct LastHandle<D: Driver> {
    shared: Arc<Shared<D>>,
}

impl<D: Driver> Drop for LastHandle<D> {
    fn drop(&mut self) {
        let now = self.shared.now();
        self.shared.transition(|state, effects| state.begin_close(now, effects));
    }
}

impl<D: Driver> Pool<D> {
    /// Makes a pool without opening a connection. Needs no runtime around it.
    ///
    /// # Errors
    ///
    /// [`OpenError::Config`] with every problem of the configuration; [`OpenError::NoRuntime`] if
    /// no runtime is named and the features `tokio` and `smol` are off.
    pub fn new(driver: D, options: impl Into<PoolOptions>) -> Result<Self, OpenError> {
        let PoolOptions { config, name, runtime, observers } = options.into();
        validate(&driver, &config)?;
        let runtime = runtime.map_or_else(default_runtime, Ok)?;
        let name = name.unwrap_or_else(|| driver.metadata().system_name.as_ref().into());
        let listeners = Arc::new(Observers::new(Arc::clone(&name)));
        for observer in observers {
            listeners.subscribe(observer).keep();
        }
        let state = State::new(name, config, runtime.seed());
        let shared = Arc::new(Shared::new(state, driver, runtime, listeners));
        Ok(Self { last: Arc::new(LastHandle { shared: Arc::clone(&shared) }), shared })
    }

    #[inline]
    pub(crate) fn shared(&self) -> &Arc<Shared<D>> {
        &self.shared
    }

    /// Makes a pool and opens and checks one connection: the check at start-up. Nothing is retried.
    ///
    /// Bounded by `connect_timeout` plus `check_timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new); [`OpenError::Connect`] or [`OpenError::Check`] with the
    /// driver's error as `source()`; [`OpenError::NoRuntime`] outside an async runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection being opened.
    pub async fn open(driver: D, options: impl Into<PoolOptions>) -> Result<Self, OpenError> {
        let pool = Self::new(driver, options)?;
        pool.open_first().await?;
        Ok(pool)
    }

    /// Opens and checks one connection, and keeps it if there is room.
    pub(crate) async fn open_first(&self) -> Result<(), OpenError> {
        let mut probe = ProbeConnection::open(Arc::clone(self.shared())).await?;
        probe.check().await.map_err(|source| OpenError::Check {
            pool: Arc::clone(&self.shared().observers.pool),
            source,
        })?;
        probe.join_pool();
        Ok(())
    }

    /// Waits for a connection: an idle one, one that comes back, or a newly opened one, whichever
    /// comes first. Waiting acquires are served strictly in order.
    ///
    /// Takes at most `acquire_timeout`, from the first poll on, over all of queueing, checking,
    /// resetting and opening.
    ///
    /// # Errors
    ///
    /// [`AcquireError`](crate::AcquireError), which says what it waited for, how long, who holds
    /// the connections, and why connects failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: what it had been given goes to the next in line.
    #[track_caller]
    pub fn acquire(&self) -> Acquire<D, &Self> {
        Acquire::new(self, Location::caller(), None)
    }

    /// Like [`acquire`](Self::acquire), with a deadline of its own instead of `acquire_timeout`,
    /// counted from the first poll.
    ///
    /// # Errors
    ///
    /// [`AcquireError`](crate::AcquireError), as for [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing, as for [`acquire`](Self::acquire).
    #[track_caller]
    pub fn acquire_within(&self, timeout: Duration) -> Acquire<D, &Self> {
        Acquire::new(self, Location::caller(), Some(timeout))
    }

    /// Like [`acquire`](Self::acquire), for a guard (and a future) that borrow nothing.
    ///
    /// # Errors
    ///
    /// [`AcquireError`](crate::AcquireError), as for [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing, as for [`acquire`](Self::acquire).
    #[track_caller]
    pub fn acquire_owned(&self) -> Acquire<D, Self> {
        Acquire::new(self.clone(), Location::caller(), None)
    }

    /// Like [`acquire_within`](Self::acquire_within), for a guard (and a future) that borrow nothing.
    ///
    /// # Errors
    ///
    /// [`AcquireError`](crate::AcquireError), as for [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing, as for [`acquire`](Self::acquire).
    #[track_caller]
    pub fn acquire_owned_within(&self, timeout: Duration) -> Acquire<D, Self> {
        Acquire::new(self.clone(), Location::caller(), Some(timeout))
    }

    /// Takes an idle connection that needs no check, ahead of nobody, without waiting.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError::NotIdle`] or [`TryAcquireError::Closed`]. Opens nothing.
    #[track_caller]
    pub fn try_acquire(&self) -> Result<PoolGuard<'_, D>, TryAcquireError> {
        let checkout = self.try_checkout(Location::caller())?;
        Ok(Guard::new(self, checkout, Location::caller()))
    }

    /// Like [`try_acquire`](Self::try_acquire), for a guard that borrows nothing.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError::NotIdle`] or [`TryAcquireError::Closed`]. Opens nothing.
    #[track_caller]
    pub fn try_acquire_owned(&self) -> Result<OwnedPoolGuard<D>, TryAcquireError> {
        let checkout = self.try_checkout(Location::caller())?;
        Ok(Guard::new(self.clone(), checkout, Location::caller()))
    }

    fn try_checkout(&self, site: CallSite) -> Result<Checkout<D::Connection>, TryAcquireError> {
        let shared = self.shared();
        let recent = shared.recent();
        let (checkout, gate, needs_worker) = shared.transition(|state, effects| {
            let checkout = state.try_take_idle(recent, site, effects);
            (checkout, state.gate(), state.needs_worker())
        });
        match checkout {
            Some(checkout) => {
                if needs_worker {
                    // Served without one; only those who wait need to know that there is none.
                    let _ = shared.ensure_worker();
                }
                shared.observers.notify(Wanted::ACQUIRE_STARTED, |observer, pool| {
                    observer.acquire_started(&AcquireStarted { pool, site });
                });
                shared.observers.notify(Wanted::ACQUIRE_SUCCEEDED, |observer, pool| {
                    let (served, waited) = (Served::Immediate, Duration::ZERO);
                    let event = AcquireSucceeded { pool, site, served, waited };
                    observer.acquire_succeeded(&event);
                });
                Ok(checkout)
            }
            None if gate == PoolState::Closed => Err(TryAcquireError::Closed),
            None => Err(TryAcquireError::NotIdle),
        }
    }

    /// Opens connections ahead until `count` are open, waiting at most `deadline`.
    ///
    /// # Errors
    ///
    /// [`OpenError::Config`] if the pool would not keep that many idle; [`OpenError::WarmUp`] at
    /// the deadline, with the last connect error as `source()`; [`OpenError::Closed`];
    /// [`OpenError::NoRuntime`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future keeps what is open and starts no further connect.
    pub async fn warm_up(&self, count: usize, deadline: Duration) -> Result<(), OpenError> {
        let most = self.shared().lock().max_idle();
        if count > most {
            let allowed = format!("at most {most}, the smaller of max_idle and max_open now");
            let why = "more than the pool keeps idle";
            let problem = Problem::invalid("warm_up", count.to_string(), why, allowed);
            return Err(ConfigError::from(problem).into());
        }
        let until = self.shared().runtime.now().after(deadline);
        let watch =
            self.shared().transition(|state, effects| state.watch_warm_up(count, until, effects));
        let outcome = self.shared().watch(watch).await;
        let state = self.shared().lock();
        match outcome {
            _ if state.gate() == PoolState::Closed => Err(OpenError::Closed),
            WatchOutcome::Reached => Ok(()),
            WatchOutcome::NoRuntime(missing) => Err(missing.into()),
            WatchOutcome::TimedOut => {
                let (open, source) = state.warm_up_failure();
                drop(state);
                let pool = Arc::clone(&self.shared().observers.pool);
                Err(OpenError::WarmUp { pool, open, wanted: count, source })
            }
        }
    }

    /// Closes the pool for good: waiting acquires fail, idle connections are closed, borrowed ones
    /// when they come back. Waits for those at most `deadline`. May be called again.
    ///
    /// Outside an async runtime it does not wait.
    ///
    /// # Cancel safety
    ///
    /// The pool is closed from the first poll on, whether or not the future is awaited to its end.
    pub async fn close(&self, deadline: Duration) -> CloseReport {
        self.shared().close(deadline).await
    }

    /// One consistent snapshot of the pool.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.shared().stats()
    }

    /// The snapshot in the words of Go's `database/sql`.
    #[must_use]
    pub fn db_stats(&self) -> DbStats {
        self.shared().stats().db_stats()
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> PoolConfig {
        self.shared().lock().config().clone()
    }

    /// Applies a new configuration as a whole, now. A connection in use is never touched.
    ///
    /// `acquire_timeout` counts for acquires that start to wait afterwards, `connect_timeout` and
    /// `check_timeout` for calls that start afterwards; everything else for connections and
    /// acquires that exist already, too.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem; nothing has changed then.
    pub fn reconfigure(&self, config: PoolConfig) -> Result<Reconfigured, ConfigError> {
        self.shared().reconfigure(config)
    }

    /// The call sites that hold connections, longest first.
    #[must_use]
    pub fn holders(&self) -> Vec<Holder> {
        self.shared().holders()
    }

    /// The type-erased handle for monitoring and administration. It does not keep the pool open.
    #[must_use]
    pub fn control(&self) -> ControlHandle {
        Arc::new(Handle::new(Arc::clone(self.shared()))) as Arc<dyn Control>
    }

    /// The driver.
    #[must_use]
    pub fn driver(&self) -> &D {
        &self.shared().driver
    }
}

/// Checks a configuration against its own rules and the driver's.
fn validate<D: Driver>(driver: &D, config: &PoolConfig) -> Result<(), ConfigError> {
    let mut problems = config.problems();
    problems.extend(driver.objections(config));
    ConfigError::from_problems(problems)
}

impl<D: Driver> Clone for Pool<D> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), last: Arc::clone(&self.last) }
    }
}

impl<D: Driver> fmt::Debug for Pool<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.shared().observers.pool)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl<D: Driver> Shared<D> {
    pub(crate) fn stats(&self) -> PoolStats {
        let now = self.runtime.now();
        self.lock().stats(now)
    }

    pub(crate) fn holders(&self) -> Vec<Holder> {
        let now = self.runtime.now();
        self.lock().all_holders(now)
    }

    pub(crate) fn reconfigure(&self, config: PoolConfig) -> Result<Reconfigured, ConfigError> {
        validate(&self.driver, &config).inspect_err(|error| self.tell_refused(error))?;
        let (outcome, effects) = self.apply(config, self.runtime.now());
        self.announce(&outcome, effects);
        Ok(outcome)
    }

    /// Applies a valid configuration. Nobody has heard of it yet.
    pub(crate) fn apply(
        &self,
        config: PoolConfig,
        now: Instant,
    ) -> (Reconfigured, Effects<D::Connection>) {
        self.transition_alone(|state, effects| state.reconfigure(config, now, effects))
    }

    /// Does and tells what a configuration that was applied has led to.
    pub(crate) fn announce(&self, outcome: &Reconfigured, effects: Effects<D::Connection>) {
        self.carry_out(effects);
        self.observers.notify(Wanted::RARE, |observer, pool| {
            observer.reconfigured(&PoolReconfigured { pool, outcome });
        });
    }

    /// Tells that a configuration was refused.
    pub(crate) fn tell_refused(&self, error: &ConfigError) {
        self.observers.notify(Wanted::RARE, |observer, pool| {
            observer.reconfigure_refused(&ReconfigureRefused { pool, error });
        });
    }

    pub(crate) async fn close(self: &Arc<Self>, deadline: Duration) -> CloseReport {
        let started = self.runtime.now();
        let watch = self.transition(|state, effects| {
            state.begin_close(started, effects);
            state.watch_closed(started.after(deadline), effects)
        });
        let missing = match self.watch(watch).await {
            // There is nothing to wait with: what is idle has been let go of.
            WatchOutcome::NoRuntime(missing) => Some(missing),
            WatchOutcome::Reached | WatchOutcome::TimedOut => None,
        };
        let now = self.runtime.now();
        self.lock().close_report(now.since(started), missing, now)
    }

    /// Waits until a watch has its answer.
    async fn watch(self: &Arc<Self>, id: u64) -> WatchOutcome {
        let watch = WatchGuard { shared: self, id };
        let mut watchdog = None;
        poll_fn(|cx| {
            loop {
                let (now, waker) = (self.runtime.now(), cx.waker().clone());
                let (outcome, needs_worker, driven) = self.transition(|state, effects| {
                    let outcome = state.poll_watch(watch.id, now, waker, effects);
                    (outcome, state.needs_worker(), state.worker_driven())
                });
                return match outcome {
                    Some(outcome) => Poll::Ready(outcome),
                    None if needs_worker => match self.ensure_worker() {
                        Ok(()) => continue,
                        Err(missing) => Poll::Ready(WatchOutcome::NoRuntime(missing)),
                    },
                    None => {
                        Watchdog::watch(&mut watchdog, self, driven, cx);
                        Poll::Pending
                    }
                };
            }
        })
        .await
    }
}

/// Ends a watch whose future is dropped.
struct WatchGuard<'a, D: Driver> {
    shared: &'a Arc<Shared<D>>,
    id: u64,
}

impl<D: Driver> Drop for WatchGuard<'_, D> {
    fn drop(&mut self) {
        self.shared.transition(|state, effects| state.end_watch(self.id, effects));
    }
}
