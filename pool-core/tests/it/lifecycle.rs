//! Close, drop, open, and bounds on everything.

use std::time::Duration;

use pool_core::{AcquireErrorKind, CloseReason, Guard, OpenError, Pool, PoolConfig, PoolState};
use pool_testkit::{Answer, Call, FakeDriver, FakeServer, Hand, Sim};

use crate::rig::{MS, Rig, SEC};

#[test]
fn close_wakes_every_waiter() {
    let rig = Rig::with_max_open(1);
    let held = rig.acquire();
    let mut waiters: Vec<_> = (0..100).map(|_| rig.waiter()).collect();
    let mut close = Hand::new(rig.pool.close(SEC));
    close.pending();
    for waiter in &mut waiters {
        assert_eq!(waiter.wakes(), 1);
        let error = waiter.ready().expect_err("closed");
        assert_eq!(error.kind(), AcquireErrorKind::Closed);
    }
    drop(held);
    rig.sim.run();
    assert!(close.ready().drained);
}

#[test]
fn close_closes_idle_connections_and_waits_for_borrowed_ones() {
    let rig = Rig::with_max_open(3);
    rig.fill(3);
    let held = rig.acquire();
    let mut close = Hand::new(rig.pool.close(10 * SEC));
    close.pending();
    rig.sim.advance(5 * SEC);
    close.pending();
    assert_eq!((rig.server.sockets(), rig.server.started(Call::Close)), (1, 2));
    drop(held);
    rig.sim.run();
    let report = close.ready();
    assert!(report.drained && report.still_out.is_empty(), "{report}");
    assert_eq!((report.took, report.closed), (5 * SEC, 3));
    assert_eq!(rig.pool.stats().closed.of(CloseReason::PoolClosed), 3);
    assert_eq!(rig.server.sockets(), 0);
}

#[test]
fn close_reports_at_its_deadline_what_is_still_out_by_call_site() {
    let rig = Rig::with_max_open(3);
    let line = line!() + 1;
    let held: Vec<_> = (0..2).map(|_| rig.sim.block_on(rig.pool.acquire())).collect();
    rig.sim.advance(7 * SEC);
    let report = rig.sim.block_on(rig.pool.close(3 * SEC));
    assert!(!report.drained && report.took == 3 * SEC, "{report}");
    assert_eq!(
        report.to_string(),
        format!(
            "closed after 3.00 s with connections still out; {}:{line} holds 2, longest 10.0 s",
            file!()
        )
    );
    drop(held);
    rig.sim.run();
    assert_eq!(rig.server.sockets(), 0, "each is closed when it comes back");
}

#[test]
fn close_is_idempotent_and_each_caller_has_its_own_deadline() {
    let rig = Rig::with_max_open(1);
    let held = rig.acquire();
    let mut first = Hand::new(rig.pool.close(SEC));
    let mut second = Hand::new(rig.pool.close(9 * SEC));
    first.pending();
    second.pending();
    rig.sim.advance(SEC);
    assert!(!first.ready().drained);
    second.pending();
    drop(held);
    rig.sim.run();
    assert!(second.ready().drained);
    assert!(rig.sim.block_on(rig.pool.close(SEC)).drained, "a third time");
}

#[test]
fn close_cuts_short_what_is_being_opened_checked_and_reset() {
    let rig = Rig::with_max_open(4);
    rig.fill(2);
    let mut dirty = rig.acquire();
    dirty.begin();
    rig.server.always(Call::Reset, Answer::Never);
    drop(dirty);
    rig.sim.advance(SEC);
    rig.server.always(Call::Check, Answer::Never);
    rig.server.always(Call::Connect, Answer::Never);
    let _waiters = (rig.waiter(), rig.waiter());
    let stats = rig.pool.stats();
    assert_eq!((stats.resetting, stats.checking, stats.opening), (1, 1, 1));
    let started = rig.sim.now();
    let report = rig.sim.block_on(rig.pool.close(60 * SEC));
    assert!(report.drained, "{report}");
    assert_eq!((rig.sim.now(), rig.server.sockets()), (started, 0), "at once");
}

