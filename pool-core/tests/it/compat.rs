//! Go's `database/sql`: its counters and rules kept, its defects beaten, each by name.

use std::time::Duration;

use pool_core::{CloseReason, PoolConfig};
use pool_testkit::{Answer, Call};

use crate::rig::{MS, Rig, SEC};

/// The settings of Go's pool: two idle connections, surplus closed at once.
fn as_in_go(max_open: usize) -> PoolConfig {
    PoolConfig {
        max_open,
        max_idle: 2,
        idle_grace: Duration::ZERO,
        max_lifetime: None,
        max_idle_time: None,
        ..PoolConfig::default()
    }
}

#[test]
fn the_counters_are_those_of_go_dbstats() {
    let rig = Rig::new(PoolConfig {
        max_lifetime: Some(600 * SEC),
        lifetime_jitter: 0,
        max_idle_time: Some(60 * SEC),
        ..as_in_go(4)
    });
    let guards = rig.acquire_many(4);
    let waiter = rig.spawn_acquire();
    rig.sim.advance(2 * SEC);
    let stats = rig.pool.db_stats();
    assert_eq!((stats.max_open_connections, stats.open_connections), (4, 4));
    assert_eq!((stats.in_use, stats.idle), (4, 0));
    drop(guards);
    rig.sim.run();
    drop(waiter.take());
    rig.sim.run();
    let stats = rig.pool.db_stats();
    assert_eq!((stats.wait_count, stats.wait_duration), (5, 2 * SEC));
    assert_eq!((stats.max_idle_closed, stats.idle), (2, 2));
    rig.sim.advance(61 * SEC);
    assert_eq!(rig.pool.db_stats().max_idle_time_closed, 2);
    let held = rig.acquire();
    rig.sim.advance(601 * SEC);
    drop(held);
    assert_eq!(rig.pool.db_stats().max_lifetime_closed, 1);
}

#[test]
fn in_use_counts_connections_being_opened_as_go_does() {
    let rig = Rig::with_max_open(3);
    rig.server.always(Call::Connect, Answer::Gate);
    let _waiters = (rig.waiter(), rig.waiter());
    let stats = rig.pool.db_stats();
    assert_eq!((stats.in_use, stats.open_connections), (2, 2));
}

#[test]
fn max_idle_of_zero_keeps_none() {
    let rig = Rig::new(PoolConfig { max_idle: 0, ..as_in_go(3) });
    drop(rig.acquire_many(3));
    assert_eq!(rig.pool.db_stats().idle, 0);
}

#[test]
fn lowering_max_open_below_max_idle_lowers_the_effective_max_idle() {
    let rig = Rig::new(PoolConfig { max_idle: 8, ..as_in_go(10) });
    rig.pool.reconfigure(PoolConfig { max_open: 3, ..rig.pool.config() }).expect("valid");
    assert_eq!(rig.pool.stats().max_idle, 3);
    drop(rig.acquire_many(3));
    assert_eq!(rig.pool.stats().idle, 3);
}

#[test]
fn beaten_go_serves_waiters_in_random_order() {
    let rig = Rig::new(as_in_go(1));
    let mut held = Some(rig.acquire());
    let mut waiters: Vec<_> = (0..50).map(|_| rig.waiter()).collect();
    for waiter in &mut waiters {
        drop(held.take());
        held = Some(waiter.ready().expect("served in the order of coming"));
    }
}

#[test]
fn beaten_go_wakes_nobody_when_max_open_is_raised() {
    let rig = Rig::new(as_in_go(1));
    let _held = rig.acquire();
    let mut waiter = rig.waiter();
    rig.pool.reconfigure(as_in_go(2)).expect("valid");
    rig.sim.run();
    drop(waiter.ready().expect("served at once, though nothing came back"));
}

#[test]
fn beaten_go_wait_count_misses_callers_that_wait_for_a_connect() {
    let rig = Rig::new(as_in_go(1));
    rig.server.always(Call::Connect, Answer::Late(100 * MS));
    drop(rig.acquire());
    let stats = rig.pool.db_stats();
    assert_eq!((stats.wait_count, stats.wait_duration), (1, 100 * MS));
}

#[test]
fn beaten_go_shrink_closes_the_most_recently_used() {
    let rig = Rig::new(PoolConfig { max_idle: 3, ..as_in_go(3) });
    let guards = rig.acquire_many(3);
    let last = guards[2].id();
    for guard in guards {
        rig.sim.advance(MS);
        drop(guard);
    }
    rig.pool.reconfigure(PoolConfig { max_idle: 1, ..as_in_go(3) }).expect("valid");
    assert_eq!(rig.acquire().id(), last, "the most recently used stays");
}

#[test]
fn beaten_go_default_of_two_idle_connections_churns() {
    let connects = |config: PoolConfig| {
        let rig = Rig::new(PoolConfig { max_open: 20, ..config });
        for _ in 0..100 {
            drop(rig.acquire_many(20));
            rig.sim.advance(10 * MS);
        }
        assert_eq!(rig.pool.stats().closed.of(CloseReason::Idle), 0);
        rig.server.started(Call::Connect)
    };
    assert_eq!(connects(as_in_go(20)), 20 + 99 * 18, "as Go does it");
    assert_eq!(connects(PoolConfig::default()), 20, "by default");
}
