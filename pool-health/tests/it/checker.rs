//! When a checker finds what.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use pool_core::{
    Activity, Circuit, Driver as _, PoolState, ReplicationLag, Role, Steering, Storage,
};
use pool_health::{
    Check, CustomCheck, Finding, Health, HealthChecker, HealthOptions, HealthState, LagBelow,
    OldestTransaction, QuickCheck, RoleIs, WalBelow,
};
use pool_testkit::{Answer, Call, FakeConnection, FakeDriver, Hand};

use crate::rig::{MS, Rig, SEC};

pub(crate) fn with(checks: Vec<Arc<dyn Check>>) -> HealthOptions {
    HealthOptions { checks, ..HealthOptions::default() }
}

#[test]
fn a_database_that_answers_is_healthy_at_once_and_is_asked_on_a_connection_of_its_own() {
    let rig = Rig::well(HealthOptions::default());
    let stats = rig.pool.stats();
    assert_eq!((stats.probes, stats.open, stats.opened), (1, 0, 0));
    let health = rig.health();
    assert_eq!((health.reasons.len(), health.checks.len()), (0, 1));
    assert_eq!(health.to_string(), "fake: healthy");
}

#[test]
fn what_fails_is_down_within_fall_times_the_interval_and_a_timeout() {
    for broken in [Answer::Error, Answer::Never, Answer::Panic] {
        let options = HealthOptions::default();
        let bound = options.interval * options.fall + options.timeout;
        let rig = Rig::well(options);
        rig.sim.advance(7 * SEC);
        for call in [Call::Connect, Call::Check] {
            rig.server.always(call, broken);
        }
        let doubtful = rig.until_it_is(HealthState::Degraded);
        assert!(rig.health().reasons[0].contains("(probe 1 of 3 to fail)"), "{}", rig.health());
        let down = doubtful + rig.until_it_is(HealthState::Unhealthy);
        assert!(down <= bound, "{broken:?}: {down:?}");
        assert_eq!(rig.health().probe_circuit, Circuit::Open);
    }
}

#[test]
fn the_bounds_hold_with_no_room_between_probes_right_after_a_good_one() {
    for seed in 0..20 {
        let options = HealthOptions {
            interval: SEC,
            doubt_interval: SEC,
            timeout: SEC,
            ..HealthOptions::default()
        };
        let rig = Rig::seeded(seed, options);
        rig.sim.run();
        for call in [Call::Connect, Call::Check] {
            rig.server.always(call, Answer::Never);
        }
        let down = rig.until_it_is(HealthState::Unhealthy);
        assert!(down > 2 * SEC && down <= 4 * SEC, "seed {seed}: down after {down:?}");
        // In the midst of a probe that will be given up.
        rig.sim.advance(300 * MS);
        rig.server.heal();
        let up = rig.until_it_is(HealthState::Healthy);
        assert!(up <= 3 * SEC, "seed {seed}: up after {up:?}");
    }
}

#[test]
fn what_is_back_is_up_within_rise_times_the_interval() {
    let options = HealthOptions::default();
    let bound = options.interval * options.rise;
    let rig = Rig::well(options);
    for call in [Call::Connect, Call::Check] {
        rig.server.always(call, Answer::Error);
    }
    rig.until_it_is(HealthState::Unhealthy);
    rig.sim.advance(60 * SEC);
    rig.server.heal();
    let half = rig.until(|health| health.probe_circuit == Circuit::HalfOpen);
    assert_eq!(rig.health().reasons, ["back for 1 of 2 probes"]);
    let up = half + rig.until_it_is(HealthState::Healthy);
    assert!(up <= bound, "{up:?}");
    let changes: Vec<_> = rig.checker.changes().iter().map(ToString::to_string).collect();
    let why = "ping: pool fake: the first connect failed after 0 ns: scripted failure of Connect";
    assert_eq!(
        changes,
        [
            "unknown -> healthy".to_owned(),
            format!("healthy -> degraded: {why} (probe 1 of 3 to fail)"),
            format!("degraded -> unhealthy: {why}"),
            "unhealthy -> healthy".to_owned(),
        ]
    );
}

#[test]
fn a_server_that_takes_connections_and_cannot_serve_is_down() {
    let rig = Rig::well(HealthOptions::default());
    rig.server.always(Call::Check, Answer::Error);
    rig.until_it_is(HealthState::Unhealthy);
    let health = rig.health();
    assert_eq!((health.circuit, health.probe_circuit), (Circuit::Closed, Circuit::Open));
}

