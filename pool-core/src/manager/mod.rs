//! Named pools of different drivers, from one TOML file, under one handle.
//!
//! The manager is neither on the way of a query nor generic: whoever runs queries takes the typed
//! pool from it once, everybody else a control handle. The set of pools is fixed for its life.

mod drivers;
mod error;
mod joint;
mod prepare;
mod reconfigure;
mod routes;
mod sources;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;

use self::drivers::AnyPool;
pub use self::drivers::Drivers;
pub use self::error::{ManagerError, PoolLookupError};
pub use self::joint::{JointStats, ManagerCloseReport, Totals};
use self::prepare::{Prepared, prepare};
pub use self::reconfigure::{
    ManagerPlan, ManagerReconfigured, PoolOutcome, PoolPlan, RestartReason,
};
pub use self::routes::Route;
pub use self::sources::NamedSources;
use crate::config::{ConfigError, Problem, Resolved, Secret};
use crate::control::ControlHandle;
use crate::driver::Driver;
use crate::observer::Observer;
use crate::pool::{Pool, PoolOptions};
use crate::runtime::{Runtime, default_runtime};

/// What a manager is made of.
#[derive(Clone, Default)]
pub struct ManagerOptions {
    /// Which driver opens which URL.
    pub drivers: Drivers,
    /// Where the settings of the pools come from.
    pub sources: NamedSources,
    /// The async runtime of every pool, as in [`PoolOptions`].
    pub runtime: Option<Arc<dyn Runtime>>,
    /// Who is told what happens in any of the pools, from the first event on.
    pub observers: Vec<Arc<dyn Observer>>,
}

impl fmt::Debug for ManagerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerOptions")
            .field("drivers", &self.drivers)
            .field("sources", &self.sources)
            .field("runtime", &self.runtime)
            .finish_non_exhaustive()
    }
}

/// Named pools of different drivers.
///
/// Cloning gives another handle to the same manager. It keeps its pools open; a pool taken from it
/// stays open without it.
///
/// ```
/// # use std::sync::Arc;
/// use std::time::Duration;
/// use pool_core::{ConnectionManager, Drivers, ManagerOptions, NamedSources};
/// # use pool_core::runtime::TokioRuntime;
/// # use pool_testkit::{FakeDriver, FakeServer};
/// # let server = FakeServer::new(Arc::new(TokioRuntime::new()));
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
///
/// let toml = "
///     [pool]
///     preset = 'production'
///     [pools.orders]
///     url = 'fake://db/orders'
///     [pools.reports]
///     url = 'fake://db/reports?pool_max_open=2'
/// ";
/// let manager = ConnectionManager::open(ManagerOptions {
///     drivers: Drivers::default().register(&["fake"], move |_url| Ok(FakeDriver::new(&server))),
///     sources: NamedSources::default().toml("pools.toml", toml).environment(std::env::vars_os()),
///     ..ManagerOptions::default()
/// }).await?;
/// let reports = manager.pool::<FakeDriver>("reports")?;
/// assert_eq!(reports.config().max_open, 2);
/// assert_eq!(manager.stats().total.open, 2); // each has opened its first
///
/// let changed = toml.replace("pool_max_open=2", "pool_max_open=3");
/// let outcome = manager.reconfigure(manager.sources().toml("pools.toml", &changed))?;
/// assert_eq!(outcome.to_string(), "orders: unchanged\nreports: max_open 2 -> 3\n");
/// assert!(manager.close(Duration::from_secs(5)).await.drained());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct ConnectionManager {
    inner: Arc<Inner>,
}

struct Inner {
    /// In the order of the file.
    pools: Vec<Managed>,
    /// In the order of the file.
    routes: Vec<Route>,
    drivers: Drivers,
    runtime: Arc<dyn Runtime>,
    /// What was asked for last. Held while it is applied to the pools' states; what that leads to
    /// (wakers, observers, the driver) comes afterwards.
    asked: Mutex<Current>,
}

struct Managed {
    name: Arc<str>,
    pool: Arc<dyn AnyPool>,
}

