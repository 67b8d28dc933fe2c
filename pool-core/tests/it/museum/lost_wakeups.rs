//! Lost wake-ups: somebody sleeps although there is a connection, or room to open one.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;
use pool_core::runtime::{Instant, NoRuntime, Runtime, Task, Timer};
use pool_core::{AcquireErrorKind, Observer, Pool, PoolConfig, PoolOptions, TryAcquireError};
use pool_core::{CloseReason, WaiterQueued};
use pool_testkit::{Answer, Call, FakeDriver, FakeServer, Hand, Sim};

use crate::promptly::promptly;
use crate::rig::{FakePool, MS, OwnedGuard, Rig, SEC};

/// The simulated runtime, which runs a test's code once, when the exact time is next asked for: an
/// acquire does so between its look at the idle connections and its place in the queue.
pub(super) struct AskedForTheTime {
    sim: Sim,
    pub(super) code: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl AskedForTheTime {
    /// A pool on it, which asks for the time.
    pub(super) fn pool(sim: &Sim, max_open: usize) -> (FakeServer, Arc<Self>, FakePool) {
        let runtime = Arc::new(Self { sim: sim.clone(), code: Mutex::new(None) });
        let server = FakeServer::new(sim.runtime());
        let config = PoolConfig { max_open, ..PoolConfig::default() };
        let options = PoolOptions { runtime: Some(runtime.clone()), ..config.into() };
        let pool = Pool::new(FakeDriver::new(&server), options).expect("valid");
        (server, runtime, pool)
    }
}

impl std::fmt::Debug for AskedForTheTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.sim.fmt(f)
    }
}

impl Runtime for AskedForTheTime {
    fn spawn(&self, task: Task) -> Result<(), NoRuntime> {
        Runtime::spawn(&self.sim, task)
    }
    fn timer(&self) -> Result<Box<dyn Timer>, NoRuntime> {
        self.sim.timer()
    }
    fn now(&self) -> Instant {
        let code = self.code.lock().take();
        if let Some(code) = code {
            code();
        }
        self.sim.now()
    }
    fn seed(&self) -> u64 {
        self.sim.seed()
    }
}

/// djc/bb8#122: a connection came back after a caller had found none idle and before it was in the
/// queue; the caller slept beside an idle connection.
#[test]
fn m01_release_between_check_and_enqueue() {
    promptly(|| {
        let sim = Sim::new(1);
        let (server, runtime, pool) = AskedForTheTime::pool(&sim, 1);
        let held = sim.block_on(pool.acquire_owned()).expect("served");
        *runtime.code.lock() = Some(Box::new(move || drop(held)));
        let mut waiter = Hand::new(pool.acquire());
        let guard = waiter.ready().expect("served by what came back");
        assert!(runtime.code.lock().is_none(), "the other order");
        server.audit(&pool.stats(), 1);
        drop(guard);
    });
}

/// Gives a connection back as soon as it is told that somebody waits.
#[derive(Default)]
struct GivesBack(Mutex<Option<OwnedGuard>>);

impl Observer for GivesBack {
    fn waiter_queued(&self, _: &WaiterQueued<'_>) {
        drop(self.0.lock().take());
    }
}

/// The same race, the other way around: the connection comes back when the caller is in the queue
/// and its first poll has not ended yet.
#[test]
fn m01_release_between_enqueue_and_the_end_of_the_poll() {
    promptly(|| {
        let rig = Rig::with_max_open(1);
        let gives_back = Arc::new(GivesBack::default());
        rig.pool.control().observe(gives_back.clone()).keep();
        *gives_back.0.lock() = Some(rig.sim.block_on(rig.pool.acquire_owned()).expect("served"));
        let mut waiter = Hand::new(rig.pool.acquire());
        waiter.pending();
        assert_eq!(waiter.wakes(), 1);
        drop(waiter.ready().expect("served by what came back"));
        rig.audit(0);
    });
}

