//! Opening: who asks for a connect, how many run at once, and what failed ones mean.

use std::time::Duration;

use pool_core::{AcquireErrorKind, PoolConfig};
use pool_testkit::{Answer, Call, Hand, Sim};

use crate::rig::{MS, Rig, SEC};

#[test]
fn connects_in_flight_never_exceed_max_opening() {
    let rig = Rig::new(PoolConfig { max_open: 50, max_opening: 3, ..PoolConfig::default() });
    rig.server.always(Call::Connect, Answer::Gate);
    let _waiters: Vec<_> = (0..50).map(|_| rig.waiter()).collect();
    for opened in 0..20 {
        assert_eq!((rig.server.waiting(Call::Connect), rig.pool.stats().opening), (3, 3));
        rig.server.open_gate(Call::Connect, Answer::Ok);
        rig.sim.run();
        assert_eq!(rig.pool.stats().opened, opened + 1);
    }
}

#[test]
fn no_connect_starts_at_max_open() {
    let rig = Rig::with_max_open(5);
    rig.server.always(Call::Connect, Answer::Late(10 * MS));
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (pool, sim) = (rig.pool.clone(), rig.sim.clone());
            rig.sim.spawn(async move {
                let _guard = pool.acquire_owned().await.expect("served");
                sim.sleep(MS).await;
            })
        })
        .collect();
    rig.sim.advance(SEC);
    assert!(tasks.iter().all(pool_testkit::SimTask::is_done));
    assert_eq!((rig.server.most_sockets(), rig.server.started(Call::Connect)), (5, 5));
}

#[test]
fn a_connect_that_hangs_gives_its_place_back_at_connect_timeout() {
    let rig = Rig::new(PoolConfig { max_open: 1, outage_grace: None, ..PoolConfig::default() });
    rig.server.next(Call::Connect, &[Answer::Never]);
    let mut waiter = rig.waiter();
    rig.sim.advance(10 * SEC);
    assert_eq!((rig.pool.stats().open_failed, rig.server.sockets()), (1, 0));
    rig.sim.advance(50 * MS);
    drop(waiter.ready().expect("served by the second attempt"));
}

#[test]
fn a_permanent_error_fails_those_who_wait_at_once_if_no_connection_is_open() {
    let rig = Rig::with_max_open(4);
    rig.server.always(Call::Connect, Answer::Permanent);
    let started = rig.sim.now();
    let error = rig.sim.block_on(rig.pool.acquire()).expect_err("wrong password");
    assert_eq!(error.kind(), AcquireErrorKind::ConnectFailed);
    assert_eq!(rig.sim.now(), started, "not at the deadline");
    // The next one does not even wait, until it is time for the next attempt.
    let error = Hand::new(rig.pool.acquire()).ready().expect_err("known");
    assert_eq!(error.kind(), AcquireErrorKind::ConnectFailed);
    assert_eq!(rig.server.started(Call::Connect), 1);
    rig.sim.advance(SEC);
    rig.server.always(Call::Connect, Answer::Ok);
    drop(rig.acquire());
}

#[test]
fn a_permanent_error_leaves_those_waiting_who_can_be_served_by_an_open_connection() {
    let rig = Rig::with_max_open(2);
    let held = rig.acquire();
    rig.server.always(Call::Connect, Answer::Permanent);
    let mut waiter = rig.waiter();
    rig.sim.advance(100 * MS);
    waiter.pending();
    drop(held);
    drop(waiter.ready().expect("served"));
}

#[test]
fn acquires_fail_at_once_when_an_outage_has_lasted_for_its_grace() {
    let rig = Rig::new(PoolConfig { outage_grace: Some(SEC), ..PoolConfig::default() });
    rig.server.always(Call::Connect, Answer::Error);
    let started = rig.sim.now();
    let error = rig.sim.block_on(rig.pool.acquire()).expect_err("down");
    assert_eq!(error.kind(), AcquireErrorKind::ConnectFailed);
    let waited = rig.sim.now().since(started);
    assert!(waited >= SEC && waited <= SEC + 300 * MS, "{waited:?}");
    // From now on, no acquire takes longer than the connect that is due.
    for _ in 0..100 {
        let started = rig.sim.now();
        let error = rig.sim.block_on(rig.pool.acquire()).expect_err("down");
        assert_eq!(error.kind(), AcquireErrorKind::ConnectFailed);
        assert_eq!(rig.sim.now(), started);
        rig.sim.advance(20 * MS);
    }
    rig.server.always(Call::Connect, Answer::Ok);
    rig.sim.advance(300 * MS);
    drop(rig.acquire());
}

#[test]
fn min_idle_is_opened_ahead_and_refilled() {
    let rig = Rig::new(PoolConfig { max_open: 10, min_idle: 3, ..PoolConfig::default() });
    drop(rig.acquire());
    rig.sim.run();
    assert_eq!(rig.pool.stats().idle, 1 + 3);
    let held = rig.acquire_many(2);
    rig.sim.run();
    assert_eq!((rig.pool.stats().idle, rig.pool.stats().open), (3, 5), "three more stay ready");
    drop(held);
}