#[test]
fn a_goodbye_that_never_ends_is_bounded() {
    let rig = Rig::with_max_open(2);
    rig.fill(2);
    rig.server.always(Call::Close, Answer::Never);
    let report = rig.sim.block_on(rig.pool.close(60 * SEC));
    assert!(report.drained && report.took == 2 * SEC, "{report}: check_timeout bounds it");
    assert_eq!(rig.server.sockets(), 0);

    let rig = Rig::with_max_open(2);
    rig.fill(2);
    rig.server.always(Call::Close, Answer::Never);
    let report = rig.sim.block_on(rig.pool.close(SEC));
    assert_eq!(report.took, SEC, "and so does the deadline");
    rig.sim.run();
    assert_eq!(rig.server.sockets(), 0);
}

#[test]
fn goodbyes_under_way_are_bounded_by_the_number_of_connections() {
    let rig = Rig::with_max_open(3);
    rig.server.always(Call::Close, Answer::Never);
    for _ in 0..20 {
        Guard::discard(rig.acquire());
    }
    let stats = rig.pool.stats();
    assert!(stats.closing <= 4, "{stats:?}");
    assert!(rig.server.sockets() <= 4 && rig.server.started(Call::Abort) >= 16);
}

#[test]
fn a_close_dropped_halfway_leaves_the_pool_closed() {
    let rig = Rig::with_max_open(1);
    let held = rig.acquire();
    let mut close = Hand::new(rig.pool.close(SEC));
    close.pending();
    drop(close);
    assert_eq!(rig.pool.stats().state, PoolState::Closed);
    drop(held);
    rig.sim.run();
    assert_eq!(rig.server.sockets(), 0);
}

#[test]
fn nothing_is_connected_after_close() {
    let rig = Rig::new(PoolConfig { max_open: 5, min_idle: 3, ..PoolConfig::default() });
    rig.server.always(Call::Connect, Answer::Error);
    let _waiter = rig.waiter();
    let _ = rig.sim.block_on(rig.pool.close(SEC));
    let connects = rig.server.started(Call::Connect);
    rig.sim.advance(600 * SEC);
    assert_eq!((rig.server.started(Call::Connect), rig.server.sockets()), (connects, 0));
}

#[test]
fn dropping_the_last_handle_closes_idle_connections_and_stops_the_worker() {
    let sim = Sim::new(3);
    let rig = Rig::in_sim(&sim, PoolConfig { keepalive: Some(SEC), ..PoolConfig::default() });
    rig.fill(2);
    let Rig { server, pool, .. } = rig;
    let (other, control) = (pool.clone(), pool.control());
    drop(pool);
    sim.run();
    assert_eq!((control.state(), server.sockets()), (PoolState::Open, 2), "one handle is left");
    drop(other);
    sim.run();
    assert_eq!((control.state(), server.sockets()), (PoolState::Closed, 0));
    let before = sim.timers_fired();
    sim.advance(60 * SEC);
    assert_eq!(
        (sim.timers_fired(), server.started(Call::Check)),
        (before, 0),
        "no background work"
    );
}

#[test]
fn an_owned_guard_keeps_its_pool_open() {
    let sim = Sim::new(3);
    let Rig { server, pool, .. } = Rig::in_sim(&sim, PoolConfig::default());
    let guard = sim.block_on(pool.acquire_owned()).expect("served");
    let control = pool.control();
    drop(pool);
    assert_eq!(control.state(), PoolState::Open);
    drop(guard);
    sim.run();
    assert_eq!((control.state(), server.sockets()), (PoolState::Closed, 0));
}

#[test]
fn new_never_connects() {
    let rig = Rig::new(PoolConfig { min_idle: 2, ..PoolConfig::default() });
    rig.sim.advance(60 * SEC);
    assert_eq!(rig.server.started(Call::Connect), 0);
}