#[test]
fn one_bad_probe_changes_nothing_for_those_who_are_served() {
    let rig = Rig::well(HealthOptions::default());
    rig.server.next(Call::Check, &[Answer::Error; 2]);
    rig.until_it_is(HealthState::Degraded);
    assert!(rig.health().state.serves());
    let soon = rig.until_it_is(HealthState::Healthy);
    assert!(soon <= SEC, "{soon:?}");
}

#[test]
fn failed_connects_of_the_pool_have_it_ask_at_once() {
    let rig = Rig::well(HealthOptions::default());
    rig.sim.advance(2 * SEC);
    rig.server.always(Call::Connect, Answer::Error);
    rig.server.always(Call::Check, Answer::Error);
    let asked = rig.server.started(Call::Check);
    let _failing = rig.sim.spawn({
        let pool = rig.pool.clone();
        async move { pool.acquire_owned().await.map(drop) }
    });
    rig.sim.advance(10 * MS);
    assert_eq!(rig.server.started(Call::Check), asked + 1);
    let down = rig.until_it_is(HealthState::Unhealthy);
    assert!(down <= 3 * SEC, "{down:?}");
}

#[test]
fn attempts_of_the_pool_during_an_outage_do_not_have_it_ask_more_often() {
    let rig = Rig::well(HealthOptions::default());
    for call in [Call::Connect, Call::Check] {
        rig.server.always(call, Answer::Error);
    }
    let (pool, sim) = (rig.pool.clone(), rig.sim.clone());
    let _user = rig.sim.spawn(async move {
        loop {
            let failed = pool.acquire_owned().await.map(drop);
            assert!(failed.is_err(), "an outage");
            sim.sleep(100 * MS).await;
        }
    });
    rig.until_it_is(HealthState::Unhealthy);
    let mut asked = 0;
    let mut latest = rig.health().probed;
    for _ in 0..600 {
        rig.sim.advance(100 * MS);
        let probed = rig.health().probed;
        asked += usize::from(probed != latest);
        latest = probed;
    }
    assert!((5..=7).contains(&asked), "{asked} probes in a minute, the interval is 10 s");
}

#[test]
fn a_saturated_pool_is_degraded_and_never_unhealthy() {
    let rig = Rig::well(HealthOptions::default());
    let held = [rig.acquire(), rig.acquire()];
    let waiting = rig.sim.spawn({
        let pool = rig.pool.clone();
        async move { pool.acquire_owned().await.map(drop) }
    });
    let saturated = rig.until_it_is(HealthState::Degraded);
    assert!((5 * SEC..=7 * SEC).contains(&saturated), "{saturated:?}");
    let reason = &rig.health().reasons[0];
    assert!(reason.ends_with("2 of 2 connections are in use, 1 acquires wait"), "{reason}");
    rig.sim.advance(20 * SEC);
    assert_eq!(rig.health().state, HealthState::Degraded);
    drop(held);
    rig.until_it_is(HealthState::Healthy);
    drop(waiting);
}

#[test]
fn a_pool_that_may_not_grow_is_saturated_below_its_cap() {
    let rig = Rig::well(HealthOptions::default());
    let _held = rig.acquire();
    rig.pool.control().steer(Steering::opening_up_to(1));
    let _waiting = rig.sim.spawn({
        let pool = rig.pool.clone();
        async move { pool.acquire_owned().await.map(drop) }
    });
    rig.until_it_is(HealthState::Degraded);
    let reason = &rig.health().reasons[0];
    let used = ": 1 connections are in use, no more can be opened, 1 acquires wait";
    assert!(reason.starts_with("saturated for 5.") && reason.ends_with(used), "{reason}");
    rig.pool.control().steer(Steering::default());
    rig.until_it_is(HealthState::Healthy);
}

