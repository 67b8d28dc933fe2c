//! Clocks that stand still or step back.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use pool_core::runtime::{Instant, NoRuntime, Runtime, Task, Timer};
use pool_core::{Pool, PoolConfig, PoolOptions};
use pool_testkit::{Answer, Call, FakeDriver, FakeServer, Sim, SimTask};

use crate::rig::{MS, SEC};

/// The simulated runtime with a clock that is up to a second behind, and more or less so each time.
#[derive(Clone)]
struct Unsteady {
    sim: Sim,
    rng: Arc<Mutex<fastrand::Rng>>,
}

impl fmt::Debug for Unsteady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sim.fmt(f)
    }
}

impl Runtime for Unsteady {
    fn spawn(&self, task: Task) -> Result<(), NoRuntime> {
        Runtime::spawn(&self.sim, task)
    }
    fn timer(&self) -> Result<Box<dyn Timer>, NoRuntime> {
        Ok(Box::new(Late(self.sim.timer()?)))
    }
    fn now(&self) -> Instant {
        let behind = match self.rng.lock().u32(0..10) {
            0 => SEC,
            1..5 => Duration::from_nanos(1),
            _ => Duration::ZERO,
        };
        Instant::from_nanos(self.sim.now().as_nanos() - behind.as_nanos() as u64)
    }
    fn seed(&self) -> u64 {
        self.sim.seed()
    }
}

/// A timer that rounds up to a millisecond, as tokio's, so that a clock behind it is seen only a
/// while later.
struct Late(Box<dyn Timer>);

impl Timer for Late {
    fn reset(&mut self, at: Instant) {
        self.0.reset(if at == Instant::NEVER { at } else { at.after(MS) });
    }
    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_expired(cx)
    }
}

/// launchbadge/sqlx#1912, importcjj/mobc#25: a later instant was subtracted from an earlier one,
/// and the pool panicked.
#[test]
fn m58_a_clock_that_steps_back_is_no_panic_and_nobody_waits_for_ever() {
    Sim::for_each_seed(0..10, |sim| {
        let rng = Arc::new(Mutex::new(fastrand::Rng::with_seed(sim.runtime().seed())));
        let runtime = Unsteady { sim: sim.clone(), rng };
        let server = FakeServer::new(sim.runtime());
        let config = PoolConfig {
            max_open: 3,
            min_idle: 1,
            max_lifetime: Some(SEC),
            max_idle_time: Some(100 * MS),
            idle_grace: 10 * MS,
            max_idle: 2,
            check_after_idle: Some(5 * MS),
            keepalive: Some(20 * MS),
            leak_after: Some(10 * MS),
            outage_grace: None,
            ..PoolConfig::default()
        };
        let options = PoolOptions { runtime: Some(Arc::new(runtime)), ..config.into() };
        let pool = Pool::new(FakeDriver::new(&server), options).expect("valid");
        server.always(Call::Connect, Answer::Late(7 * MS));
        server.next(Call::Connect, &[Answer::Error, Answer::Ok, Answer::Error]);
        let callers: Vec<_> = (0..20)
            .map(|number| {
                let (pool, clock) = (pool.clone(), sim.clone());
                sim.spawn(async move {
                    for turn in 0..20 {
                        let mut guard = pool.acquire_owned().await.expect("served");
                        clock.sleep(number * MS).await;
                        if turn % 5 == 0 {
                            guard.begin();
                        }
                    }
                })
            })
            .collect();
        sim.advance(60 * SEC);
        assert!(callers.iter().all(SimTask::is_done), "{:?}", pool.stats());
        sim.advance(5 * SEC);
        let stats = pool.stats();
        assert_eq!((stats.acquires.succeeded(), stats.acquires.failed()), (400, 0), "{stats:?}");
        assert!(stats.idle <= 2 && server.most_sockets() <= 4, "{stats:?}");
        server.audit(&stats, 0);
        assert!(sim.block_on(pool.close(5 * SEC)).drained);
        assert_eq!(server.sockets(), 0);
    });
}