/// djc/bb8#167: connections that came back broken made room and woke nobody, so every later caller
/// timed out.
#[test]
fn m02_connections_that_come_back_broken_make_room_for_those_who_wait() {
    let rig = Rig::with_max_open(5);
    let mut held = rig.acquire_many(5);
    let mut waiters: Vec<_> = (0..10).map(|_| rig.waiter()).collect();
    rig.server.always(Call::Released, Answer::Error);
    for round in 1..=2 {
        held.clear();
        rig.sim.run();
        assert_eq!(rig.server.started(Call::Connect), 5 * (round + 1), "five more, not ten");
        held = waiters.drain(..5).map(|mut it| it.ready().expect("served")).collect();
        waiters.iter_mut().for_each(Hand::pending);
        rig.audit(5);
    }
    assert_eq!(rig.pool.stats().closed.of(CloseReason::Broken), 10);
}

/// jackc/puddle 1.1.3: a connect that failed did not tell the waiter queued behind its own.
#[test]
fn m03_a_failed_connect_passes_the_turn_to_those_who_wait_behind() {
    let rig = Rig::with_max_open(1);
    rig.server.next(Call::Connect, &[Answer::Gate]);
    let first = rig.waiter();
    let mut second = rig.waiter();
    rig.server.open_gate(Call::Connect, Answer::Error);
    // Whoever had asked for that connect is gone: the other must not depend on it.
    drop(first);
    rig.sim.advance(50 * MS);
    drop(second.ready().expect("served by the second attempt"));
    assert_eq!(rig.server.started(Call::Connect), 2);
    rig.audit(0);
}

/// launchbadge/sqlx#622, #918, #1211: a future that was woken and dropped before its poll took the
/// wake-up with it.
#[test]
fn m04_a_wake_up_survives_a_future_dropped_before_its_poll() {
    let rig = Rig::with_max_open(1);
    let held = rig.acquire();
    let (first, mut second) = (rig.waiter(), rig.waiter());
    drop(held);
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    drop(first);
    assert_eq!(second.wakes(), 1, "passed on at once");
    drop(second.ready().expect("served"));
    rig.audit(0);
}

/// The same issues: one who was woken lost the connection to a newcomer and then its place, too.
#[test]
fn m04_who_was_woken_loses_neither_connection_nor_place_to_a_newcomer() {
    let rig = Rig::with_max_open(1);
    let held = rig.acquire();
    let mut waiter = rig.waiter();
    drop(held);
    assert_eq!(rig.pool.try_acquire().expect_err("promised"), TryAcquireError::NotIdle);
    let mut newcomer = Hand::new(rig.pool.acquire());
    newcomer.pending();
    drop(waiter.ready().expect("served"));
    drop(newcomer.ready().expect("served next"));
    rig.audit(0);
}

/// npgsql/npgsql#1788, #1657, importcjj/mobc#63: a connection handed to a waiter that had been
/// cancelled was lost, until none was left.
#[test]
fn m05_a_hand_over_to_a_cancelled_waiter_is_no_loss() {
    for cancelled_first in [true, false] {
        let rig = Rig::with_max_open(1);
        for _ in 0..10 {
            let held = rig.acquire();
            let (cancelled, mut next) = (rig.waiter(), rig.waiter());
            if cancelled_first {
                drop(cancelled);
                drop(held);
            } else {
                drop(held);
                drop(cancelled);
            }
            rig.audit(1);
            drop(next.ready().expect("served"));
            rig.audit(0);
        }
        assert_eq!(rig.server.started(Call::Connect), 1);
    }
}

