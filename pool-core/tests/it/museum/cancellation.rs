//! Leaks on cancellation: the result arrives at somebody who has left.

use std::task::Poll;

use pool_core::{AcquireErrorKind, PoolConfig};
use pool_testkit::{Answer, Call, Hand, Sim};

use crate::rig::{MS, Rig, SEC};

/// djc/bb8#67: a load test hung up on its requests, connections were handed to handlers that were
/// gone, and everybody timed out from then on.
#[test]
fn m10_connections_handed_to_handlers_that_are_gone_are_there_for_the_next() {
    for newest_first in [true, false] {
        let rig = Rig::with_max_open(3);
        let held = rig.acquire_many(3);
        let mut handlers: Vec<_> = (0..50).map(|_| rig.waiter()).collect();
        drop(held);
        assert_eq!(handlers.iter().map(Hand::wakes).sum::<usize>(), 3);
        if newest_first {
            handlers.reverse();
        }
        for handler in handlers {
            drop(handler);
            rig.server.audit(&rig.pool.stats(), rig.pool.stats().in_use);
        }
        rig.audit(0);
        assert_eq!((rig.pool.stats().idle, rig.server.started(Call::Connect)), (3, 3));
        drop(rig.acquire_many(3));
    }
}

/// djc/bb8#59: a connection had been taken out for its check when the caller's future was dropped.
#[test]
fn m11_a_caller_that_leaves_during_the_check_takes_nothing_along() {
    for answer in [Answer::Ok, Answer::Error, Answer::Panic, Answer::Never] {
        let rig = Rig::with_max_open(1);
        rig.fill(1);
        rig.sim.advance(SEC);
        rig.server.next(Call::Check, &[Answer::Gate]);
        drop(rig.waiter());
        assert_eq!(rig.server.waiting(Call::Check), 1, "it is the pool's");
        rig.server.open_gate(Call::Check, answer);
        rig.sim.advance(2 * SEC);
        rig.audit(0);
        let id = rig.acquire().id();
        assert_eq!(id, if answer == Answer::Ok { 1 } else { 2 }, "{answer:?}");
        assert_eq!(rig.server.sockets(), 1, "{answer:?}");
    }
}

/// deadpool-rs/deadpool 0.3.0, 1b09998: with calls that were slow, failed or hung in every
/// combination, and callers whose deadlines were shorter than those, the pool stood still or grew
/// beyond its size.
#[test]
fn m12_eight_callers_with_short_deadlines_lose_nothing_whatever_three_calls_answer() {
    const ASYNC: [Answer; 5] =
        [Answer::Ok, Answer::Error, Answer::Panic, Answer::Never, Answer::Late(MS)];
    for answers in 0..5 * 5 * 5 * 3 {
        let [connect, check, reset] = [1, 5, 25].map(|place| ASYNC[answers / place % 5]);
        let released = [Answer::Ok, Answer::Error, Answer::Panic][answers / 125];
        let config = PoolConfig {
            max_open: 2,
            acquire_timeout: 5 * MS,
            connect_timeout: 7 * MS,
            check_timeout: 7 * MS,
            check_after_idle: Some(MS),
            ..PoolConfig::default()
        };
        let rig = Rig::new(config);
        // What is there at first is none of the calls' doing.
        rig.fill(2);
        rig.server.always(Call::Connect, connect);
        rig.server.always(Call::Check, check);
        rig.server.always(Call::Reset, reset);
        rig.server.always(Call::Released, released);
        for number in 0..8 {
            let (pool, sim) = (rig.pool.clone(), rig.sim.clone());
            drop(rig.sim.spawn(async move {
                for turn in 0..4 {
                    let mut acquire = Hand::new(pool.acquire_owned());
                    let mut polled = acquire.poll();
                    // Each looks at its own moments, and some have left before they were served.
                    for _ in 0..(number + turn) % 4 {
                        if polled.is_pending() {
                            sim.sleep(MS).await;
                            polled = acquire.poll_if_woken();
                        }
                    }
                    if let Poll::Ready(Ok(mut guard)) = polled {
                        guard.begin();
                        sim.sleep(2 * MS).await;
                    }
                }
            }));
        }
        for _ in 0..60 {
            rig.sim.advance(MS);
            let stats = rig.pool.stats();
            assert!(stats.open <= 2 && stats.waiting <= 8, "{answers}: {stats:?}");
        }
        // Everything answers again, and everything is there.
        for call in [Call::Connect, Call::Check, Call::Reset, Call::Released] {
            rig.server.always(call, Answer::Ok);
        }
        rig.sim.advance(3 * SEC);
        rig.audit(0);
        drop(rig.acquire_many(2));
        rig.sim.run();
        rig.audit(0);
        assert!(rig.sim.block_on(rig.pool.close(SEC)).drained, "{answers}");
        assert_eq!(rig.server.sockets(), 0, "{answers}");
    }
}