#[test]
fn a_pool_that_the_server_lets_grow_no_more_is_saturated() {
    let rig = Rig::well(HealthOptions::default());
    // There is room for the checker's connection and one of the pool's, which is passed on.
    rig.server.set_max_sockets(2);
    for _ in 0..3 {
        let (pool, sim) = (rig.pool.clone(), rig.sim.clone());
        let _user = rig.sim.spawn(async move {
            loop {
                let held = pool.acquire_owned().await.expect("passed on");
                sim.sleep(100 * MS).await;
                drop(held);
            }
        });
    }
    let is_told = |health: &Health| health.reasons.iter().any(|it| it.starts_with("saturated"));
    rig.until(is_told);
    assert!(rig.health().state.serves(), "{}", rig.health());
}

#[test]
fn a_paused_pool_is_degraded_and_a_closed_one_unhealthy() {
    let rig = Rig::well(HealthOptions::default());
    rig.pool.control().pause();
    rig.until(|health| health.pool_state == PoolState::Paused);
    assert_eq!(rig.health().reasons, ["the pool is paused, 0 acquires wait"]);
    rig.pool.control().resume();
    rig.until_it_is(HealthState::Healthy);
    let closed = rig.sim.block_on(rig.pool.close(SEC));
    assert!(closed.drained);
    rig.until_it_is(HealthState::Unhealthy);
    assert_eq!(rig.health().reasons, ["the pool is closed"]);
}

#[test]
fn a_server_in_another_role_is_unhealthy_and_its_connections_are_retired() {
    let rig = Rig::well(with(vec![Arc::new(RoleIs(Role::ReadWrite))]));
    drop(rig.acquire());
    assert_eq!(rig.pool.stats().idle, 1);
    rig.server.set_read_only(true);
    rig.until_it_is(HealthState::Degraded);
    assert_eq!(rig.pool.stats().idle, 0, "at the first sign");
    rig.until_it_is(HealthState::Unhealthy);
    drop(rig.acquire());
    rig.sim.advance(60 * SEC);
    assert_eq!(rig.pool.stats().idle, 1, "once");
    let why = "role: the server takes reads only, wanted is one that takes writes";
    assert_eq!(rig.health().reasons, [why]);
    rig.server.set_read_only(false);
    rig.until_it_is(HealthState::Healthy);
    assert_eq!(rig.pool.stats().idle, 0, "what was opened to it since leads there, too");
}

#[test]
fn a_lagging_replica_is_degraded() {
    let rig = Rig::well(with(vec![Arc::new(LagBelow::time(10 * SEC))]));
    rig.server.set_lag(ReplicationLag::Behind { time: Some(11 * SEC), bytes: None });
    rig.until_it_is(HealthState::Degraded);
    rig.server.set_lag(ReplicationLag::Behind { time: Some(9 * SEC), bytes: None });
    rig.until_it_is(HealthState::Healthy);
}

#[test]
fn what_wants_to_be_looked_at_degrades_and_what_is_broken_fails() {
    let transactions = OldestTransaction { open: 60 * SEC, idle: 10 * SEC };
    let rig = Rig::well(with(vec![
        Arc::new(transactions),
        Arc::new(WalBelow(1000)),
        Arc::new(QuickCheck { every: 60 * SEC, ..QuickCheck::default() }),
    ]));
    let mut activity = Activity::default();
    for (open, idle, why) in [
        (61, 9, "a transaction has been open for 61.0 s, allowed is 60.0 s"),
        (61, 11, "a transaction is open and has been idle for 11.0 s, allowed is 10.0 s"),
    ] {
        activity.oldest_transaction = Some(open * SEC);
        activity.oldest_idle_in_transaction = Some(idle * SEC);
        rig.server.set_activity(activity);
        rig.sim.advance(10 * SEC);
        assert_eq!(rig.health().reasons, [format!("transactions: {why}")]);
    }
    rig.server.set_activity(Activity::default());
    rig.server.set_storage(Storage::new(1000));
    rig.sim.advance(10 * SEC);
    let why = "wal: the write-ahead log has 1000 bytes, allowed are 1000";
    assert_eq!(rig.health().reasons, [why]);
    assert!(rig.health().state.serves());
    rig.server.set_storage(Storage::new(0));
    rig.server.set_findings(vec!["page 7 is torn".to_owned(), "page 8 is torn".to_owned()]);
    rig.until_it_is(HealthState::Unhealthy);
    let why = "quick_check: page 7 is torn (and 1 more findings)";
    assert_eq!(rig.health().reasons, [why]);
}