#[test]
fn open_connects_and_checks_once_and_keeps_the_connection() {
    let sim = Sim::new(5);
    let server = FakeServer::new(sim.runtime());
    let options = pool_core::PoolOptions {
        runtime: Some(sim.runtime()),
        ..PoolConfig { max_open: 2, ..PoolConfig::default() }.into()
    };
    let opened = sim.block_on(Pool::open(FakeDriver::new(&server), options.clone()));
    let pool = opened.expect("up");
    assert_eq!((server.started(Call::Connect), server.started(Call::Check)), (1, 1));
    let stats = pool.stats();
    assert_eq!((stats.idle, stats.opened, stats.probes), (1, 1, 0));
    drop(pool);

    server.always(Call::Check, Answer::Error);
    let error =
        sim.block_on(Pool::open(FakeDriver::new(&server), options.clone())).expect_err("dead");
    assert_eq!(error.to_string(), "pool fake: the first connection did not pass its check");

    server.always(Call::Connect, Answer::Never);
    let started = sim.now();
    let error = sim.block_on(Pool::open(FakeDriver::new(&server), options)).expect_err("hangs");
    assert_eq!(error.to_string(), "pool fake: the first connect failed after 10.0 s");
    assert_eq!((sim.now().since(started), server.sockets()), (10 * SEC, 0));
}

#[test]
fn invalidate_retires_every_connection_without_interrupting_its_user() {
    let rig = Rig::with_max_open(3);
    let mut held = rig.acquire();
    rig.fill(1);
    assert_eq!(rig.pool.control().invalidate(), 2);
    held.query("select 1").expect("still mine");
    drop(held);
    rig.sim.run();
    assert_eq!(rig.server.sockets(), 0);
    assert!(rig.acquire().id() > 2);
}

#[test]
fn a_suspected_leak_is_reported_once_with_its_call_site_and_age() {
    use std::sync::{Arc, Mutex};
    #[derive(Default)]
    struct Leaks(Mutex<Vec<(u32, Duration)>>);
    impl pool_core::Observer for Leaks {
        fn leak_suspected(&self, event: &pool_core::LeakSuspected<'_>) {
            self.0.lock().expect("no panic").push((event.site.line(), event.held));
        }
    }
    let rig = Rig::new(PoolConfig { leak_after: Some(30 * SEC), ..PoolConfig::default() });
    let leaks = Arc::new(Leaks::default());
    let _subscription = rig.pool.control().observe(leaks.clone());
    drop(rig.acquire());
    rig.sim.advance(10 * SEC);
    let line = line!() + 1;
    let _leaked = rig.pool.try_acquire().or_else(|_| rig.sim.block_on(rig.pool.acquire()));
    for _ in 0..10 {
        drop(rig.acquire());
        rig.sim.advance(29 * SEC);
    }
    let reported = leaks.0.lock().expect("no panic").clone();
    assert_eq!(reported, [(line, 30 * SEC)]);
}

/// A pool of which three connections are in steady use, each connect taking 150 ms.
fn three_in_use(max_open: usize) -> Rig {
    let rig = Rig::new(PoolConfig {
        max_open,
        max_lifetime: Some(60 * SEC),
        connect_timeout: SEC,
        ..PoolConfig::default()
    });
    rig.server.always(Call::Connect, Answer::Late(150 * MS));
    rig.sim.block_on(rig.pool.warm_up(3, SEC)).expect("opened");
    for _ in 0..3 {
        let (pool, sim) = (rig.pool.clone(), rig.sim.clone());
        drop(rig.sim.spawn(async move {
            loop {
                let guard = pool.acquire_owned().await.expect("served");
                sim.sleep(7 * MS).await;
                drop(guard);
                sim.sleep(13 * MS).await;
            }
        }));
    }
    rig
}

#[test]
fn below_max_open_the_replacement_is_opened_before_the_old_one_is_retired() {
    let rig = three_in_use(10);
    for _ in 0..70 * 200 {
        rig.sim.advance(5 * MS);
        let stats = rig.pool.stats();
        assert!(stats.open - stats.opening >= 3, "{stats:?}");
    }
    let stats = rig.pool.stats();
    assert_eq!((stats.closed.of(CloseReason::Lifetime), stats.opened), (3, 6), "{stats:?}");
    assert_eq!(stats.acquires.opened, 0, "nobody waited for a connect");
}

