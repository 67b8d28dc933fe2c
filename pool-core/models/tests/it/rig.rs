//! A pool in a model, and what must hold when it is over.

use std::sync::Arc;
use std::time::Duration;

use pool_core::{ControlHandle, OwnedPoolGuard, Pool, PoolConfig, PoolOptions};

use crate::driver::{Ledger, ModelDriver};
use crate::runtime::{ModelRuntime, block_on};

pub(crate) type ModelPool = Pool<ModelDriver>;
pub(crate) type ModelGuard = OwnedPoolGuard<ModelDriver>;

pub(crate) const MS: Duration = Duration::from_millis(1);
/// How long a worker may be due and not run before those on another runtime give it up.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);

pub(crate) struct Rig {
    pub(crate) pool: ModelPool,
    pub(crate) runtime: Arc<ModelRuntime>,
    after: After,
}

/// Looks at a pool when everybody has let go of it.
pub(crate) struct After {
    control: ControlHandle,
    ledger: Arc<Ledger>,
    runtime: Arc<ModelRuntime>,
}

/// Nothing in it happens by itself.
pub(crate) fn config(max_open: usize) -> PoolConfig {
    PoolConfig {
        max_open,
        max_lifetime: None,
        max_idle_time: None,
        check_after_idle: None,
        ..PoolConfig::default()
    }
}

impl Rig {
    /// A pool without a connection and without a worker.
    pub(crate) fn new(config: PoolConfig) -> Self {
        Self::of(config, |driver, options| Pool::new(driver, options).expect("valid"))
    }

    /// A pool with one idle connection and without a worker.
    pub(crate) fn with_idle(config: PoolConfig) -> Self {
        Self::of(config, |driver, options| block_on(Pool::open(driver, options)).expect("valid"))
    }

    fn of(config: PoolConfig, make: impl FnOnce(ModelDriver, PoolOptions) -> ModelPool) -> Self {
        let runtime = Arc::new(ModelRuntime::new());
        let driver = ModelDriver::default();
        let ledger = Arc::clone(&driver.ledger);
        let options = PoolOptions { runtime: Some(runtime.clone()), ..config.into() };
        let pool = make(driver, options);
        let after = After { control: pool.control(), ledger, runtime: Arc::clone(&runtime) };
        Self { pool, runtime, after }
    }

    /// Nobody uses the pool any more: closes it and looks.
    pub(crate) fn finish(self) {
        let Self { pool, after, .. } = self;
        let stats = pool.stats();
        let with_users = stats.in_use - stats.checking - stats.resetting;
        assert_eq!((with_users, stats.waiting), (0, 0), "{stats:?}");
        // Not `open`: what was under way when the pool shrank is closed when it is done.
        assert!(stats.idle <= stats.max_open, "{stats:?}");
        let report = block_on(pool.close(Duration::MAX));
        assert!(report.drained, "{report}");
        drop(pool);
        after.look();
    }

    /// No more is open than may be. Not to be asked in a pool that has shrunk.
    pub(crate) fn keeps_to_its_size(&self) {
        let stats = self.pool.stats();
        assert!(stats.open <= stats.max_open, "{stats:?}");
    }

    /// The handle, to be dropped.
    pub(crate) fn let_go(self) -> (ModelPool, After) {
        (self.pool, self.after)
    }
}

impl After {
    /// Waits for the worker to end; a tool calls it a deadlock if that does not happen.
    pub(crate) fn look(self) {
        self.runtime.join();
        let stats = self.control.stats();
        let there = (stats.open, stats.idle, stats.in_use, stats.opening, stats.closing);
        assert_eq!(there, (0, 0, 0, 0, 0), "{stats:?}");
        assert_eq!((stats.waiting, stats.probes), (0, 0), "{stats:?}");
        assert_eq!(stats.opened, stats.closed.total(), "{stats:?}");
        let acquires = stats.acquires;
        let ended = acquires.succeeded() + acquires.failed() + acquires.cancelled;
        assert_eq!(acquires.started, ended, "{stats:?}");
        assert_eq!(self.ledger.open(), 0, "the server knows of more than the pool: {stats:?}");
    }
}
