//! A configuration that changes while the pool runs.

use std::time::Duration;

use pool_core::{CloseReason, FIELDS, PoolConfig};
use pool_testkit::{Answer, Call, Hand, Sim, SimTask};

use crate::rig::{MS, Rig, SEC};

fn change(rig: &Rig, change: impl FnOnce(&mut PoolConfig)) -> pool_core::Reconfigured {
    let mut config = rig.pool.config();
    change(&mut config);
    rig.pool.reconfigure(config).expect("valid")
}

#[test]
fn raising_max_open_wakes_those_who_wait_at_once() {
    let rig = Rig::with_max_open(1);
    let held = rig.acquire();
    let mut waiters: Vec<_> = (0..3).map(|_| rig.waiter()).collect();
    change(&rig, |config| config.max_open = 3);
    rig.sim.run();
    let served: Vec<_> = waiters[..2].iter_mut().map(|w| w.ready().expect("served")).collect();
    waiters[2].pending();
    drop((held, served));
}

#[test]
fn shrinking_closes_idle_surplus_now_and_unused_longest_first() {
    let rig = Rig::with_max_open(5);
    let guards = rig.acquire_many(5);
    let newest = guards[4].id();
    for guard in guards {
        rig.sim.advance(MS);
        drop(guard);
    }
    let outcome = change(&rig, |config| config.max_open = 1);
    assert_eq!((outcome.closed, outcome.awaiting_return), (4, 0));
    assert_eq!(rig.acquire().id(), newest, "the one used last stays");
}

#[test]
fn shrinking_closes_borrowed_surplus_on_return_and_touches_none_in_use() {
    let rig = Rig::with_max_open(4);
    let mut guards = rig.acquire_many(4);
    let outcome = change(&rig, |config| config.max_open = 2);
    assert_eq!((outcome.closed, outcome.awaiting_return), (0, 2));
    for guard in &mut guards {
        guard.query("select 1").expect("untouched");
    }
    drop(guards);
    rig.sim.run();
    assert_eq!((rig.pool.stats().idle, rig.server.sockets()), (2, 2));
    assert_eq!(rig.pool.stats().closed.of(CloseReason::Surplus), 2);
}

#[test]
fn five_cycles_of_shrinking_and_growing_never_pass_the_cap() {
    let rig = Rig::with_max_open(10);
    for _ in 0..5 {
        change(&rig, |config| config.max_open = 5);
        let callers: Vec<_> = (0..20).map(|_| rig.spawn_acquire()).collect();
        rig.sim.run();
        assert_eq!(rig.pool.stats().open, 5);
        change(&rig, |config| config.max_open = 10);
        rig.sim.run();
        let served: Vec<_> = callers.iter().filter_map(SimTask::take).collect();
        assert_eq!((served.len(), rig.pool.stats().open), (10, 10));
        drop(served);
        rig.sim.run();
        drop(callers.iter().filter_map(SimTask::take).collect::<Vec<_>>());
    }
    assert_eq!(rig.server.most_sockets(), 10);
}

#[test]
fn resizing_a_cold_pool_counts() {
    let rig = Rig::with_max_open(10);
    change(&rig, |config| config.max_open = 5);
    let _guards = rig.acquire_many(5);
    rig.waiter().pending();
    assert_eq!(rig.server.most_sockets(), 5);
}

#[test]
fn an_invalid_configuration_changes_nothing_and_reports_every_problem() {
    let rig = Rig::with_max_open(3);
    let before = rig.pool.config();
    let wrong =
        PoolConfig { max_open: 0, acquire_timeout: Duration::ZERO, min_idle: 9, ..before.clone() };
    let error = rig.pool.reconfigure(wrong).expect_err("three mistakes");
    assert_eq!(error.problems().len(), 3, "{error}");
    assert_eq!((rig.pool.config(), rig.pool.stats().generation), (before, 1));
}

#[test]
fn a_reconfiguration_says_what_changed_and_counts_generations() {
    let rig = Rig::with_max_open(3);
    let outcome = change(&rig, |config| {
        config.max_open = 7;
        config.max_lifetime = None;
    });
    let changes: Vec<_> = outcome.changes.iter().map(|c| (c.field, &*c.from, &*c.to)).collect();
    assert_eq!(changes, [("max_open", "3", "7"), ("max_lifetime", "30m", "off")]);
    assert_eq!((outcome.generation, rig.pool.stats().generation), (2, 2));
    assert!(change(&rig, |_| {}).changes.is_empty());
}

#[test]
fn a_shorter_lifetime_counts_for_connections_that_exist_already() {
    let rig =
        Rig::new(PoolConfig { lifetime_jitter: 0, max_idle_time: None, ..PoolConfig::default() });
    rig.fill(2);
    rig.sim.advance(600 * SEC);
    change(&rig, |config| config.max_lifetime = Some(300 * SEC));
    rig.sim.run();
    assert_eq!(rig.pool.stats().closed.of(CloseReason::Lifetime), 2);
}

#[test]
fn a_longer_lifetime_counts_for_connections_that_exist_already() {
    let rig = Rig::new(PoolConfig {
        lifetime_jitter: 0,
        max_idle_time: None,
        max_lifetime: Some(300 * SEC),
        ..PoolConfig::default()
    });
    rig.fill(2);
    rig.sim.advance(200 * SEC);
    change(&rig, |config| config.max_lifetime = None);
    rig.sim.advance(600 * SEC);
    assert_eq!(rig.pool.stats().idle, 2);
}