struct Current {
    sources: NamedSources,
    /// In the order of `pools`.
    resolved: Vec<Resolved>,
    /// What their drivers were made from, or have taken over since.
    urls: Vec<Secret>,
}

impl ConnectionManager {
    /// Makes every pool without opening a connection. Needs no runtime around it.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Config`] with every problem of every pool; [`ManagerError::NoRuntime`] if no
    /// runtime is named and the features `tokio` and `smol` are off. No pool is made then.
    pub fn new(options: ManagerOptions) -> Result<Self, ManagerError> {
        let ManagerOptions { drivers, sources, runtime, observers } = options;
        let runtime = runtime.map_or_else(default_runtime, Ok)?;
        let (prepared, routes) = prepare(&drivers, &sources)?;
        let mut pools = Vec::with_capacity(prepared.len());
        let mut resolved = Vec::with_capacity(prepared.len());
        let mut urls = Vec::with_capacity(prepared.len());
        for prepared in prepared {
            urls.push(prepared.url().clone());
            let Prepared { name, driver, settings, .. } = prepared;
            let options = PoolOptions {
                config: settings.config().clone(),
                name: Some(Arc::clone(&name)),
                runtime: Some(Arc::clone(&runtime)),
                observers: observers.clone(),
            };
            let made = driver.into_pool(options);
            let pool =
                made.map_err(|error| ManagerError::Open(vec![(Arc::clone(&name), error)]))?;
            pools.push(Managed { name, pool });
            resolved.push(settings);
        }
        let asked = Mutex::new(Current { sources, resolved, urls });
        Ok(Self { inner: Arc::new(Inner { pools, routes, drivers, runtime, asked }) })
    }

    /// Makes every pool, and opens and checks one connection of each, all at the same time: the
    /// check at start-up. Nothing is retried.
    ///
    /// Bounded by the longest `connect_timeout` plus `check_timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new); [`ManagerError::Open`] with every pool that could not be
    /// opened. All are closed again then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes what it has opened.
    pub async fn open(options: ManagerOptions) -> Result<Self, ManagerError> {
        let manager = Self::new(options)?;
        let pools = &manager.inner.pools;
        let opened = join_all(pools.iter().map(|managed| managed.pool.open_first())).await;
        let failures: Vec<_> = pools
            .iter()
            .zip(opened)
            .filter_map(|(managed, opened)| Some((Arc::clone(&managed.name), opened.err()?)))
            .collect();
        if failures.is_empty() { Ok(manager) } else { Err(ManagerError::Open(failures)) }
    }

    /// The pool called `name`, whose driver is a `D`. To be taken once and kept: it is a handle like
    /// any other.
    ///
    /// # Errors
    ///
    /// [`PoolLookupError`] if there is none of that name, or its driver is another.
    pub fn pool<D: Driver>(&self, name: &str) -> Result<Pool<D>, PoolLookupError> {
        let pool = &self.inner.pools[self.index(name)?].pool;
        pool.as_any().downcast_ref::<Pool<D>>().cloned().ok_or_else(|| {
            PoolLookupError::OtherDriver {
                pool: name.to_owned(),
                driver: pool.driver(),
                asked: std::any::type_name::<D>(),
            }
        })
    }

    /// The control handle of the pool called `name`.
    ///
    /// # Errors
    ///
    /// [`PoolLookupError::Unknown`].
    pub fn control(&self, name: &str) -> Result<ControlHandle, PoolLookupError> {
        Ok(self.inner.pools[self.index(name)?].pool.control())
    }

    /// The control handles of all pools, in the order of the file.
    #[must_use]
    pub fn controls(&self) -> Vec<ControlHandle> {
        self.inner.pools.iter().map(|managed| managed.pool.control()).collect()
    }