#[test]
fn what_cannot_be_found_out_degrades() {
    let riddle = CustomCheck::new("riddle", |_| {
        Box::pin(async { Finding::Unknown("who knows".to_owned()) })
    });
    let rig = Rig::new(with(vec![Arc::new(riddle), Arc::new(LagBelow::bytes(100))]));
    rig.sim.run();
    assert_eq!(rig.health().to_string(), "fake: degraded: riddle: unknown: who knows");
    rig.server.always(Call::Ask, Answer::Error);
    rig.sim.advance(60 * SEC);
    let health = rig.health();
    assert_eq!(health.state, HealthState::Degraded);
    assert_eq!(health.reasons[1], "lag: unknown: scripted failure of Ask");
}

#[test]
fn a_question_on_the_drivers_own_connection_leaves_it_clean() {
    let question = CustomCheck::on_connection("question", |connection: &mut FakeConnection| {
        Box::pin(async move {
            connection.begin();
            Finding::Degraded(format!("asked on {}", connection.id()))
        })
    });
    let other =
        CustomCheck::on_connection("other", |_: &mut String| Box::pin(async { Finding::Fine }));
    let rig = Rig::new(HealthOptions {
        checks: vec![Arc::new(question), Arc::new(other)],
        ..HealthOptions::default()
    });
    rig.sim.run();
    let reasons = rig.health().reasons.clone();
    let unknown = "other: unknown: the pool's driver has other connections";
    assert_eq!(reasons[1..], [unknown]);
    rig.sim.advance(60 * SEC / 2);
    assert_eq!(rig.health().reasons, reasons, "on the same connection");
    assert_eq!((rig.server.started(Call::Connect), rig.server.started(Call::Reset) > 1), (1, true));
}

#[test]
fn a_check_that_panics_is_contained_and_its_connection_replaced() {
    let fragile = CustomCheck::new("fragile", |_| Box::pin(async { panic!("broken") }));
    let rig = Rig::new(with(vec![Arc::new(fragile)]));
    rig.sim.advance(60 * SEC);
    let health = rig.health();
    assert_eq!(health.state, HealthState::Degraded, "{health}");
    let finding = &health.checks[1].finding;
    assert_eq!(*finding, Finding::Unknown("the check panicked".to_owned()));
    assert_eq!(rig.pool.stats().probes, 0);
}

#[test]
fn its_connection_is_replaced_when_it_is_old_and_given_back_when_the_checker_is_dropped() {
    let rig = Rig::well(HealthOptions::default());
    let first = rig.server.started(Call::Connect);
    rig.sim.advance(55 * SEC);
    assert_eq!(rig.server.started(Call::Connect), first);
    rig.sim.advance(20 * SEC);
    assert_eq!((rig.server.started(Call::Connect), rig.pool.stats().probes), (first + 1, 1));
    let Rig { sim, server, pool, checker } = rig;
    drop(checker);
    sim.run();
    assert_eq!((pool.stats().probes, server.sockets()), (0, 0));
}

#[test]
fn its_connection_is_replaced_when_the_pool_has_another_database() {
    let rig = Rig::well(HealthOptions::default());
    let first = rig.server.started(Call::Connect);
    rig.pool.driver().take_over(FakeDriver::of_database(&rig.server, "new"));
    rig.sim.advance(20 * SEC);
    assert_eq!((rig.server.started(Call::Connect), rig.pool.stats().probes), (first + 1, 1));
}

#[test]
fn one_lost_connection_of_its_own_is_no_bad_probe() {
    let rig = Rig::well(HealthOptions::default());
    rig.server.next(Call::Check, &[Answer::Error]);
    rig.sim.advance(20 * SEC);
    let changes: Vec<_> = rig.checker.changes().iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["unknown -> healthy"]);
}

#[test]
fn a_check_that_cannot_be_asked_or_takes_too_long_says_nothing_against_the_database() {
    let rig = Rig::well(with(vec![Arc::new(LagBelow::bytes(100)), Arc::new(WalBelow(1))]));
    rig.server.always(Call::Ask, Answer::Never);
    rig.sim.advance(120 * SEC);
    let health = rig.health();
    assert_eq!(health.state, HealthState::Degraded, "{health}");
    assert!(health.reasons[0].starts_with("lag: unknown: "), "{health}");
    assert!(health.reasons[1].starts_with("wal: unknown: "), "{health}");
    // The server has room for no more than the one connection, which each such question costs.
    rig.server.always(Call::Ask, Answer::Error);
    rig.sim.advance(20 * SEC);
    assert!(rig.health().state.serves(), "{}", rig.health());
}

