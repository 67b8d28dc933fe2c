//! Where a connection goes when it comes back, and what the statistics say.

use std::time::Duration;

use pool_core::{CloseReason, Guard, PoolConfig, Steering};
use pool_testkit::{Answer, Call};

use crate::rig::{MS, Rig, SEC};

fn closed(rig: &Rig, reason: CloseReason) -> u64 {
    rig.pool.stats().closed.of(reason)
}

#[test]
fn a_broken_connection_is_closed_rather_than_handed_to_a_waiter() {
    let rig = Rig::with_max_open(1);
    let mut held = rig.acquire();
    let mut waiter = rig.waiter();
    held.sever();
    drop(held);
    rig.sim.run();
    assert_eq!(waiter.ready().expect("served").id(), 2, "by a new connection");
    assert_eq!(closed(&rig, CloseReason::Broken), 1);
}

#[test]
fn a_connection_that_expired_in_use_is_closed_when_it_comes_back() {
    let rig = Rig::new(PoolConfig {
        max_open: 1,
        max_lifetime: Some(60 * SEC),
        lifetime_jitter: 0,
        ..PoolConfig::default()
    });
    let held = rig.acquire();
    rig.sim.advance(61 * SEC);
    assert_eq!(rig.pool.stats().in_use, 1, "a connection in use is never touched");
    drop(held);
    rig.sim.run();
    assert_eq!((closed(&rig, CloseReason::Lifetime), rig.server.sockets()), (1, 0));
}

#[test]
fn a_connection_of_an_old_generation_is_closed_when_it_comes_back() {
    let rig = Rig::with_max_open(2);
    let held = rig.acquire();
    rig.fill(1);
    assert_eq!(rig.pool.control().invalidate(), 2);
    rig.sim.run();
    assert_eq!(closed(&rig, CloseReason::Invalidated), 1, "the idle one, now");
    drop(held);
    rig.sim.run();
    assert_eq!(closed(&rig, CloseReason::Invalidated), 2, "the borrowed one, on return");
    assert_eq!(rig.acquire().id(), 3);
}

#[test]
fn a_connection_beyond_max_open_is_closed_when_it_comes_back_though_others_wait() {
    let rig = Rig::with_max_open(2);
    let (first, second) = (rig.acquire(), rig.acquire());
    let mut waiter = rig.waiter();
    let config = PoolConfig { max_open: 1, ..rig.pool.config() };
    let outcome = rig.pool.reconfigure(config).expect("valid");
    assert_eq!((outcome.closed, outcome.awaiting_return), (0, 1));
    drop(first);
    waiter.pending();
    drop(second);
    assert_eq!(waiter.ready().expect("served").id(), 2);
    assert_eq!(closed(&rig, CloseReason::Surplus), 1);
}

#[test]
fn a_dirty_connection_is_reset_before_anybody_else_has_it() {
    let rig = Rig::with_max_open(1);
    let mut held = rig.acquire();
    held.begin();
    held.alter();
    let mut waiter = rig.waiter();
    drop(held);
    waiter.pending();
    rig.sim.run();
    let next = waiter.ready().expect("served");
    assert_eq!((next.id(), next.session()), (1, pool_testkit::Session::default()));
    assert_eq!(rig.server.started(Call::Reset), 1);
}

#[test]
fn surplus_is_closed_only_after_it_stayed_unused_for_the_grace() {
    let rig = Rig::new(PoolConfig {
        max_open: 10,
        max_idle: 2,
        idle_grace: 5 * SEC,
        ..PoolConfig::default()
    });
    rig.fill(10);
    rig.sim.advance(5 * SEC - MS);
    assert_eq!(rig.pool.stats().idle, 10);
    rig.sim.advance(MS);
    assert_eq!((rig.pool.stats().idle, closed(&rig, CloseReason::Surplus)), (2, 8));
}

#[test]
fn surplus_that_is_used_again_within_the_grace_stays() {
    let rig = Rig::new(PoolConfig { max_open: 10, max_idle: 2, ..PoolConfig::default() });
    for _ in 0..60 {
        rig.fill(10);
        rig.sim.advance(SEC);
    }
    assert_eq!((rig.server.started(Call::Connect), rig.pool.stats().idle), (10, 10));
}

#[test]
fn a_grace_of_zero_closes_surplus_at_once() {
    let rig = Rig::new(PoolConfig {
        max_open: 10,
        max_idle: 2,
        idle_grace: Duration::ZERO,
        ..PoolConfig::default()
    });
    drop(rig.acquire_many(10));
    assert_eq!((rig.pool.stats().idle, closed(&rig, CloseReason::Surplus)), (2, 8));
}

