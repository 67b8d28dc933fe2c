//! Every connection replaced by a new one, while the pool serves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pool_core::runtime::{Instant, NoRuntime, Runtime, Task, Timer};
use pool_core::{Circuit, CloseReason, Guard, Pool, PoolConfig, PoolOptions, Steering};
use pool_testkit::{Answer, Call, FakeDriver, FakeServer, Sim};

use crate::rig::{MS, Rig, SEC};

/// A pool whose connections nothing but a renewal closes.
fn lasting(max_open: usize) -> Rig {
    Rig::new(PoolConfig {
        max_open,
        max_lifetime: None,
        max_idle_time: None,
        ..PoolConfig::default()
    })
}

fn invalidated(rig: &Rig) -> u64 {
    rig.pool.stats().closed.of(CloseReason::Invalidated)
}

/// The numbers of all connections, which are idle.
fn ids(rig: &Rig) -> BTreeSet<u64> {
    rig.acquire_many(rig.pool.stats().idle).iter().map(|guard| guard.id()).collect()
}

#[test]
fn each_connection_is_closed_once_the_one_that_replaces_it_is_open_one_at_a_time() {
    let rig = lasting(10);
    rig.fill(4);
    rig.server.always(Call::Connect, Answer::Late(150 * MS));
    assert_eq!(rig.pool.control().renew(), 4);
    for _ in 0..5 * 200 {
        rig.sim.advance(MS);
        let stats = rig.pool.stats();
        assert!(stats.idle == 4 && stats.opening <= 1, "{stats:?}");
    }
    assert_eq!((invalidated(&rig), rig.pool.stats().opened), (4, 8));
    assert_eq!(ids(&rig), BTreeSet::from([5, 6, 7, 8]));
    rig.sim.advance(60 * SEC);
    assert_eq!(rig.pool.stats().opened, 8, "once");
}

#[test]
fn a_slow_connect_is_waited_for_before_the_next() {
    let rig = lasting(10);
    rig.fill(3);
    rig.server.always(Call::Connect, Answer::Late(SEC));
    rig.pool.control().renew();
    for closed in 0..=3 {
        rig.sim.advance(500 * MS);
        let stats = rig.pool.stats();
        assert_eq!((invalidated(&rig), stats.opening), (closed, usize::from(closed < 3)));
        rig.sim.advance(750 * MS);
    }
}

#[test]
fn while_connects_fail_the_old_connections_go_on_and_then_they_are_replaced() {
    for answer in [Answer::Error, Answer::Permanent] {
        let rig = lasting(10);
        rig.fill(3);
        rig.server.always(Call::Connect, answer);
        rig.pool.control().renew();
        for _ in 0..60 {
            rig.sim.advance(SEC);
            drop(rig.acquire());
        }
        let stats = rig.pool.stats();
        assert_eq!((stats.idle, stats.closed.total()), (3, 0), "{answer:?}");
        assert_ne!(stats.circuit, Circuit::Closed);
        assert!((30..200).contains(&stats.open_failed), "as in any outage: {stats:?}");
        rig.server.heal();
        rig.sim.advance(5 * SEC);
        let stats = rig.pool.stats();
        assert_eq!((stats.idle, invalidated(&rig), stats.circuit), (3, 3, Circuit::Closed));
    }
}

#[test]
fn at_the_cap_one_idle_connection_at_a_time_is_closed_first() {
    let rig = lasting(4);
    rig.fill(4);
    rig.server.always(Call::Connect, Answer::Late(400 * MS));
    rig.pool.control().renew();
    for _ in 0..4 * 1000 {
        rig.sim.advance(MS);
        let stats = rig.pool.stats();
        assert!(stats.idle >= 3 && stats.open <= 4, "{stats:?}");
    }
    assert_eq!((invalidated(&rig), ids(&rig)), (4, BTreeSet::from([5, 6, 7, 8])));
}

#[test]
fn at_the_cap_no_more_than_one_is_lost_while_connects_fail() {
    for in_use in [0, 4] {
        let rig = lasting(4);
        let mut held = rig.acquire_many(4);
        held.truncate(in_use);
        rig.server.always(Call::Connect, Answer::LateError(3 * SEC));
        rig.pool.control().renew();
        // Each of those in use has its turn before the first comes back.
        rig.sim.advance(2 * SEC);
        drop(held);
        for _ in 0..30 {
            rig.sim.advance(SEC);
            assert!(rig.pool.stats().idle >= 3, "{in_use} in use: {:?}", rig.pool.stats());
        }
        assert_eq!(invalidated(&rig), 1);
        rig.server.heal();
        rig.sim.advance(5 * SEC);
        let renewed = (invalidated(&rig), rig.pool.stats().open);
        assert_eq!(renewed, (4, 3), "{in_use} in use: the three without losing another");
    }
}