#[test]
fn warm_up_opens_ahead_and_says_so() {
    let rig = Rig::with_max_open(10);
    rig.server.always(Call::Connect, Answer::Late(100 * MS));
    rig.sim.block_on(rig.pool.warm_up(6, 5 * SEC)).expect("warm");
    assert_eq!(rig.pool.stats().idle, 6);
    rig.sim.block_on(rig.pool.warm_up(4, SEC)).expect("warm already");
    assert_eq!(rig.server.started(Call::Connect), 6);
}

#[test]
fn a_warm_up_that_fails_says_how_far_it_came_and_why() {
    let rig = Rig::with_max_open(10);
    rig.server.next(Call::Connect, &[Answer::Ok, Answer::Ok]);
    rig.server.always(Call::Connect, Answer::Error);
    let error = rig.sim.block_on(rig.pool.warm_up(5, SEC)).expect_err("down");
    assert_eq!(
        error.to_string(),
        "pool fake: 2 of 5 connections were open at the deadline of the warm-up"
    );
    let source = std::error::Error::source(&error).expect("the connect error");
    assert!(source.is::<pool_testkit::FakeError>(), "{source:?}");
    rig.sim.advance(10 * SEC);
    let connects = rig.server.started(Call::Connect);
    rig.sim.advance(10 * SEC);
    assert_eq!(rig.server.started(Call::Connect), connects, "it has stopped asking");
}

#[test]
fn a_warm_up_beyond_what_is_kept_idle_is_an_error() {
    let rig = Rig::new(PoolConfig { max_open: 10, max_idle: 4, ..PoolConfig::default() });
    let error = rig.sim.block_on(rig.pool.warm_up(5, SEC)).expect_err("too many");
    assert!(
        error.to_string().contains("warm_up = \"5\": more than the pool keeps idle"),
        "{error}"
    );
    assert_eq!(rig.server.started(Call::Connect), 0);
    rig.sim.block_on(rig.pool.warm_up(4, SEC)).expect("as many as are kept");
}

#[test]
fn a_warm_up_that_is_dropped_stops_asking() {
    let rig = Rig::with_max_open(10);
    rig.server.always(Call::Connect, Answer::Error);
    let mut warm_up = Hand::new(rig.pool.warm_up(5, 600 * SEC));
    warm_up.pending();
    rig.sim.advance(5 * SEC);
    assert!(rig.server.started(Call::Connect) > 5);
    drop(warm_up);
    rig.sim.run();
    let connects = rig.server.started(Call::Connect);
    rig.sim.advance(60 * SEC);
    assert_eq!(rig.server.started(Call::Connect), connects);
}

#[test]
fn closing_ends_a_warm_up() {
    let rig = Rig::with_max_open(10);
    rig.server.always(Call::Connect, Answer::Never);
    let mut warm_up = Hand::new(rig.pool.warm_up(5, 600 * SEC));
    warm_up.pending();
    let _ = rig.sim.block_on(rig.pool.close(SEC));
    let error = warm_up.ready().expect_err("closed");
    assert!(matches!(error, pool_core::OpenError::Closed), "{error:?}");
}

#[test]
fn keepalive_checks_idle_connections_and_keeps_their_idle_time() {
    let rig = Rig::new(PoolConfig {
        max_open: 3,
        keepalive: Some(10 * SEC),
        max_idle_time: Some(60 * SEC),
        ..PoolConfig::default()
    });
    rig.fill(3);
    rig.sim.advance(59 * SEC);
    assert_eq!((rig.server.started(Call::Check), rig.pool.stats().idle), (15, 3));
    rig.sim.advance(2 * SEC);
    assert_eq!(rig.pool.stats().idle, 0, "checking is not using");
}

#[test]
fn keepalive_finds_dead_connections_before_a_user_does() {
    let rig = Rig::new(PoolConfig {
        max_open: 3,
        keepalive: Some(10 * SEC),
        check_after_idle: None,
        ..PoolConfig::default()
    });
    rig.fill(3);
    rig.server.sever_all();
    rig.sim.advance(Duration::from_secs(11));
    assert_eq!((rig.pool.stats().idle, rig.server.sockets()), (0, 0));
}

#[test]
fn a_connect_that_ends_just_in_time_is_neither_cut_nor_too_late_for_who_waits() {
    Sim::for_each_seed(0..20, |sim| {
        let config = PoolConfig {
            max_open: 1,
            acquire_timeout: 100 * MS,
            connect_timeout: 100 * MS,
            ..PoolConfig::default()
        };
        let rig = Rig::in_sim(sim, config);
        rig.server.always(Call::Connect, Answer::Late(100 * MS));
        drop(rig.acquire());
        let stats = rig.pool.stats();
        assert_eq!((stats.opened, stats.open_failed, stats.idle), (1, 0, 1));
    });
}