#[test]
fn max_idle_of_zero_closes_present_idle_connections_at_once_and_keeps_none() {
    let rig = Rig::with_max_open(3);
    rig.fill(3);
    let outcome = change(&rig, |config| config.max_idle = 0);
    assert_eq!((outcome.closed, rig.pool.stats().idle), (3, 0));
    drop(rig.acquire());
    assert_eq!(rig.pool.stats().idle, 0, "whatever the grace");
}

#[test]
fn a_smaller_max_idle_closes_the_surplus_at_once_whatever_the_grace() {
    let rig = Rig::with_max_open(5);
    rig.fill(5);
    assert_eq!(change(&rig, |config| config.max_idle = 2).closed, 3);
}

#[test]
fn a_new_acquire_timeout_counts_for_acquires_that_come_afterwards() {
    let rig =
        Rig::new(PoolConfig { max_open: 1, acquire_timeout: 5 * SEC, ..PoolConfig::default() });
    let _held = rig.acquire();
    let early = rig.spawn_acquire();
    rig.sim.run();
    change(&rig, |config| config.acquire_timeout = SEC);
    let late = rig.spawn_acquire();
    rig.sim.advance(SEC);
    assert!(late.is_done() && !early.is_done());
    rig.sim.advance(4 * SEC);
    assert!(early.is_done());
}

#[test]
fn an_unlimited_pool_opens_what_is_asked_for() {
    let rig = Rig::new(PoolConfig {
        max_open: PoolConfig::UNLIMITED,
        max_opening: 1000,
        ..PoolConfig::default()
    });
    rig.server.always(Call::Connect, Answer::Late(MS));
    let mut waiters: Vec<_> = (0..500).map(|_| rig.waiter()).collect();
    rig.sim.advance(MS);
    let guards: Vec<_> = waiters.iter_mut().map(Hand::ready).collect();
    assert_eq!((guards.len(), rig.pool.stats().in_use), (500, 500));
}

#[test]
fn max_idle_of_zero_closes_a_connection_whose_check_ends_later() {
    let rig = Rig::with_max_open(1);
    rig.fill(1);
    rig.sim.advance(SEC);
    rig.server.next(Call::Check, &[Answer::Gate]);
    drop(rig.waiter());
    let outcome = rig.pool.reconfigure(PoolConfig { max_idle: 0, ..rig.pool.config() });
    assert_eq!(outcome.expect("valid").closed, 0, "it is being checked");
    rig.server.open_gate(Call::Check, Answer::Ok);
    rig.sim.run();
    assert_eq!(rig.pool.stats().idle, 0);
}

/// Under full load every field is changed, one after another, up and down; no acquire fails.
#[test]
fn a_reconfiguration_of_every_field_under_full_load_fails_no_acquire() {
    Sim::for_each_seed(0..10, |sim| {
        let rig = Rig::in_sim(sim, PoolConfig { max_open: 8, ..PoolConfig::default() });
        rig.server.always(Call::Connect, Answer::Late(20 * MS));
        rig.server.always(Call::Check, Answer::Late(MS));
        for _ in 0..50 {
            let (pool, sim) = (rig.pool.clone(), sim.clone());
            drop(rig.sim.spawn(async move {
                loop {
                    let mut guard = pool.acquire_owned().await.expect("no acquire fails");
                    sim.sleep(7 * MS).await;
                    guard.query("select 1").expect("alive");
                    drop(guard);
                    sim.sleep(3 * MS).await;
                }
            }));
        }
        let changes = [
            ("max_open", ["2", "20"]),
            ("max_idle", ["0", "10"]),
            ("min_idle", ["5", "0"]),
            ("idle_grace", ["0", "1s"]),
            ("max_lifetime", ["100ms", "off"]),
            ("lifetime_jitter", ["100%", "0%"]),
            ("max_idle_time", ["1ms", "off"]),
            ("acquire_timeout", ["5s", "max"]),
            ("connect_timeout", ["100ms", "max"]),
            ("check_timeout", ["50ms", "max"]),
            ("check_after_idle", ["0", "off"]),
            ("keepalive", ["1ms", "off"]),
            ("max_waiters", ["60", "100000"]),
            ("max_opening", ["1", "1000"]),
            ("outage_grace", ["1ms", "off"]),
            ("leak_after", ["1ms", "off"]),
        ];
        assert!(FIELDS.iter().all(|field| changes.iter().any(|it| it.0 == field.name)));
        for (field, values) in changes {
            for value in values {
                let mut config = rig.pool.config();
                config.set(field, value).expect("understood");
                let outcome = rig.pool.reconfigure(config).expect("valid");
                assert_eq!(outcome.changes.len(), 1, "{field} = {value}");
                let before = rig.pool.stats().acquires.succeeded();
                sim.advance(SEC);
                let stats = rig.pool.stats();
                assert_eq!(stats.acquires.failed(), 0, "{field} = {value}: {stats:?}");
                let served = stats.acquires.succeeded() - before;
                assert!(served >= 100, "{field} = {value}: {served} served in a second");
            }
        }
    });
}
