//! Who is served, in what order, and by when.

use std::time::Duration;

use pool_core::{AcquireErrorKind, AcquirePhase, PoolConfig, TryAcquireError};
use pool_testkit::{Answer, Call, Hand};

use crate::rig::{MS, Rig, SEC};

#[test]
fn a_closed_pool_fails_at_once_without_touching_a_connection() {
    let rig = Rig::with_max_open(2);
    let _ = rig.sim.block_on(rig.pool.close(SEC));
    let error = Hand::new(rig.pool.acquire()).ready().expect_err("closed");
    assert_eq!(error.kind(), AcquireErrorKind::Closed);
    assert!(error.is_closed() && !error.is_timeout());
    assert_eq!(error.to_string(), "pool fake is closed");
    assert_eq!(rig.pool.try_acquire().expect_err("closed"), TryAcquireError::Closed);
    rig.sim.advance(SEC);
    assert_eq!(rig.server.started(Call::Connect), 0);
}

#[test]
fn a_full_waiter_queue_fails_at_once_without_touching_a_connection() {
    let rig = Rig::new(PoolConfig { max_open: 1, max_waiters: 2, ..PoolConfig::default() });
    let held = rig.acquire();
    let (_first, _second) = (rig.waiter(), rig.waiter());
    let error = Hand::new(rig.pool.acquire()).ready().expect_err("two wait already");
    assert_eq!(error.kind(), AcquireErrorKind::QueueFull);
    assert_eq!(error.details().waited, Duration::ZERO);
    assert!(!error.is_closed());
    assert_eq!((rig.server.started(Call::Connect), rig.pool.stats().waiting), (1, 2));
    let acquires = rig.pool.stats().acquires;
    assert_eq!((acquires.queue_full, acquires.failed(), acquires.started), (1, 1, 4));
    drop(held);
}

#[test]
fn idle_connections_go_out_newest_first_so_that_surplus_ages_out() {
    let rig = Rig::with_max_open(3);
    let guards = rig.acquire_many(3);
    let ids: Vec<_> = guards.iter().map(|guard| guard.id()).collect();
    for guard in guards {
        rig.sim.advance(MS);
        drop(guard);
    }
    let again = rig.acquire_many(3);
    let again: Vec<_> = again.iter().map(|guard| guard.id()).collect();
    assert_eq!(again, [ids[2], ids[1], ids[0]]);
}

#[test]
fn a_waiter_takes_a_returned_connection_before_its_connect_is_done() {
    let rig = Rig::with_max_open(2);
    let held = rig.acquire();
    rig.server.always(Call::Connect, Answer::Gate);
    let mut waiter = rig.waiter();
    assert_eq!(rig.server.waiting(Call::Connect), 1);
    let id = held.id();
    drop(held);
    let served = waiter.ready().expect("served");
    assert_eq!(served.id(), id);
    // The connect goes on and its connection is kept.
    rig.server.open_gate(Call::Connect, Answer::Ok);
    rig.sim.run();
    assert_eq!((rig.pool.stats().idle, rig.pool.stats().in_use), (1, 1));
    drop(served);
    rig.audit(0);
}

#[test]
fn a_waiter_takes_a_newly_opened_connection_before_one_comes_back() {
    let rig = Rig::with_max_open(2);
    let held = rig.acquire();
    rig.server.always(Call::Connect, Answer::Late(150 * MS));
    let mut waiter = rig.waiter();
    rig.sim.advance(150 * MS);
    let served = waiter.ready().expect("served");
    assert_ne!(served.id(), held.id());
}

/// One acquire that is half a second in the queue, then waits two for a call that hangs, then for a
/// connect until its deadline.
#[track_caller]
fn expect_one_deadline(rig: &Rig, hanging: Call, leave_the_queue: impl FnOnce()) {
    rig.server.always(hanging, Answer::Never);
    rig.server.always(Call::Connect, Answer::Never);
    let under_way = || (rig.server.started(hanging), rig.server.started(Call::Connect));
    let acquire = rig.spawn_acquire();
    rig.sim.advance(SEC / 2);
    assert_eq!(under_way(), (0, 1), "the connect was that of the one connection there is");
    leave_the_queue();
    rig.sim.advance(2 * SEC - MS);
    assert_eq!(under_way(), (1, 1));
    rig.sim.advance(MS);
    assert_eq!(under_way(), (1, 2));
    rig.sim.advance(SEC / 2 - MS);
    assert!(!acquire.is_done(), "a millisecond is left");
    rig.sim.advance(MS);
    let error = acquire.take().expect("its deadline").expect_err("nothing answers");
    let details = error.details();
    let ended = (error.kind(), details.phase, details.waited);
    assert_eq!(ended, (AcquireErrorKind::Timeout, AcquirePhase::Opening, 3 * SEC));
}

