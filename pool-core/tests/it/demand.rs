//! How many connects start, and when, for those who wait.

use pool_core::PoolConfig;
use pool_testkit::{Answer, Call};

use crate::rig::{MS, Rig, SEC};

/// A pool of `count` idle connections. Each was held for `hold_ms`; a connect takes 100 ms.
fn used_to(count: usize, hold_ms: u32) -> Rig {
    let rig = Rig::new(PoolConfig {
        max_open: 100,
        check_after_idle: None,
        acquire_timeout: 60 * SEC,
        ..PoolConfig::default()
    });
    rig.server.always(Call::Connect, Answer::Late(100 * MS));
    rig.sim.block_on(rig.pool.warm_up(count, SEC)).expect("opened");
    let held = rig.acquire_many(count);
    rig.sim.advance(hold_ms * MS);
    drop(held);
    assert_eq!(started(&rig), count as u64);
    rig
}

fn started(rig: &Rig) -> u64 {
    rig.server.started(Call::Connect)
}

#[test]
fn without_a_connection_each_waiter_gets_a_connect_at_once() {
    let rig = Rig::with_max_open(100);
    rig.server.always(Call::Connect, Answer::Gate);
    let mut waiters = Vec::new();
    for expected in 1..=8 {
        waiters.push(rig.waiter());
        assert_eq!(started(&rig), expected);
    }
    waiters.push(rig.waiter());
    assert_eq!(started(&rig), 8, "max_opening");
}

#[test]
fn a_queue_that_will_be_served_before_a_connect_is_done_opens_nothing_at_once() {
    let rig = used_to(2, 10);
    let _held = rig.acquire_many(2);
    // 20 x 10 ms / 2 is no more than 100 ms.
    let _waiters: Vec<_> = (0..20).map(|_| rig.waiter()).collect();
    assert_eq!(started(&rig), 2);
    let _one_more = rig.waiter();
    assert_eq!(started(&rig), 2 + 1, "ceil(21 x 10 / 100) - 2");
}

#[test]
fn as_many_connects_start_as_hold_and_connect_times_ask_for() {
    let rig = used_to(2, 200);
    let _held = rig.acquire_many(2);
    let _first = rig.waiter();
    assert_eq!(started(&rig), 2, "1 x 200 ms / 2 is no more than 100 ms");
    let _second = rig.waiter();
    assert_eq!(started(&rig), 2 + 2, "ceil(2 x 200 / 100) - 2");
    let _third = rig.waiter();
    assert_eq!(started(&rig), 2 + 2, "1 x 200 ms / 2 again: two are covered by those in flight");
    let _fourth = rig.waiter();
    assert_eq!(started(&rig), 2 + 2, "ceil(2 x 200 / 100) - 2 - 2 in flight");
}

#[test]
fn a_queue_that_stays_gets_one_two_and_four_connects_every_half_connect_time() {
    let rig = used_to(1, 1);
    let _held = rig.acquire();
    let _waiters: Vec<_> = (0..20).map(|_| rig.waiter()).collect();
    let mut so_far = Vec::new();
    for _ in 0..4 {
        rig.sim.advance(49 * MS);
        so_far.push(started(&rig) - 1);
        rig.sim.advance(MS);
    }
    assert_eq!(so_far, [0, 1, 3, 7]);
}

#[test]
fn a_queue_that_was_served_begins_anew_with_one() {
    let rig = used_to(1, 1);
    for _ in 0..2 {
        let before = started(&rig);
        let held = rig.acquire_many(rig.pool.stats().idle);
        let waiters: Vec<_> = (0..2).map(|_| rig.waiter()).collect();
        rig.sim.advance(49 * MS);
        assert_eq!(started(&rig), before);
        rig.sim.advance(MS);
        assert_eq!(started(&rig), before + 1);
        drop(held);
        drop(waiters);
        rig.sim.advance(SEC);
    }
}

#[test]
fn before_a_connection_came_back_the_oldest_checkout_says_how_long_one_is_held() {
    for (held_ms, at_once) in [(0, 0), (100, 0), (101, 1), (5_000, 1)] {
        let rig = Rig::with_max_open(100);
        rig.server.always(Call::Connect, Answer::Late(100 * MS));
        let _held = rig.acquire();
        rig.sim.advance(held_ms * MS);
        let _waiter = rig.waiter();
        assert_eq!(started(&rig) - 1, at_once, "held for {held_ms} ms");
    }
    // At least 10 ms, though it was held for none: 11 x 10 ms is more than 100 ms.
    let rig = Rig::with_max_open(100);
    rig.server.always(Call::Connect, Answer::Late(100 * MS));
    let _held = rig.acquire();
    let _waiters: Vec<_> = (0..10).map(|_| rig.waiter()).collect();
    assert_eq!(started(&rig), 1);
    let _one_more = rig.waiter();
    assert_eq!(started(&rig), 1 + 1);
}