#[test]
fn at_max_open_one_idle_connection_at_a_time_is_closed_first() {
    let rig = three_in_use(3);
    for _ in 0..70 * 200 {
        rig.sim.advance(5 * MS);
        let stats = rig.pool.stats();
        assert!(stats.open <= 3 && stats.open - stats.opening >= 2, "{stats:?}");
    }
    let stats = rig.pool.stats();
    assert_eq!((stats.closed.of(CloseReason::Lifetime), stats.opened), (3, 6), "{stats:?}");
}

#[test]
fn a_connection_that_nobody_uses_is_not_replaced() {
    let rig = Rig::new(PoolConfig {
        max_open: 4,
        max_lifetime: Some(60 * SEC),
        max_idle_time: None,
        ..PoolConfig::default()
    });
    rig.fill(2);
    rig.sim.advance(61 * SEC);
    assert_eq!((rig.pool.stats().open, rig.pool.stats().opened), (0, 2));
}

#[test]
fn a_replacement_that_cannot_be_opened_leaves_the_old_one_until_its_end() {
    let rig = three_in_use(10);
    rig.server.always(Call::Connect, Answer::Error);
    rig.sim.advance(50 * SEC);
    assert_eq!(rig.pool.stats().open, 3, "before their end");
    rig.server.always(Call::Connect, Answer::Late(150 * MS));
    rig.sim.advance(20 * SEC);
    assert_eq!(rig.pool.stats().closed.of(CloseReason::Lifetime), 3);
}

#[test]
fn a_pool_that_is_paused_or_closed_opens_no_replacement() {
    for close in [false, true] {
        let rig = Rig::new(PoolConfig {
            max_open: 4,
            max_lifetime: Some(60 * SEC),
            ..PoolConfig::default()
        });
        let held = rig.acquire();
        let mut closing = Hand::new(rig.pool.close(600 * SEC));
        if close {
            closing.pending();
        } else {
            rig.pool.control().pause();
        }
        rig.sim.advance(120 * SEC);
        assert_eq!(rig.server.started(Call::Connect), 1, "close: {close}");
        drop(held);
        rig.sim.run();
        assert_eq!(rig.pool.stats().open, 0, "it was too old");
    }
}

#[test]
fn the_longest_lifetimes_never_end_and_are_never_replaced() {
    for connect_timeout in [10 * SEC, Duration::MAX] {
        let rig = Rig::new(PoolConfig {
            max_open: 4,
            max_lifetime: Some(Duration::MAX),
            max_idle_time: None,
            connect_timeout,
            ..PoolConfig::default()
        });
        rig.fill(3);
        rig.sim.advance(3600 * SEC);
        assert_eq!((rig.pool.stats().idle, rig.server.started(Call::Connect)), (3, 3));
    }
}

#[test]
fn a_warm_up_that_loses_what_it_was_woken_for_still_ends_at_its_deadline() {
    let rig = Rig::with_max_open(2);
    rig.server.next(Call::Connect, &[Answer::Gate, Answer::Gate]);
    let mut warm_up = Hand::new(rig.pool.warm_up(2, SEC));
    warm_up.pending();
    rig.sim.run();
    rig.server.always(Call::Connect, Answer::Never);
    rig.server.open_gate(Call::Connect, Answer::Ok);
    rig.server.open_gate(Call::Connect, Answer::Ok);
    rig.sim.run();
    assert_eq!((warm_up.wakes(), rig.pool.stats().idle), (1, 2), "it may look");
    rig.pool.control().invalidate();
    rig.sim.run();
    warm_up.pending();
    rig.sim.advance(SEC);
    assert_eq!(warm_up.wakes(), 2, "woken at its deadline");
    let error = warm_up.ready().expect_err("nothing is open");
    assert!(matches!(error, OpenError::WarmUp { open: 0, .. }), "{error:?}");
}