fn three_seconds() -> PoolConfig {
    PoolConfig {
        max_open: 1,
        acquire_timeout: 3 * SEC,
        check_timeout: 2 * SEC,
        ..PoolConfig::default()
    }
}

#[test]
fn the_deadline_is_one_over_queueing_checking_and_opening() {
    let rig = Rig::new(three_seconds());
    rig.fill(1);
    rig.sim.advance(SEC);
    rig.pool.control().pause();
    expect_one_deadline(&rig, Call::Check, || rig.pool.control().resume());
}

#[test]
fn the_deadline_is_one_over_queueing_resetting_and_opening() {
    let rig = Rig::new(three_seconds());
    let mut held = rig.acquire();
    held.begin();
    expect_one_deadline(&rig, Call::Reset, || drop(held));
}

#[test]
fn with_every_idle_connection_black_holed_an_acquire_returns_at_its_deadline() {
    let rig = Rig::new(PoolConfig {
        max_open: 8,
        acquire_timeout: SEC / 10,
        max_idle_time: None,
        max_lifetime: None,
        ..PoolConfig::default()
    });
    rig.fill(8);
    rig.sim.advance(60 * SEC);
    rig.server.always(Call::Check, Answer::Never);
    rig.server.always(Call::Connect, Answer::Never);
    for _ in 0..20 {
        let started = rig.sim.now();
        let error = rig.sim.block_on(rig.pool.acquire()).expect_err("nothing answers");
        assert_eq!(error.kind(), AcquireErrorKind::Timeout);
        assert_eq!(rig.sim.now().since(started), SEC / 10);
    }
}

#[test]
fn deadlines_fire_in_their_order_whatever_the_order_of_the_acquires() {
    let rig = Rig::with_max_open(1);
    let _held = rig.acquire();
    let timeouts = [700, 100, 500, 300, 900, 200].map(|ms| ms * MS);
    let tasks = timeouts.map(|timeout| {
        let (acquire, sim) = (rig.pool.acquire_owned_within(timeout), rig.sim.clone());
        let started = rig.sim.now();
        rig.sim.spawn(async move {
            let error = acquire.await.expect_err("held for ever");
            (error.details().waited, sim.now().since(started))
        })
    });
    rig.sim.advance(SEC);
    for (timeout, task) in timeouts.into_iter().zip(tasks) {
        assert_eq!(task.take(), Some((timeout, timeout)));
    }
    let acquires = rig.pool.stats().acquires;
    assert_eq!((acquires.timed_out, acquires.failed(), acquires.started), (6, 6, 7));
}

#[test]
fn the_longest_timeout_neither_panics_nor_fires_early() {
    let rig = Rig::with_max_open(1);
    let held = rig.acquire();
    let mut waiter = Hand::new(rig.pool.acquire_within(Duration::MAX));
    waiter.pending();
    rig.sim.advance(Duration::from_hours(24 * 365));
    waiter.pending();
    drop(held);
    rig.sim.run();
    drop(waiter.ready().expect("served"));
}

#[test]
fn a_connection_used_recently_is_handed_out_unchecked() {
    let rig = Rig::with_max_open(1);
    rig.fill(1);
    rig.sim.advance(500 * MS);
    drop(rig.acquire());
    assert_eq!(rig.server.started(Call::Check), 0);
    rig.sim.advance(501 * MS);
    drop(rig.acquire());
    assert_eq!(rig.server.started(Call::Check), 1);
}

#[test]
fn check_after_idle_of_zero_checks_always_and_none_never() {
    let always =
        PoolConfig { max_open: 1, check_after_idle: Some(Duration::ZERO), ..PoolConfig::default() };
    let rig = Rig::new(PoolConfig { check_after_idle: None, ..always.clone() });
    rig.fill(1);
    rig.sim.advance(300 * SEC);
    drop(rig.acquire());
    assert_eq!(rig.server.started(Call::Check), 0);

    let rig = Rig::new(always);
    rig.fill(1);
    for checks in 1..=2 {
        // Also if the clock shows the time of the release: the cheap one has ticks.
        drop(rig.acquire());
        assert_eq!(rig.server.started(Call::Check), checks);
    }
}

#[test]
fn a_dead_idle_connection_is_replaced_within_the_same_acquire() {
    let rig = Rig::with_max_open(1);
    rig.fill(1);
    rig.sim.advance(10 * SEC);
    rig.server.sever_all();
    let guard = rig.acquire();
    assert_eq!(guard.id(), 2, "a new connection");
    assert_eq!(rig.pool.stats().closed.of(pool_core::CloseReason::CheckFailed), 1);
    drop(guard);
    rig.audit(0);
}

