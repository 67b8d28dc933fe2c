//! A pool over the fake server, in virtual time.

use std::time::Duration;

use pool_core::{AcquireError, OwnedPoolGuard, Pool, PoolConfig, PoolGuard, PoolOptions};
use pool_testkit::{FakeDriver, FakeServer, Hand, Sim, SimTask};

pub(crate) type FakePool = Pool<FakeDriver>;
pub(crate) type Guard<'a> = PoolGuard<'a, FakeDriver>;
pub(crate) type OwnedGuard = OwnedPoolGuard<FakeDriver>;
pub(crate) type Acquired<'a> = Result<Guard<'a>, AcquireError>;

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SEC: Duration = Duration::from_secs(1);

pub(crate) struct Rig {
    pub(crate) sim: Sim,
    pub(crate) server: FakeServer,
    pub(crate) pool: FakePool,
}

impl Rig {
    pub(crate) fn new(config: PoolConfig) -> Self {
        Self::in_sim(&Sim::new(1), config)
    }

    pub(crate) fn in_sim(sim: &Sim, config: PoolConfig) -> Self {
        let server = FakeServer::new(sim.runtime());
        let options = PoolOptions { runtime: Some(sim.runtime()), ..config.into() };
        let pool = Pool::new(FakeDriver::new(&server), options).expect("valid");
        Self { sim: sim.clone(), server, pool }
    }

    /// A pool of at most `max_open` connections, the rest as by default.
    pub(crate) fn with_max_open(max_open: usize) -> Self {
        Self::new(PoolConfig { max_open, ..PoolConfig::default() })
    }

    /// Acquires, letting virtual time pass as needed.
    #[track_caller]
    pub(crate) fn acquire(&self) -> Guard<'_> {
        self.sim.block_on(self.pool.acquire()).expect("acquired")
    }

    /// Acquires `count` at once.
    pub(crate) fn acquire_many(&self, count: usize) -> Vec<Guard<'_>> {
        (0..count).map(|_| self.acquire()).collect()
    }

    /// Leaves `count` connections idle.
    pub(crate) fn fill(&self, count: usize) {
        drop(self.acquire_many(count));
        self.sim.run();
        assert_eq!(self.pool.stats().idle, count, "filled");
    }

    /// An acquire polled once that waits, and everything that follows from that.
    #[track_caller]
    pub(crate) fn waiter(&self) -> Hand<'_, Acquired<'_>> {
        let mut waiter = Hand::new(self.pool.acquire());
        waiter.pending();
        self.sim.run();
        waiter
    }

    /// An acquire in a task of its own.
    #[track_caller]
    pub(crate) fn spawn_acquire(&self) -> SimTask<Result<OwnedGuard, AcquireError>> {
        self.sim.spawn(self.pool.acquire_owned())
    }

    /// Compares the pool with the server when nothing is under way.
    #[track_caller]
    pub(crate) fn audit(&self, guards: usize) {
        self.server.audit(&self.pool.stats(), guards);
    }
}