#[test]
fn idle_connections_are_closed_after_max_idle_time_down_to_min_idle() {
    let rig = Rig::new(PoolConfig {
        max_open: 5,
        min_idle: 2,
        max_idle_time: Some(60 * SEC),
        ..PoolConfig::default()
    });
    rig.fill(5);
    rig.sim.advance(59 * SEC);
    assert_eq!(rig.pool.stats().idle, 5);
    rig.sim.advance(SEC);
    assert_eq!((rig.pool.stats().idle, closed(&rig, CloseReason::Idle)), (2, 3));
    rig.sim.advance(600 * SEC);
    assert_eq!(rig.server.started(Call::Connect), 5, "min_idle is not closed and opened again");
}

#[test]
fn tiny_and_endless_idle_times_keep_the_worker_calm() {
    for time in [Duration::from_nanos(1), Duration::MAX] {
        let rig = Rig::new(PoolConfig {
            max_open: 3,
            min_idle: 1,
            max_idle_time: Some(time),
            // Shorter ones are errors.
            max_lifetime: Some(time.max(100 * MS)),
            idle_grace: time,
            ..PoolConfig::default()
        });
        rig.server.always(Call::Connect, Answer::Late(100 * MS));
        drop(rig.acquire());
        let before = rig.sim.timers_fired();
        rig.sim.advance(10 * SEC);
        let fired = rig.sim.timers_fired() - before;
        assert!(fired <= 10 * 40, "{fired} timers in ten seconds with {time:?}");
    }
}

#[test]
fn hold_and_wait_times_add_up() {
    let rig = Rig::with_max_open(1);
    let held = rig.acquire();
    let waiter = rig.spawn_acquire();
    rig.sim.advance(3 * SEC);
    drop(held);
    rig.sim.run();
    let second = waiter.take().expect("done").expect("served");
    rig.sim.advance(2 * SEC);
    drop(second);
    let stats = rig.pool.stats();
    assert_eq!((stats.wait_count, stats.wait_time), (2, 3 * SEC), "the first waited for a connect");
    assert_eq!(stats.hold_time, 5 * SEC);
    assert_eq!((stats.acquires.opened, stats.acquires.waited), (1, 1));
    assert_eq!(stats.peak_in_use, 1);
}

#[test]
fn a_detached_connection_leaves_the_pool_and_makes_room() {
    let rig = Rig::with_max_open(1);
    let connection = Guard::detach(rig.acquire());
    assert_eq!(closed(&rig, CloseReason::Detached), 1);
    assert_eq!(rig.acquire().id(), 2, "another is opened in its place");
    drop(connection);
}

#[test]
fn surplus_is_what_has_been_too_many_for_the_grace_however_long_it_was_unused() {
    let rig = Rig::new(PoolConfig {
        max_open: 10,
        max_idle: 2,
        idle_grace: 5 * SEC,
        ..PoolConfig::default()
    });
    rig.fill(3);
    let held = rig.acquire();
    rig.sim.advance(10 * SEC);
    assert_eq!(rig.pool.stats().idle, 2);
    drop(held);
    // Any round of the worker.
    rig.pool.control().steer(Steering::default());
    rig.sim.advance(5 * SEC - MS);
    assert_eq!(rig.pool.stats().closed.of(CloseReason::Surplus), 0, "one too many for too short");
    rig.sim.advance(MS);
    assert_eq!(rig.pool.stats().closed.of(CloseReason::Surplus), 1);
}

#[test]
fn hold_times_are_summed_beyond_what_64_bits_hold() {
    let rig = Rig::new(PoolConfig { max_open: 2, max_lifetime: None, ..PoolConfig::default() });
    let guards = rig.acquire_many(2);
    let years = Duration::from_hours(300 * 365 * 24);
    rig.sim.advance(years);
    drop(guards);
    assert_eq!(rig.pool.stats().hold_time, 2 * years);
}

#[test]
fn the_peak_counts_what_users_had_not_what_is_being_reset() {
    let rig = Rig::with_max_open(2);
    rig.server.always(Call::Reset, Answer::Never);
    let mut guard = rig.acquire();
    guard.begin();
    drop(guard);
    rig.sim.run();
    let _guard = rig.acquire();
    assert_eq!((rig.pool.stats().in_use, rig.pool.stats().peak_in_use), (2, 1));
}

#[test]
fn a_detached_connection_makes_room_for_those_who_wait() {
    let rig = Rig::with_max_open(1);
    let held = rig.acquire();
    let mut waiter = rig.waiter();
    let connection = pool_core::Guard::detach(held);
    rig.sim.run();
    drop(waiter.ready().expect("room was made"));
    drop(connection);
}