/// MagicStack/asyncpg#467, #955, #547: the timeout came in the same turn of the loop in which the
/// acquire was served; its result was thrown away and closing hung.
#[test]
fn m13_a_deadline_and_a_hand_over_at_the_same_instant_lose_nothing() {
    for release_first in [true, false] {
        Sim::for_each_seed(0..20, |sim| {
            let config = PoolConfig { max_open: 1, acquire_timeout: SEC, ..PoolConfig::default() };
            let rig = Rig::in_sim(sim, config);
            let held = sim.block_on(rig.pool.acquire_owned()).expect("served");
            // Its own deadline, which the worker still has in mind.
            sim.advance(SEC);
            let clock = sim.clone();
            let give_back = move || async move {
                clock.sleep(SEC).await;
                drop(held);
            };
            // At one instant, the timer that was set first fires first.
            let (early, late) =
                if release_first { (Some(give_back), None) } else { (None, Some(give_back)) };
            drop(early.map(|give_back| sim.spawn(give_back())));
            sim.run();
            let waiter = rig.spawn_acquire();
            sim.run();
            drop(late.map(|give_back| sim.spawn(give_back())));
            sim.advance(SEC);
            match waiter.take().expect("resolved at its deadline") {
                Ok(guard) => {
                    assert!(release_first);
                    rig.audit(1);
                    drop(guard);
                }
                Err(error) => {
                    assert!(!release_first);
                    assert_eq!(error.kind(), AcquireErrorKind::Timeout);
                }
            }
            rig.audit(0);
            assert_eq!(rig.pool.stats().idle, 1);
            assert!(sim.block_on(rig.pool.close(SEC)).drained);
        });
    }
}

/// The same, with the deadline outside of the pool: whoever wraps the acquire drops it in the very
/// turn in which it was served.
#[test]
fn m13_a_timeout_around_an_acquire_that_was_just_served_loses_nothing() {
    let rig = Rig::with_max_open(1);
    for _ in 0..10 {
        let held = rig.acquire();
        let waiter = rig.waiter();
        rig.sim.advance(SEC);
        drop(held);
        assert_eq!(waiter.wakes(), 1);
        drop(waiter);
        rig.audit(0);
        assert_eq!((rig.pool.stats().idle, rig.server.started(Call::Connect)), (1, 1));
    }
}

/// ClickHouse/clickhouse-go#1759: the slot was taken, the look for its connection then ended with
/// the caller's cancellation, and the slot stayed taken.
#[test]
fn m14_a_caller_cancelled_between_its_slot_and_its_connection_keeps_neither() {
    let rig = Rig::new(PoolConfig { max_open: 1, acquire_timeout: SEC, ..PoolConfig::default() });
    let held = rig.acquire();
    let mut late = rig.waiter();
    drop(held);
    // Slot and connection come together: what was handed over in time is no timeout later on.
    rig.sim.advance(10 * SEC);
    drop(late.ready().expect("served in time, though it looks late"));

    rig.sim.advance(SEC);
    rig.server.always(Call::Check, Answer::Never);
    rig.server.always(Call::Connect, Answer::Never);
    let mut cancelled = rig.waiter();
    rig.sim.advance(SEC);
    let error = cancelled.ready().expect_err("its deadline, while the connection is checked");
    assert_eq!(error.kind(), AcquireErrorKind::Timeout);
    rig.server.always(Call::Connect, Answer::Ok);
    rig.sim.advance(SEC);
    assert_eq!(rig.pool.stats().in_use, 0, "{:?}", rig.pool.stats());
    drop(rig.acquire());
    rig.audit(0);
}

