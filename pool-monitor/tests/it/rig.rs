//! A pool over the scripted driver in virtual time, and a monitor that looks at it.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use pool_core::{
    FleetName, FleetShare, OwnedPoolGuard, Pool, PoolConfig, PoolOptions, RecommendedSize,
    ShareState, Sizing,
};
use pool_monitor::{MonitorOptions, PoolMonitor, PoolView};
use pool_testkit::{FakeDriver, FakeServer, Sim};
use tracing::Dispatch;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, registry};

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
        Self::seeded(1, config)
    }

    /// One whose random numbers are others.
    pub(crate) fn seeded(seed: u64, config: PoolConfig) -> Self {
        let sim = Sim::new(seed);
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

/// A recommended size, and a share of three connections.
pub(crate) fn sizing(max_open: usize, state: ShareState) -> Sizing {
    let reason = || "why".to_owned();
    let recommended = RecommendedSize { max_open, reason: reason(), is_applied: false };
    let fleet = FleetName::new("shop").expect("a name");
    let share = FleetShare { fleet, granted: 3, state, reason: reason() };
    Sizing { recommended: Some(recommended), share: Some(share) }
}

/// What `subscribe` is given, written down.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<PoolView>>>);

impl Seen {
    pub(crate) fn note(&self) -> impl Fn(&PoolView) + Send + Sync + use<> {
        let seen = Arc::clone(&self.0);
        move |view| seen.lock().expect("no panic").push(view.clone())
    }

    pub(crate) fn take(&self) -> Vec<PoolView> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

/// Writes down the fields of every event of the monitor.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

impl<S: tracing::Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        struct Line(String);
        impl Visit for Line {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                write!(self.0, " {field}={value:?}").expect("a String takes it");
            }
        }
        if event.metadata().target() == "pool_monitor" {
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            self.0.lock().expect("no panic").push(line.0);
        }
    }
}

/// Has `layer` hear what is said on this thread, until the guard is dropped.
pub(crate) fn listening(layer: impl Layer<Registry> + Send + Sync) -> DefaultGuard {
    // Beside one listener only, it is asked on whatever thread says something first whether anybody
    // listens there, and the answer counts for all.
    static ANOTHER: OnceLock<Dispatch> = OnceLock::new();
    ANOTHER.get_or_init(|| Dispatch::new(registry()));
    registry().with(layer).set_default()
}