#[test]
fn an_outage_that_nobody_looked_at_since_the_pool_is_full_does_not_keep_it_from_being_renewed() {
    let rig = lasting(3);
    rig.fill(2);
    let held = rig.acquire_many(2);
    rig.server.always(Call::Connect, Answer::Error);
    let waiter = rig.waiter();
    drop((waiter, held));
    rig.server.heal();
    rig.pool.reconfigure(PoolConfig { max_open: 2, ..rig.pool.config() }).expect("valid");
    assert_ne!(rig.pool.stats().circuit, Circuit::Closed, "there was no room to find out");
    rig.pool.control().renew();
    rig.sim.advance(3 * SEC);
    assert_eq!((invalidated(&rig), rig.pool.stats().circuit), (2, Circuit::Closed));
}

#[test]
fn those_in_use_are_closed_when_they_come_back() {
    for max_open in [3, 4] {
        let rig = lasting(max_open);
        let mut held = rig.acquire_many(3);
        rig.pool.control().renew();
        rig.sim.advance(10 * SEC);
        for guard in &mut held {
            guard.query("select 1").expect("still its own");
        }
        assert_eq!(invalidated(&rig), 0);
        while let Some(guard) = held.pop() {
            drop(guard);
            rig.sim.advance(SEC);
        }
        rig.sim.advance(SEC);
        assert_eq!(invalidated(&rig), 3, "of at most {max_open}");
        assert!(ids(&rig).iter().all(|id| *id > 3));
    }
}

/// The simulated runtime with a clock that can be put back, as the cheap one is behind the exact one.
#[derive(Debug)]
struct PutBack {
    sim: Sim,
    nanos: Arc<AtomicU64>,
}

impl Runtime for PutBack {
    fn spawn(&self, task: Task) -> Result<(), NoRuntime> {
        Runtime::spawn(&self.sim, task)
    }
    fn timer(&self) -> Result<Box<dyn Timer>, NoRuntime> {
        self.sim.timer()
    }
    fn now(&self) -> Instant {
        Instant::from_nanos(self.sim.now().as_nanos() - self.nanos.load(Ordering::Relaxed))
    }
}

#[test]
fn one_that_comes_back_by_a_clock_from_before_its_turn_is_replaced_all_the_same() {
    for max_open in [2, 3] {
        let (sim, nanos) = (Sim::new(1), Arc::new(AtomicU64::new(0)));
        let server = FakeServer::new(sim.runtime());
        let config = PoolConfig {
            max_open,
            max_lifetime: None,
            max_idle_time: None,
            ..PoolConfig::default()
        };
        let runtime = PutBack { sim: sim.clone(), nanos: Arc::clone(&nanos) };
        let options = PoolOptions { runtime: Some(Arc::new(runtime)), ..config.into() };
        let pool = Pool::new(FakeDriver::new(&server), options).expect("valid");
        let held: Vec<_> =
            (0..2).map(|_| sim.block_on(pool.acquire()).expect("acquired")).collect();
        sim.advance(SEC);
        pool.control().renew();
        // The turn of each comes: without room it waits for its user, with room it is replaced before.
        sim.advance(SEC);
        nanos.store((2 * SEC).as_nanos() as u64, Ordering::Relaxed);
        drop(held);
        nanos.store(0, Ordering::Relaxed);
        sim.advance(5 * SEC);
        let stats = pool.stats();
        assert_eq!(stats.closed.of(CloseReason::Invalidated), 2, "{stats:?}");
        assert_eq!(stats.closed.total(), 2, "{stats:?}");
    }
}

#[test]
fn one_that_goes_on_when_it_comes_back_has_its_next_turn_though_nothing_else_is_due() {
    let rig = lasting(2);
    let mut held = rig.acquire_many(2);
    rig.pool.control().renew();
    // Both are to be closed when they come back, and then there is room for a replacement.
    rig.sim.advance(SEC);
    Guard::discard(held.pop().expect("two"));
    rig.sim.advance(SEC);
    drop(held);
    rig.sim.advance(SEC);
    assert_eq!((invalidated(&rig), ids(&rig)), (1, BTreeSet::from([3])));
}

