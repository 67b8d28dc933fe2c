//! A pool over the scripted driver in virtual time, and a monitor that looks at it.

use std::sync::Arc;
use std::time::Duration;

use pool_core::{OwnedPoolGuard, Pool, PoolConfig, PoolOptions};
use pool_monitor::{MonitorOptions, PoolMonitor, PoolView};
use pool_testkit::{FakeDriver, FakeServer, Sim};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SEC: Duration = Duration::from_secs(1);

pub(crate) struct Rig {
    pub(crate) sim: Sim,
    pub(crate) server: FakeServer,
    pub(crate) pool: Pool<FakeDriver>,
    pub(crate) monitor: PoolMonitor,
}

impl Rig {
    /// A pool, and a monitor that looks every second.
    pub(crate) fn new(config: PoolConfig) -> Self {
        let sim = Sim::new(1);
        let server = FakeServer::new(sim.runtime());
        let options = PoolOptions { runtime: Some(sim.runtime()), ..config.into() };
        let pool = Pool::new(FakeDriver::new(&server), options).expect("valid");
        let monitor = PoolMonitor::start(every(SEC, &sim)).expect("started");
        monitor.watch(&pool.control());
        Self { sim, server, pool, monitor }
    }

    pub(crate) fn with_max_open(max_open: usize) -> Self {
        Self::new(PoolConfig { max_open, ..PoolConfig::default() })
    }

    pub(crate) fn acquire(&self) -> OwnedPoolGuard<FakeDriver> {
        self.sim.block_on(self.pool.acquire_owned()).expect("acquired")
    }

    /// `users` who acquire, hold for `hold`, release and rest for `rest`, over and over, as long as the pool
    /// is open.
    pub(crate) fn use_by(&self, users: usize, hold: Duration, rest: Duration) {
        for _ in 0..users {
            let (pool, sim) = (self.pool.clone(), self.sim.clone());
            self.sim.spawn(async move {
                loop {
                    let acquired = pool.acquire().await;
                    sim.sleep(hold).await;
                    if acquired.is_err_and(|error| error.is_closed()) {
                        return;
                    }
                    sim.sleep(rest).await;
                }
            });
        }
    }

    #[track_caller]
    pub(crate) fn view(&self) -> PoolView {
        self.monitor.view("fake").expect("looked at")
    }
}

pub(crate) fn every(interval: Duration, sim: &Sim) -> MonitorOptions {
    MonitorOptions { interval, runtime: Some(sim.runtime()), ..MonitorOptions::default() }
}

/// What `subscribe` is given, written down.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<std::sync::Mutex<Vec<PoolView>>>);

impl Seen {
    pub(crate) fn note(&self) -> impl Fn(&PoolView) + Send + Sync + use<> {
        let seen = Arc::clone(&self.0);
        move |view| seen.lock().expect("no panic").push(view.clone())
    }

    pub(crate) fn take(&self) -> Vec<PoolView> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}
