//! A pool over the scripted driver in virtual time, and a checker that asks about it.

use std::sync::Arc;
use std::time::Duration;

use pool_core::{OwnedPoolGuard, Pool, PoolConfig, PoolOptions};
use pool_health::{Health, HealthChecker, HealthOptions, HealthState};
use pool_testkit::{FakeDriver, FakeServer, Sim};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SEC: Duration = Duration::from_secs(1);

pub(crate) struct Rig {
    pub(crate) sim: Sim,
    pub(crate) server: FakeServer,
    pub(crate) pool: Pool<FakeDriver>,
    pub(crate) checker: Arc<HealthChecker>,
}

impl Rig {
    pub(crate) fn new(options: HealthOptions) -> Self {
        Self::seeded(1, options)
    }

    /// One whose jitter is another.
    pub(crate) fn seeded(seed: u64, options: HealthOptions) -> Self {
        let sim = Sim::new(seed);
        let server = FakeServer::new(sim.runtime());
        let config = PoolConfig { max_open: 2, ..PoolConfig::default() };
        let with = PoolOptions { runtime: Some(sim.runtime()), ..config.into() };
        let pool = Pool::new(FakeDriver::new(&server), with).expect("valid");
        let options = HealthOptions { runtime: Some(sim.runtime()), ..options };
        let checker = HealthChecker::start(&pool.control(), options).expect("started");
        Self { sim, server, pool, checker: Arc::new(checker) }
    }

    /// One that has found the database to be well.
    pub(crate) fn well(options: HealthOptions) -> Self {
        let rig = Self::new(options);
        rig.sim.run();
        assert_eq!(rig.health().state, HealthState::Healthy, "{}", rig.health());
        rig
    }

    pub(crate) fn health(&self) -> Arc<Health> {
        self.checker.health()
    }

    pub(crate) fn acquire(&self) -> OwnedPoolGuard<FakeDriver> {
        self.sim.block_on(self.pool.acquire_owned()).expect("acquired")
    }

    /// How long it takes until the health is so.
    #[track_caller]
    pub(crate) fn until(&self, is_so: impl Fn(&Health) -> bool) -> Duration {
        let began = self.sim.now();
        while !is_so(&self.health()) {
            let waited = self.sim.now().since(began);
            assert!(waited < 600 * SEC, "after {waited:?} still {}", self.health());
            self.sim.advance(10 * MS);
        }
        self.sim.now().since(began)
    }

    #[track_caller]
    pub(crate) fn until_it_is(&self, state: HealthState) -> Duration {
        self.until(|health| health.state == state)
    }
}
