//! Dirty connections reused: what one user left behind reaches the next.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pool_core::{CloseReason, Guard, PoolConfig};
use pool_testkit::{Answer, Call, Hand, Session};

use crate::rig::{MS, Rig, SEC};

/// redis/redis-py#2624, #2665: a request was sent and its future dropped before the reply; every
/// later user of the connection read the reply to somebody else's request.
#[test]
fn m26_a_connection_that_owes_a_reply_is_never_reused() {
    let rig = Rig::with_max_open(1);
    let mut held = rig.acquire();
    held.send().expect("sent");
    let mut waiter = rig.waiter();
    drop(held);
    rig.sim.run();
    let mut next = waiter.ready().expect("served");
    assert_eq!(next.id(), 2);
    next.query("select 1").expect("its own reply");
}

/// launchbadge/sqlx#2054, #2057, #4393: the future was dropped while its BEGIN was under way; the
/// client's own count said that there was no transaction, and only the server knew.
#[test]
fn m28_a_begin_that_was_cut_short_is_undone_by_the_servers_word() {
    let rig = Rig::with_max_open(1);
    let mut held = rig.acquire();
    // As the server sees it: it has taken the BEGIN, and the answer is read or not.
    held.begin();
    held.send().expect("sent");
    held.receive().expect("answered");
    drop(held);
    rig.sim.run();
    let mut next = rig.acquire();
    assert_eq!((next.id(), next.session()), (1, Session::default()));
    next.begin();
    next.send().expect("sent");
    drop(next);
    rig.sim.run();
    assert_eq!(rig.server.session(1), None, "not even its answer was read");
    assert_eq!(rig.acquire().session(), Session::default());
}

/// golang/go#22976, `blackbeam/mysql_async` 90ff86d: a roll-back that failed put its connection
/// back all the same.
#[test]
fn m29_a_connection_whose_reset_failed_is_not_used_again() {
    for answer in [Answer::Error, Answer::Permanent, Answer::Panic, Answer::Never] {
        let rig = Rig::with_max_open(1);
        rig.server.next(Call::Reset, &[answer]);
        let mut held = rig.acquire();
        held.begin();
        let mut waiter = rig.waiter();
        drop(held);
        rig.sim.advance(2 * SEC);
        assert_eq!(rig.server.session(1), None, "{answer:?}: the transaction is gone with it");
        let next = waiter.ready().expect("served");
        assert_eq!((next.id(), next.session()), (2, Session::default()), "{answer:?}");
        assert_eq!(rig.pool.stats().closed.of(CloseReason::Broken), 1);
    }
}

/// djc/bb8#246, launchbadge/sqlx#2647: rows that nobody would read kept a connection busy that the
/// pool took for idle; the next user waited for all of them.
#[test]
fn m30_rows_owed_to_nobody_do_not_hold_up_the_next_user() {
    let rig = Rig::with_max_open(1);
    let mut held = rig.acquire();
    for _ in 0..1000 {
        held.send().expect("sent");
    }
    held.receive().expect("the first row");
    drop(held);
    let asked = rig.sim.now();
    let mut next = rig.acquire();
    assert_eq!(rig.sim.now(), asked, "nothing is drained in front of it");
    next.query("select 1").expect("its own reply");

    // What a driver prefers to drain has a bound, and costs its connection beyond it.
    next.begin();
    rig.server.next(Call::Reset, &[Answer::Late(60 * SEC)]);
    drop(next);
    let asked = rig.sim.now();
    assert_eq!(rig.acquire().id(), 3);
    assert_eq!(rig.sim.now().since(asked), 2 * SEC, "check_timeout");
}

/// launchbadge/sqlx#1100, MagicStack/asyncpg d085d2c: settings, subscriptions and locks of one user
/// were there for the next.
#[test]
fn m31_the_next_user_finds_a_session_as_new_however_the_last_one_left() {
    type Leave = fn(&Rig, Guarded<'_>);
    type Guarded<'a> = crate::rig::Guard<'a>;
    let ways: [(&str, Leave); 3] = [
        ("drops it", |_, guard| drop(guard)),
        ("is cancelled", |rig, guard| {
            let mut call = Hand::new(async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            });
            call.pending();
            drop(call);
            rig.sim.run();
        }),
        ("panics", |_, guard| {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let _guard = guard;
                panic!("user");
            }));
            assert!(panicked.is_err_and(|payload| payload.is::<&str>()));
        }),
    ];
    for (how, leave) in ways {
        for left in 0..8 {
            let rig = Rig::with_max_open(1);
            let mut guard = rig.acquire();
            if left & 1 != 0 {
                guard.alter();
            }
            if left & 2 != 0 {
                guard.begin();
            }
            if left & 4 != 0 {
                guard.send().expect("sent");
            }
            leave(&rig, guard);
            let next = rig.acquire();
            assert_eq!(next.session(), Session::default(), "left {left:03b}, {how}");
        }
    }
}