#[test]
fn a_connect_from_before_the_renewal_is_renewed_when_it_is_there() {
    let rig = lasting(4);
    rig.server.next(Call::Connect, &[Answer::Late(SEC)]);
    let mut waiter = rig.waiter();
    assert_eq!(rig.pool.control().renew(), 1);
    rig.sim.advance(SEC);
    assert_eq!(waiter.ready().expect("served").id(), 1);
    rig.sim.advance(SEC);
    assert_eq!((invalidated(&rig), ids(&rig)), (1, BTreeSet::from([2])));
}

#[test]
fn under_load_no_acquire_fails_and_every_connection_is_replaced() {
    for (max_open, users) in [(1, 3), (4, 3), (4, 12), (20, 12)] {
        let rig = Rig::new(PoolConfig {
            max_open,
            acquire_timeout: SEC,
            max_lifetime: None,
            ..PoolConfig::default()
        });
        rig.server.always(Call::Connect, Answer::Late(20 * MS));
        let served = Arc::new(AtomicU64::new(0));
        for user in 0..users {
            let (pool, sim, served) = (rig.pool.clone(), rig.sim.clone(), Arc::clone(&served));
            drop(rig.sim.spawn(async move {
                loop {
                    let mut guard = pool.acquire_owned().await.expect("served");
                    sim.sleep((3 + user % 5) * MS).await;
                    guard.query("select 1").expect("answered");
                    served.fetch_add(1, Ordering::Relaxed);
                    drop(guard);
                    sim.sleep(2 * MS).await;
                }
            }));
        }
        rig.sim.advance(SEC);
        for round in 1..=5 {
            let (renewed, before) = (rig.pool.control().renew(), served.load(Ordering::Relaxed));
            rig.sim.advance(10 * SEC);
            let stats = rig.pool.stats();
            assert!(stats.acquires.failed() == 0, "{stats:?}");
            assert!(served.load(Ordering::Relaxed) > before + 100);
            assert!(invalidated(&rig) >= renewed as u64 * round, "round {round}: {stats:?}");
        }
    }
}

#[test]
fn a_paused_pool_renews_when_it_is_resumed_and_a_closed_one_never() {
    let rig = lasting(4);
    rig.fill(2);
    rig.pool.control().pause();
    rig.pool.control().renew();
    rig.sim.advance(10 * SEC);
    assert_eq!(rig.pool.stats().opened, 2);
    rig.pool.control().resume();
    rig.sim.advance(2 * SEC);
    assert_eq!((rig.pool.stats().opened, invalidated(&rig)), (4, 2));
    rig.pool.control().renew();
    assert!(rig.sim.block_on(rig.pool.close(SEC)).drained);
    assert_eq!(rig.pool.control().renew(), 0);
    rig.sim.advance(10 * SEC);
    assert_eq!(rig.pool.stats().closed.of(CloseReason::PoolClosed), 2);
}

#[test]
fn below_an_opening_ceiling_that_leaves_no_room_nothing_is_closed() {
    let rig = lasting(4);
    rig.fill(3);
    rig.pool.control().steer(Steering::opening_up_to(2));
    rig.pool.control().renew();
    rig.sim.advance(10 * SEC);
    assert_eq!((rig.pool.stats().idle, invalidated(&rig)), (3, 0));
    rig.pool.control().steer(Steering::default());
    rig.sim.advance(2 * SEC);
    assert_eq!(invalidated(&rig), 3);
}

#[test]
fn a_lifetime_ends_when_it_ends_whether_or_not_a_renewal_succeeds() {
    let rig = Rig::new(PoolConfig {
        max_open: 4,
        max_lifetime: Some(60 * SEC),
        lifetime_jitter: 0,
        max_idle_time: None,
        ..PoolConfig::default()
    });
    rig.fill(1);
    let held = rig.acquire();
    rig.server.always(Call::Connect, Answer::Error);
    rig.sim.advance(30 * SEC);
    rig.pool.control().renew();
    rig.sim.advance(31 * SEC);
    drop(held);
    rig.sim.run();
    assert_eq!(rig.pool.stats().closed.of(CloseReason::Lifetime), 1);
}

#[test]
fn what_is_invalidated_meanwhile_is_closed_at_once_and_not_replaced() {
    let rig = lasting(10);
    rig.fill(3);
    let held = rig.acquire();
    rig.server.always(Call::Connect, Answer::Late(SEC));
    rig.pool.control().renew();
    rig.sim.run();
    assert_eq!(rig.pool.control().invalidate(), 4, "with the replacement that is being opened");
    rig.sim.advance(10 * SEC);
    drop(held);
    rig.sim.run();
    assert_eq!(rig.pool.stats().open, 0);
    assert_eq!(rig.pool.control().renew(), 0);
}
