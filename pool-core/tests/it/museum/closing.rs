//! Closing, at any moment.

use std::time::Duration;

use pool_core::{Guard, PoolConfig, PoolState};
use pool_testkit::{Answer, Call, Hand, Sim};

use super::foreign::{Foreign, Place};
use crate::promptly::promptly;
use crate::rig::{Acquired, Guard as Guarded, MS, Rig, SEC};

/// What is still there of a user when the pool is closed.
enum Left<'a> {
    Waiter(Hand<'a, Acquired<'a>>),
    Guard(Guarded<'a>),
    Nothing,
}

fn connecting(rig: &Rig) -> Left<'_> {
    rig.server.always(Call::Connect, Answer::Gate);
    Left::Waiter(rig.waiter())
}

/// The server has answered, and the worker has not looked yet.
fn connected(rig: &Rig) -> Left<'_> {
    let waiter = connecting(rig);
    rig.server.open_gate(Call::Connect, Answer::Ok);
    waiter
}

fn delivered(rig: &Rig) -> Left<'_> {
    let waiter = connected(rig);
    rig.sim.run();
    waiter
}

fn checking(rig: &Rig) -> Left<'_> {
    rig.fill(1);
    rig.sim.advance(SEC);
    rig.server.always(Call::Check, Answer::Gate);
    Left::Waiter(rig.waiter())
}

fn checked(rig: &Rig) -> Left<'_> {
    let waiter = checking(rig);
    rig.server.open_gate(Call::Check, Answer::Ok);
    waiter
}

fn held(rig: &Rig) -> Left<'_> {
    let mut guard = rig.acquire();
    guard.begin();
    Left::Guard(guard)
}

/// The worker has not looked yet.
fn released(rig: &Rig) -> Left<'_> {
    rig.server.always(Call::Reset, Answer::Gate);
    drop(held(rig));
    Left::Nothing
}

fn resetting(rig: &Rig) -> Left<'_> {
    drop(released(rig));
    rig.sim.run();
    Left::Nothing
}

fn reset(rig: &Rig) -> Left<'_> {
    drop(resetting(rig));
    rig.server.open_gate(Call::Reset, Answer::Ok);
    Left::Nothing
}

/// launchbadge/sqlx#3217, #1776, jackc/puddle 558756d, swaldman/c3p0#165: what was being opened,
/// checked or given back while the pool was closed stayed open, or was opened long after.
#[test]
fn m50_close_at_any_step_of_an_acquire_and_a_release_leaves_nothing_open() {
    type Step = fn(&Rig) -> Left<'_>;
    let steps: [(&str, Step); 9] = [
        ("connecting", connecting),
        ("connected", connected),
        ("delivered", delivered),
        ("checking", checking),
        ("checked", checked),
        ("held", held),
        ("released", released),
        ("resetting", resetting),
        ("reset", reset),
    ];
    for (name, step) in steps {
        let rig = Rig::with_max_open(2);
        let left = step(&rig);
        let mut close = Hand::new(rig.pool.close(60 * SEC));
        let _ = close.poll();
        rig.sim.run();
        let connects = rig.server.started(Call::Connect);
        match left {
            Left::Waiter(mut waiter) => match waiter.ready() {
                // Handed over before the pool was closed.
                Ok(guard) => {
                    assert_eq!((name, close.poll().is_ready()), ("delivered", false));
                    drop(guard);
                }
                Err(error) => assert!(error.is_closed() && name != "delivered", "{name}: {error}"),
            },
            Left::Guard(guard) => drop(guard),
            Left::Nothing => {}
        }
        rig.sim.run();
        assert!(close.ready().drained, "{name}");
        rig.sim.advance(600 * SEC);
        assert_eq!(rig.server.started(Call::Connect), connects, "{name}: none after close");
        let stats = rig.pool.stats();
        assert_eq!((rig.server.sockets(), stats.open, stats.closing), (0, 0, 0), "{name}");
        assert_eq!(stats.opened, stats.closed.total(), "{name}: each exactly once");
    }
}

/// `blackbeam/mysql_async`#199, MagicStack/asyncpg#547: the task that closes connections had died,
/// and nobody would ever say that all were closed.
#[test]
fn m51_close_ends_although_the_background_task_has_died() {
    for (restarted, held) in [(true, true), (true, false), (false, true), (false, false)] {
        let rig = Rig::with_max_open(4);
        let mut guards = rig.acquire_many(2);
        let mut guard = guards.pop().expect("two");
        guard.begin();
        guards[0].begin();
        rig.server.always(Call::Reset, Answer::Never);
        rig.server.always(Call::Connect, Answer::Never);
        drop(guards);
        let _waiters: Vec<_> = (0..3).map(|_| rig.waiter()).collect();
        assert!(rig.pool.stats().resetting == 1 && rig.pool.stats().opening > 0);
        rig.sim.shut_down();
        if restarted {
            rig.sim.restart();
        }
        let guard = held.then_some(guard);
        let asked = rig.sim.now();
        let report = rig.sim.block_on(rig.pool.close(SEC));
        assert_eq!(report.drained, !held, "{report}");
        let waits = if held && restarted { SEC } else { Duration::ZERO };
        assert_eq!(rig.sim.now().since(asked), waits, "without a runtime nothing is waited for");
        drop(guard);
        rig.sim.run();
        assert_eq!((rig.server.sockets(), rig.pool.stats().open), (0, 0));
    }
}

/// The same, while close is waiting.
#[test]
fn m51_close_ends_although_the_background_task_dies_meanwhile() {
    for restarted in [true, false] {
        let rig = Rig::with_max_open(2);
        rig.fill(1);
        rig.server.always(Call::Close, Answer::Never);
        let held = rig.acquire();
        let mut close = Hand::new(rig.pool.close(10 * SEC));
        close.pending();
        rig.sim.advance(SEC);
        rig.sim.shut_down();
        if restarted {
            rig.sim.restart();
        }
        assert!(close.wakes() > 0, "told that nobody works for it any more");
        let polled = close.poll_if_woken();
        assert_eq!(polled.is_ready(), !restarted, "another task, or none");
        drop(held);
        rig.sim.advance(2 * SEC);
        if restarted {
            assert!(close.ready().drained);
        }
        assert_eq!((rig.server.sockets(), rig.pool.stats().closing), (0, 0));
    }
}

/// gocql/gocql#1047: the pool's lock was held while connections were closed, and their error
/// handler went back into the pool.
#[test]
fn m52_a_driver_may_use_the_pool_while_it_closes_a_connection() {
    promptly(|| {
        let sim = Sim::new(1);
        let config = PoolConfig { max_open: 2, ..PoolConfig::default() };
        let (server, pool) = Foreign::pool(&sim, config, |driver, place| {
            if matches!(place, Place::Close | Place::Abort | Place::ConnectionDropped)
                && let Some(pool) = driver.own_pool()
            {
                let _ = (pool.stats(), pool.holders(), pool.config());
                drop(pool.try_acquire());
                drop(Hand::new(pool.acquire()).poll());
                drop(Hand::new(pool.close(SEC)).poll());
            }
        });
        Guard::discard(sim.block_on(pool.acquire()).expect("served"));
        sim.advance(10 * MS);
        assert_eq!(pool.stats().state, PoolState::Closed, "it did so");
        assert!(sim.block_on(pool.close(SEC)).drained);
        pool.driver().forget();
        assert_eq!(server.sockets(), 0);
    });
}