/// go-sql-driver/mysql#1023: a handshake cut short right after its socket was open left the socket.
#[test]
fn m16_no_handshake_that_ends_early_leaves_a_socket() {
    type End = fn(&Rig);
    let ends: [(&str, Answer, End); 6] = [
        ("it fails", Answer::Error, |_| {}),
        ("it panics", Answer::Panic, |_| {}),
        ("it takes too long", Answer::Never, |rig| rig.sim.advance(10 * SEC)),
        ("the pool is closed", Answer::Gate, |rig| {
            assert!(rig.sim.block_on(rig.pool.close(SEC)).drained);
        }),
        ("the runtime is gone", Answer::Gate, |rig| rig.sim.shut_down()),
        ("it belongs to an old generation", Answer::Late(SEC), |rig| {
            rig.pool.control().invalidate();
            rig.sim.advance(SEC);
        }),
    ];
    for (how, answer, end) in ends {
        let rig = Rig::with_max_open(1);
        rig.server.next(Call::Connect, &[answer]);
        rig.server.always(Call::Connect, Answer::Permanent);
        let waiter = rig.waiter();
        assert_eq!(rig.server.most_sockets(), 1, "{how}: it was open");
        drop(waiter);
        end(&rig);
        assert_eq!((rig.server.sockets(), rig.pool.stats().open), (0, 0), "{how}");
    }
}

/// jackc/pgx#1259, #1287, launchbadge/sqlx#3513: callers that gave up took their connects with
/// them, so that under load no connect ever ended.
#[test]
fn m17_connects_go_on_when_their_callers_have_given_up() {
    let rig =
        Rig::new(PoolConfig { max_open: 4, acquire_timeout: 50 * MS, ..PoolConfig::default() });
    rig.server.always(Call::Connect, Answer::Late(100 * MS));
    for round in 0..20 {
        let callers: Vec<_> = (0..4).map(|_| rig.spawn_acquire()).collect();
        rig.sim.advance(50 * MS);
        let results: Vec<_> = callers.iter().map(|it| it.take().expect("its deadline")).collect();
        let served = results.iter().flatten().count();
        drop(results);
        if round > 1 {
            assert_eq!(served, 4, "round {round}");
        }
    }
    assert_eq!(rig.server.started(Call::Connect), 4);
    rig.audit(0);
}

/// launchbadge/sqlx#1396, #1799: a guard's drop spawned a task to give its permit back; the runtime
/// was shutting down, the task never ran, the permit was gone.
#[test]
fn m18_a_runtime_that_runs_nothing_any_more_costs_no_permit() {
    let rig = Rig::with_max_open(3);
    let (clean, mut dirty, broken) = (rig.acquire(), rig.acquire(), rig.acquire());
    dirty.begin();
    rig.sim.shut_down();
    drop(clean);
    drop(dirty);
    pool_core::Guard::discard(broken);
    let stats = rig.pool.stats();
    assert_eq!((stats.idle, stats.in_use, stats.open), (1, 0, 1), "without any task: {stats:?}");
    assert_eq!(rig.server.sockets(), 1);
    rig.sim.restart();
    drop(rig.acquire_many(3));
    rig.audit(0);
}

/// sqlalchemy/sqlalchemy#6652, #8145, #12077: the roll-back was cancelled itself; the pool believed
/// the connection gone, while its socket lived and its transaction held locks.
#[test]
fn m19_a_reset_cut_short_ends_its_socket_and_its_transaction() {
    type Cut = fn(&Rig);
    let cuts: [(&str, Cut); 4] = [
        ("it takes too long", |rig| rig.sim.advance(2 * SEC)),
        ("the pool is closed", |rig| drop(rig.sim.block_on(rig.pool.close(SEC)))),
        ("the runtime is gone", |rig| rig.sim.shut_down()),
        ("the last handle is dropped", |_| {}),
    ];
    for (how, cut) in cuts {
        let rig = Rig::with_max_open(1);
        rig.server.always(Call::Reset, Answer::Never);
        let mut held = rig.acquire();
        held.begin();
        drop(held);
        rig.sim.run();
        assert_eq!(rig.pool.stats().resetting, 1);
        cut(&rig);
        let (sim, server) = (rig.sim.clone(), rig.server.clone());
        drop(rig.pool);
        sim.run();
        assert_eq!((server.session(1), server.sockets()), (None, 0), "{how}");
    }
}