    /// The pools' names, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.inner.pools.iter().map(|managed| &*managed.name)
    }

    /// The routes, in the order of the file. As for the pools, there are no others later: a changed
    /// route needs a restart.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.inner.routes
    }

    /// A snapshot of every pool, one after the other, and their sums.
    #[must_use]
    pub fn stats(&self) -> JointStats {
        let pools = self.inner.pools.iter();
        JointStats::new(pools.map(|it| (Arc::clone(&it.name), it.pool.control().stats())).collect())
    }

    /// The sources in force, to be changed and handed to [`reconfigure`](Self::reconfigure).
    #[must_use]
    pub fn sources(&self) -> NamedSources {
        self.inner.asked.lock().sources.clone()
    }

    /// The settings of the pool called `name`, each with where it came from. A change that was made
    /// at the pool itself, past the manager, is not in it.
    ///
    /// # Errors
    ///
    /// [`PoolLookupError::Unknown`].
    pub fn resolved(&self, name: &str) -> Result<Resolved, PoolLookupError> {
        let index = self.index(name)?;
        Ok(self.inner.asked.lock().resolved[index].clone())
    }

    /// Applies what `sources` say to the pools there are: every setting that differs from the one in
    /// force, now and without touching a connection in use. A changed URL goes for every connection
    /// opened afterwards, if the driver [can take it over](Driver::can_take_over). The others are
    /// [renewed](crate::Control::renew) if it leads to the same database as before, by
    /// [`metadata`](Driver::metadata), and else [invalidated](crate::Control::invalidate), so that two
    /// databases are not written to for longer than those who have a connection keep it. Whatever else
    /// differs (a URL that it cannot take over, a pool too many or too few) is reported as what needs
    /// a restart. Of two callers that change the [`sources`](Self::sources) at the same time, the later
    /// one wins.
    ///
    /// ```no_run
    /// # use pool_core::{ConfigError, ConnectionManager};
    /// # fn reload(manager: &ConnectionManager) -> Result<(), ConfigError> {
    /// let outcome = manager.reconfigure(manager.sources().toml_file("pools.toml"))?;
    /// print!("{outcome}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem of every pool; nothing has changed then.
    pub fn reconfigure(&self, sources: NamedSources) -> Result<ManagerReconfigured, ConfigError> {
        let plan = ManagerPlan::new(self, sources);
        plan.inspect_err(|error| self.tell_refused(error)).map(ManagerPlan::apply)
    }

    /// What [`reconfigure`](Self::reconfigure) would do now, ready to be [applied](ManagerPlan::apply).
    /// Nothing changes, and nobody is told.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem of every pool.
    pub fn preview(&self, sources: &NamedSources) -> Result<ManagerPlan, ConfigError> {
        ManagerPlan::new(self, sources.clone())
    }

    /// Has the observers of every pool told that a configuration is refused, for whoever does in two
    /// steps, [`preview`](Self::preview) and [`ManagerPlan::apply`], what
    /// [`reconfigure`](Self::reconfigure) does in one.
    pub fn tell_refused(&self, error: &ConfigError) {
        // Refused for one pool, it is refused for all.
        self.inner.pools.iter().for_each(|managed| managed.pool.tell_refused(error));
    }

    /// Closes every pool for good, all at the same time, and waits at most `deadline` for the
    /// connections in use. May be called again.
    ///
    /// # Cancel safety
    ///
    /// The pools are closed from the first poll on, whether or not the future is awaited to its end.
    pub async fn close(&self, deadline: Duration) -> ManagerCloseReport {
        let started = self.inner.runtime.now();
        let pools = &self.inner.pools;
        let reports = join_all(pools.iter().map(|it| it.pool.control().close(deadline))).await;
        let took = self.inner.runtime.now().since(started);
        let names = pools.iter().map(|managed| Arc::clone(&managed.name));
        ManagerCloseReport { took, pools: names.zip(reports).collect() }
    }

    fn index(&self, name: &str) -> Result<usize, PoolLookupError> {
        let found = self.inner.pools.iter().position(|managed| &*managed.name == name);
        found.ok_or_else(|| Problem::unknown("pool", name, self.names()).into())
    }
}

impl fmt::Debug for ConnectionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionManager")
            .field("names", &self.names().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
