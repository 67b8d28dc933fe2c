//! Pools that are members of a fleet. What is decided, the simulation of the protocol tries (`fleet`);
//! here it is whether pool, task and ledger do it.

mod joining;
mod leaving;
mod moving;
mod random;
mod refused;
mod servers;
mod trouble;
mod without_ledger;

use std::sync::Arc;
use std::time::Duration;

use pool_core::{
    ControlHandle, FleetName, FleetShare, Ledger, MemberId, Pool, PoolConfig, PoolOptions,
    ShareState,
};
use pool_monitor::adaptive::{AdaptiveOptions, AdaptiveSize, BudgetSource, FleetOptions};
use pool_testkit::{FakeDriver, FakeServer, Sim};

use crate::rig::{MS, SEC};

const TOTAL: usize = 40;
const RESERVE: usize = 3;

struct Fleet {
    sim: Sim,
    server: FakeServer,
}

/// One process, so to speak: a pool, its users, its membership.
struct Process {
    pool: Pool<FakeDriver>,
    size: Option<AdaptiveSize>,
}

fn name() -> FleetName {
    FleetName::new("orders").expect("allowed")
}

impl Fleet {
    fn new() -> Self {
        let sim = Sim::new(1);
        let server = FakeServer::new(sim.runtime());
        Self { sim, server }
    }

    fn pool(&self, number: u64) -> Pool<FakeDriver> {
        let driver = FakeDriver::new(&self.server).called(name().tag(MemberId::new(number)));
        let config = PoolConfig { max_open: 100, ..PoolConfig::default() };
        let options = PoolOptions { runtime: Some(self.sim.runtime()), ..config.into() };
        Pool::new(driver, options).expect("valid")
    }

    fn options(&self, fleet: FleetOptions) -> AdaptiveOptions {
        let runtime = Some(self.sim.runtime());
        AdaptiveOptions { fleet: Some(fleet), runtime, ..AdaptiveOptions::default() }
    }

    fn join_with(&self, number: u64, options: FleetOptions) -> Process {
        let pool = self.pool(number);
        let size = AdaptiveSize::start(&pool.control(), self.options(options)).expect("started");
        Process { pool, size: Some(size) }
    }

    /// A member with a floor of 2 that joins.
    fn join(&self, number: u64) -> Process {
        self.join_with(number, fixed(2))
    }

    /// As if its process was killed: nothing is given back, and its sessions end.
    fn kill(&self, mut process: Process) {
        drop(process.size.take());
        self.sim.run();
        drop(self.sim.block_on(process.pool.close(Duration::ZERO)));
    }

    /// As many who use the pool over and over.
    fn use_by(&self, process: &Process, users: usize) {
        for _ in 0..users {
            let (pool, sim) = (process.pool.clone(), self.sim.clone());
            self.sim.spawn(async move {
                loop {
                    let acquired = pool.acquire().await;
                    sim.sleep(50 * MS).await;
                    if acquired.is_err_and(|error| error.is_closed()) {
                        return;
                    }
                }
            });
        }
    }

    fn ledger(&self) -> Ledger {
        self.server.fleet_ledger(&name()).expect("it is there")
    }

    /// What each member has, by the ledger.
    fn granted(&self) -> Vec<usize> {
        let mut rows = self.ledger().rows;
        rows.sort_by_key(|row| row.member);
        rows.iter().map(|row| row.share.granted).collect()
    }

    /// Lets time pass until it is so.
    #[track_caller]
    fn until(&self, what: &str, limit: Duration, is_so: impl Fn() -> bool) -> Duration {
        let started = self.sim.now();
        while !is_so() {
            assert!(self.sim.now().since(started) < limit, "not within {limit:?}: {what}");
            self.sim.advance(10 * MS);
        }
        self.sim.now().since(started)
    }
}

impl Process {
    fn open(&self) -> usize {
        self.pool.stats().open
    }

    fn control(&self) -> ControlHandle {
        self.pool.control()
    }

    #[track_caller]
    fn share(&self) -> FleetShare {
        let sizing = self.control().sizing().expect("something was said");
        sizing.share.expect("of its share, too")
    }

    fn state(&self) -> ShareState {
        self.share().state
    }
}

fn fixed(floor: usize) -> FleetOptions {
    let budget = BudgetSource::Fixed { total: TOTAL };
    FleetOptions { floor, budget, reserve: RESERVE, ..FleetOptions::default() }
}