#[test]
fn after_one_dead_idle_connection_the_same_acquire_opens_beside_the_next_check() {
    let rig = Rig::new(PoolConfig { max_open: 8, ..PoolConfig::default() });
    rig.fill(8);
    rig.sim.advance(10 * SEC);
    rig.server.always(Call::Check, Answer::Never);
    let started = rig.sim.now();
    drop(rig.acquire());
    assert_eq!(rig.sim.now().since(started), 2 * SEC, "one check_timeout, not eight");
    assert_eq!(rig.server.started(Call::Check), 2, "the next one only, beside the connect");
}

#[test]
fn an_idle_connection_serves_although_a_connect_is_in_flight() {
    let rig = Rig::new(PoolConfig { max_open: 10, min_idle: 1, ..PoolConfig::default() });
    rig.server.next(Call::Connect, &[Answer::Ok]);
    rig.server.always(Call::Connect, Answer::Never);
    drop(rig.acquire());
    rig.sim.advance(SEC);
    assert_eq!((rig.pool.stats().idle, rig.pool.stats().opening), (1, 1), "a spare hangs");
    let started = rig.sim.now();
    drop(rig.acquire());
    assert_eq!(rig.sim.now(), started);
    assert_eq!(rig.server.started(Call::Check), 1);
}

#[test]
fn after_a_dead_idle_connection_the_next_one_serves_although_the_connect_hangs() {
    let rig = Rig::with_max_open(3);
    rig.fill(2);
    rig.sim.advance(SEC);
    rig.server.next(Call::Check, &[Answer::Error]);
    rig.server.always(Call::Connect, Answer::Never);
    let guard = rig.acquire();
    assert_eq!(guard.id(), 1, "the older of the two");
}

#[test]
fn a_keepalive_check_that_hangs_does_not_hold_up_those_who_wait() {
    let rig = Rig::new(PoolConfig {
        max_open: 2,
        keepalive: Some(5 * SEC),
        max_idle_time: None,
        ..PoolConfig::default()
    });
    rig.fill(2);
    rig.server.next(Call::Check, &[Answer::Never]);
    rig.server.always(Call::Connect, Answer::Never);
    rig.sim.advance(5 * SEC);
    assert_eq!((rig.pool.stats().checking, rig.pool.stats().idle), (1, 1));
    let started = rig.sim.now();
    drop(rig.acquire());
    assert_eq!(rig.sim.now(), started, "served by the other one");
}

#[test]
fn try_acquire_takes_an_idle_connection_without_a_worker() {
    let sim = pool_testkit::Sim::new(5);
    let server = pool_testkit::FakeServer::new(sim.runtime());
    let options = pool_core::PoolOptions {
        runtime: Some(sim.runtime()),
        ..PoolConfig { max_open: 2, ..PoolConfig::default() }.into()
    };
    let driver = pool_testkit::FakeDriver::new(&server);
    let pool = sim.block_on(pool_core::Pool::open(driver, options)).expect("opened");
    drop(pool.try_acquire().expect("idle and fresh"));
}

#[test]
fn nobody_barges_past_a_waiter_while_a_connection_is_idle() {
    let rig = Rig::with_max_open(1);
    let held = rig.acquire();
    let mut waiter = rig.waiter();
    rig.pool.control().pause();
    drop(held);
    rig.pool.control().resume();
    assert_eq!(rig.pool.stats().idle, 1, "the worker has not looked yet");
    assert_eq!(rig.pool.try_acquire().expect_err("others wait"), TryAcquireError::NotIdle);
    let mut newcomer = Hand::new(rig.pool.acquire());
    newcomer.pending();
    rig.sim.run();
    drop(waiter.ready().expect("first"));
    drop(newcomer.poll_if_woken());
}

#[test]
fn try_acquire_takes_only_what_is_idle_and_fresh() {
    let rig = Rig::with_max_open(2);
    assert_eq!(rig.pool.try_acquire().expect_err("cold"), TryAcquireError::NotIdle);
    rig.fill(1);
    let guard = rig.pool.try_acquire().expect("idle");
    assert_eq!(rig.pool.try_acquire().expect_err("out"), TryAcquireError::NotIdle);
    drop(guard);
    rig.sim.advance(10 * SEC);
    assert_eq!(rig.pool.try_acquire().expect_err("to be checked"), TryAcquireError::NotIdle);
    assert_eq!(rig.server.started(Call::Connect), 1);
}