/// yandex/odyssey fff41944: a server connection with bytes that nobody had read went to the next
/// client.
#[test]
fn m32_bytes_that_nobody_asked_for_cost_the_connection() {
    // In the hands of a user who has read every answer.
    let rig = Rig::with_max_open(1);
    let mut held = rig.acquire();
    held.query("select 1").expect("alive");
    rig.server.push_unasked(held.id());
    drop(held);
    rig.sim.run();
    assert_eq!(rig.server.session(1), None);
    assert_eq!(rig.pool.stats().closed.of(CloseReason::Broken), 1);
    let mut next = rig.acquire();
    next.query("select 1").expect("its own reply");

    // At rest: the check reads it in place of its own answer.
    let id = next.id();
    drop(next);
    rig.server.push_unasked(id);
    rig.sim.advance(SEC);
    let mut next = rig.acquire();
    next.query("select 1").expect("its own reply");
    assert_eq!(rig.server.session(id), None);
    assert_eq!(rig.pool.stats().closed.of(CloseReason::CheckFailed), 1);
}

/// pgbouncer/pgbouncer#717, npgsql/npgsql#5032: a cancel that was on its way when its statement
/// ended hit the statement of the next user.
#[test]
fn m33_a_connection_waits_for_the_end_of_its_cancel_before_anybody_has_it() {
    let rig = Rig::with_max_open(1);
    let mut held = rig.acquire();
    held.begin();
    // A driver settles its cancels in `reset`.
    rig.server.next(Call::Reset, &[Answer::Gate]);
    let mut waiter = rig.waiter();
    drop(held);
    rig.sim.advance(SEC);
    waiter.pending();
    rig.server.open_gate(Call::Reset, Answer::Ok);
    rig.sim.run();
    let mut guard = waiter.ready().expect("served");
    assert_eq!(guard.id(), 1, "when it is known where the cancel went");

    guard.begin();
    rig.server.next(Call::Reset, &[Answer::Never]);
    let mut waiter = rig.waiter();
    drop(guard);
    rig.sim.advance(2 * SEC - MS);
    waiter.pending();
    rig.sim.advance(MS);
    assert_eq!(waiter.ready().expect("served").id(), 2, "that one's end will never be known");
}

/// hyperium/hyper#1389, #2136: the server hung up on an idle connection between the look at it and
/// the first write.
#[test]
fn m35_a_server_that_hangs_up_is_seen_by_a_user_who_has_the_connection_and_no_other() {
    let config = PoolConfig { max_open: 1, max_idle_time: None, ..PoolConfig::default() };
    // While it is idle.
    let rig = Rig::new(config.clone());
    rig.fill(1);
    rig.sim.advance(SEC);
    rig.server.sever_all();
    rig.acquire().query("select 1").expect("another connection");

    // While it is checked, up to the moment in which it passes and is handed over.
    let rig = Rig::new(config.clone());
    rig.fill(1);
    rig.sim.advance(SEC);
    rig.server.next(Call::Check, &[Answer::Gate]);
    let mut waiter = rig.waiter();
    rig.server.open_gate(Call::Check, Answer::Ok);
    rig.server.sever_all();
    rig.sim.run();
    waiter.ready().expect("served").query("select 1").expect("another connection");

    // After that: one error of its own kind, and nobody else has the connection.
    let rig = Rig::new(config);
    let mut guard = rig.acquire();
    rig.server.sever_all();
    let error = guard.query("select 1").expect_err("hung up");
    assert_eq!(error, pool_testkit::FakeError::Severed);
    drop(guard);
    rig.sim.run();
    assert_eq!(rig.pool.stats().closed.of(CloseReason::Broken), 1);
    let mut next = rig.acquire();
    assert_eq!(next.id(), 2);
    next.query("select 1").expect("another connection");
    Guard::discard(next);
}