/// brettwooldridge/HikariCP 5.0.0: when connections were taken out while others were being added,
/// the pool ran empty and nobody filled it again.
#[test]
fn m07_a_pool_drained_at_the_moment_of_an_acquire_is_filled_again() {
    for (caller_first, connect) in
        [(true, Answer::Ok), (false, Answer::Ok), (true, Answer::Error), (false, Answer::Error)]
    {
        let idle = PoolConfig { max_idle_time: Some(60 * SEC), ..PoolConfig::default() };
        let rig = Rig::new(PoolConfig { max_open: 2, check_after_idle: None, ..idle });
        let calls_at = |rig: &Rig, after| {
            let (pool, sim) = (rig.pool.clone(), rig.sim.clone());
            rig.sim.spawn(async move {
                sim.sleep(after).await;
                pool.acquire_owned().await
            })
        };
        // At one instant, the timer that was set first fires first.
        let early = caller_first.then(|| calls_at(&rig, 60 * SEC));
        rig.fill(2);
        rig.sim.advance(59 * SEC);
        let caller = early.unwrap_or_else(|| calls_at(&rig, SEC));
        rig.sim.run();
        rig.server.next(Call::Connect, &[connect]);
        rig.sim.advance(SEC);
        let was_reaped = rig.pool.stats().closed.of(CloseReason::Idle);
        assert_eq!(was_reaped, if caller_first { 1 } else { 2 }, "the order that was meant");
        rig.sim.advance(SEC);
        let guard = caller.take().expect("not stuck").expect("served");
        rig.audit(1);
        drop(guard);
        rig.audit(0);
    }
}

/// Goes back into the pool from wherever it is called.
struct Reentrant(FakePool);

impl Wake for Reentrant {
    fn wake(self: Arc<Self>) {
        let _ = self.0.stats();
        drop(self.0.try_acquire());
        panic!("waker");
    }
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        let _ = self.0.stats();
        drop(Hand::new(self.0.acquire()).poll());
    }
}

/// tokio-rs/tokio#4129, #5154: wakers, which are foreign code, ran under the lock.
///
/// Of the three things that can be done to a waker this holds two. The first issue is about the
/// third, its clone: that of a waker made without `unsafe` counts a reference and runs no code of
/// ours, so where the pool clones one is a comment in its source, and no test's.
#[test]
fn m08_a_waker_that_goes_back_into_the_pool_is_woken_and_dropped_outside_the_lock() {
    promptly(|| {
        let rig = Rig::with_max_open(1);
        let held = rig.acquire();
        let mut acquire = Box::pin(rig.pool.acquire());
        for _ in 0..2 {
            // A new waker each time: the old one is dropped, which goes back into the pool.
            let waker = Waker::from(Arc::new(Reentrant(rig.pool.clone())));
            let polled = acquire.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        drop(held);
        let waker = Waker::from(Arc::new(Reentrant(rig.pool.clone())));
        let polled = acquire.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(matches!(polled, Poll::Ready(Ok(_))));
    });
}

/// tokio-rs/tokio#7965, #7996: a future that had been made and never polled took the next permit.
#[test]
fn m08_an_acquire_that_was_never_polled_takes_nothing() {
    let rig = Rig::with_max_open(1);
    let held = rig.acquire();
    let mut unpolled = Hand::new(rig.pool.acquire());
    let mut waiter = rig.waiter();
    drop(held);
    assert_eq!((unpolled.wakes(), waiter.wakes()), (0, 1));
    let guard = waiter.ready().expect("served");
    unpolled.pending();
    drop(guard);
    drop(unpolled.ready().expect("served when it has asked"));
    rig.audit(0);
}

/// hyperium/hyper-util 288dc0f, ca6fdbd: those who waited for somebody else's connect hung when
/// that one left, and its error was not shared.
#[test]
fn m09_those_who_wait_for_anothers_connect_share_its_end() {
    for answer in [Answer::Ok, Answer::Error, Answer::Permanent] {
        let rig = Rig::with_max_open(1);
        rig.server.next(Call::Connect, &[Answer::Gate]);
        let leader = rig.waiter();
        let mut followers = [rig.waiter(), rig.waiter()];
        drop(leader);
        assert_eq!(rig.server.waiting(Call::Connect), 1, "its connect goes on");
        rig.server.open_gate(Call::Connect, answer);
        rig.sim.advance(50 * MS);
        for follower in &mut followers {
            match (answer, follower.ready()) {
                (Answer::Permanent, Err(error)) => {
                    assert_eq!(error.kind(), AcquireErrorKind::ConnectFailed);
                }
                (Answer::Ok | Answer::Error, Ok(guard)) => drop(guard),
                (_, result) => panic!("{answer:?}: {result:?}"),
            }
        }
        let connects = if answer == Answer::Error { 2 } else { 1 };
        assert_eq!(rig.server.started(Call::Connect), connects);
        rig.audit(0);
    }
}