#[test]
fn connects_that_hang_leave_it_the_connection_it_has() {
    let rig = Rig::well(HealthOptions::default());
    let _held = rig.acquire();
    rig.server.always(Call::Connect, Answer::Never);
    rig.sim.advance(120 * SEC);
    let health = rig.health();
    assert_eq!(health.reasons, ["no fresh connection: no answer within 3.00 s"]);
    assert_eq!((health.state, rig.pool.stats().probes), (HealthState::Degraded, 1));
}

#[test]
fn where_no_connection_can_be_opened_a_pool_that_has_none_cannot_serve() {
    let rig = Rig::well(HealthOptions::default());
    rig.server.always(Call::Connect, Answer::Permanent);
    let down = rig.until_it_is(HealthState::Unhealthy);
    assert!(down <= 90 * SEC, "{down:?}");
    let why = &rig.health().reasons[0];
    assert!(why.starts_with("no connection can be opened, and the pool has none: "), "{why}");
    rig.server.heal();
    rig.until_it_is(HealthState::Healthy);
}

#[test]
fn an_idle_pool_is_well_once_connects_succeed_again_though_it_has_not_tried() {
    let rig = Rig::well(HealthOptions::default());
    rig.server.always(Call::Connect, Answer::Error);
    let failing = rig.sim.spawn({
        let pool = rig.pool.clone();
        async move { pool.acquire_owned().await.map(drop) }
    });
    rig.until(|health| health.circuit != Circuit::Closed);
    rig.until_it_is(HealthState::Unhealthy);
    drop(failing);
    rig.sim.advance(60 * SEC);
    rig.server.heal();
    rig.until_it_is(HealthState::Healthy);
    assert_ne!(rig.health().circuit, Circuit::Closed);
}

#[test]
fn a_server_without_room_for_a_fresh_connection_still_serves() {
    let rig = Rig::well(HealthOptions::default());
    let _held = rig.acquire();
    rig.server.set_max_sockets(2);
    rig.sim.advance(100 * SEC);
    let health = rig.health();
    assert_eq!((health.state, rig.pool.stats().probes), (HealthState::Degraded, 1), "{health}");
    assert!(health.reasons[0].starts_with("no fresh connection: "), "{health}");
    rig.server.heal();
    rig.until_it_is(HealthState::Healthy);
}

#[test]
fn nothing_is_known_once_its_runtime_is_stuck_or_gone() {
    let rig = Rig::well(HealthOptions::default());
    rig.sim.advance(5 * SEC);
    let mut later = Hand::new(rig.sim.sleep(20 * SEC));
    later.pending();
    // Time passes, and no task runs.
    while later.wakes() == 0 {
        assert!(rig.sim.skip_to_next_timer());
    }
    let why = "fake: unknown: the checker has not run for 20.0 s: its runtime is stuck";
    let stuck = rig.health();
    assert_eq!((stuck.to_string().as_str(), stuck.since), (why, stuck.at));
    rig.sim.run();
    assert_eq!(rig.health().state, HealthState::Healthy);
    rig.sim.shut_down();
    assert_eq!(rig.health().to_string(), "fake: unknown: the checker has ended");
}

#[test]
fn a_pool_that_was_closed_just_before_the_runtime_went_is_known_to_be() {
    let rig = Rig::well(HealthOptions::default());
    assert!(Hand::new(rig.pool.close(SEC)).ready().drained);
    rig.sim.shut_down();
    assert_eq!(rig.health().to_string(), "fake: unhealthy: the pool is closed");
}

#[test]
fn bad_options_and_a_missing_runtime_are_errors() {
    let rig = Rig::well(HealthOptions::default());
    let start = |options| HealthChecker::start(&rig.pool.control(), options).map(drop);
    let refused = start(HealthOptions { rise: 0, ..HealthOptions::default() });
    assert_eq!(refused.expect_err("no rise").to_string(), "rise = 0 must be at least 1");
    let outside = catch_unwind(AssertUnwindSafe(|| start(HealthOptions::default())));
    let error = outside.expect("no panic").expect_err("no runtime");
    assert!(error.to_string().starts_with("no usable async runtime here"), "{error}");
}
