//! What the monitor sees, when, and whom it tells.

use std::sync::Arc;
use std::time::Duration;

use pool_core::{Observer, Pool, PoolConfig, PoolOptions, PoolState};
use pool_monitor::{HISTORY_SPAN, MonitorError, MonitorOptions, PoolMonitor, Signal};
use pool_testkit::{Answer, Call, FakeDriver, FakeServer, Sim};

use crate::rig::{Log, MS, Rig, SEC, Seen, every, listening};

#[track_caller]
fn close_to(found: Duration, expected: Duration) {
    let ratio = found.as_secs_f64() / expected.as_secs_f64();
    assert!((ratio - 1.0).abs() < 0.1, "{found:?} instead of {expected:?}");
}

#[test]
fn every_interval_has_its_snapshot_with_rates() {
    let rig = Rig::with_max_open(2);
    let seen = Seen::default();
    let _subscription = rig.monitor.subscribe(seen.note());
    rig.use_by(2, 10 * MS, 10 * MS);
    rig.sim.advance(3 * SEC + 5 * MS);
    let seen = seen.take();
    let spans: Vec<_> = seen.iter().map(|view| view.snapshot.since_last.span).collect();
    assert_eq!(spans, [SEC; 3]);
    let last = &seen[2].snapshot;
    assert!((95.0..=105.0).contains(&last.acquires_per_second()), "{last:?}");
    assert_eq!(last.stats.acquires.succeeded(), seen[2].history.last(HISTORY_SPAN).ended());
}

#[test]
fn percentiles_are_of_the_waits_there_were() {
    let rig = Rig::with_max_open(1);
    // One holds the only connection for 90 ms; ten others come behind each other.
    rig.use_by(11, 90 * MS, Duration::ZERO);
    rig.sim.advance(30 * SEC);
    let view = rig.view();
    close_to(view.snapshot.wait_p50(), 900 * MS);
    let p99 = Signal::WaitP99.value(&view, 10 * SEC).expect("there were waits");
    close_to(Duration::from_secs_f64(p99), 900 * MS);
    let held = Signal::HeldP50.value(&view, 10 * SEC).expect("there were users");
    close_to(Duration::from_secs_f64(held), 90 * MS);
    assert_eq!(Signal::ConnectP99.value(&view, SEC), None, "none was opened lately");
}

#[test]
fn a_full_pool_is_said_to_be_full_since_when_and_when_it_was_last() {
    let rig = Rig::with_max_open(2);
    let held = [rig.acquire(), rig.acquire()];
    rig.sim.advance(5 * SEC + MS);
    let view = rig.view();
    assert_eq!(view.snapshot.full_for, Some(4 * SEC));
    assert_eq!(Signal::FullFor.value(&view, SEC), Some(4.0));
    assert!((view.snapshot.utilisation() - 1.0).abs() < 1e-9);
    drop(held);
    rig.sim.advance(3 * SEC);
    let snapshot = rig.view().snapshot;
    assert_eq!((snapshot.full_for, snapshot.last_full), (None, Some(3 * SEC)));
    assert!(snapshot.utilisation() < 1e-9);
}

#[test]
fn an_unlimited_pool_has_a_utilisation_of_nothing_and_is_never_full() {
    let rig = Rig::with_max_open(PoolConfig::UNLIMITED);
    let _held = [rig.acquire(), rig.acquire()];
    rig.sim.advance(2 * SEC);
    let snapshot = rig.view().snapshot;
    assert_eq!(snapshot.full_for, None);
    assert!(snapshot.utilisation() < 1e-9);
}

#[test]
fn peaks_between_two_looks_are_seen() {
    let rig = Rig::with_max_open(5);
    drop([rig.acquire(), rig.acquire(), rig.acquire()]);
    rig.sim.advance(SEC);
    let snapshot = rig.view().snapshot;
    assert_eq!((snapshot.stats.in_use, snapshot.since_last.in_use.max), (0, 3));
}

#[test]
fn a_closed_pool_is_told_of_once_more_and_forgotten() {
    let rig = Rig::with_max_open(1);
    let seen = Seen::default();
    let _subscription = rig.monitor.subscribe(seen.note());
    drop(rig.acquire());
    let report = rig.sim.block_on(rig.pool.close(SEC));
    assert!(report.drained, "{report}");
    rig.sim.advance(5 * SEC);
    let seen = seen.take();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].snapshot.since_last.acquires.succeeded(), 1);
    assert!(rig.monitor.views().is_empty());
}

#[test]
fn a_closed_pool_is_told_of_until_its_connections_are_back_and_leaves_nothing_behind() {
    let rig = Rig::with_max_open(1);
    let witness = Arc::new(Witness);
    rig.pool.control().observe(witness.clone()).keep();
    let held = rig.acquire();
    let report = rig.sim.block_on(rig.pool.close(SEC));
    assert!(!report.drained, "{report}");
    drop(rig.pool);
    rig.sim.advance(HISTORY_SPAN);
    let stats = rig.monitor.view("fake").expect("still told of").snapshot.stats.clone();
    assert_eq!((stats.state, stats.in_use), (PoolState::Closed, 1));
    drop(held);
    rig.sim.advance(2 * SEC);
    assert!(rig.monitor.views().is_empty());
    assert_eq!(Arc::strong_count(&witness), 1, "the pool is gone from memory");
}

/// In memory for as long as the pool that it observes.
struct Witness;

impl Observer for Witness {}

#[test]
fn closed_pools_whose_connections_never_come_back_do_not_pile_up_for_ever() {
    let Rig { sim, server, monitor, .. } = Rig::with_max_open(1);
    for number in 0..110 {
        watch_a_pool_that_never_drains(&monitor, &sim, &server, number);
        monitor.look();
    }
    let views = monitor.views();
    let names: Vec<_> = views.iter().map(|view| &*view.snapshot.pool).collect();
    let expected: Vec<_> = (10..110).map(|number| number.to_string()).collect();
    assert_eq!(names, expected);
}

#[test]
fn every_closed_pool_is_told_of_however_many_close_between_two_looks() {
    let Rig { sim, server, monitor, .. } = Rig::with_max_open(1);
    monitor.look();
    let seen = Seen::default();
    let _subscription = monitor.subscribe(seen.note());
    for number in 0..200 {
        watch_a_pool_that_never_drains(&monitor, &sim, &server, number);
    }
    monitor.look();
    let names: Vec<_> = seen.take().iter().map(|view| view.snapshot.pool.to_string()).collect();
    let expected: Vec<_> = (0..200).map(|number| number.to_string()).collect();
    assert_eq!(names, expected);
}

/// One that is closed, while whoever has its connection forgot it.
fn watch_a_pool_that_never_drains(
    monitor: &PoolMonitor,
    sim: &Sim,
    server: &FakeServer,
    number: usize,
) {
    let name = Some(number.to_string().into());
    let options =
        PoolOptions { name, runtime: Some(sim.runtime()), ..PoolConfig::default().into() };
    let pool = Pool::new(FakeDriver::new(server), options).expect("valid");
    monitor.watch(&pool.control());
    std::mem::forget(sim.block_on(pool.acquire()).expect("opened"));
}

#[test]
fn a_panic_in_a_subscriber_costs_the_others_nothing() {
    let rig = Rig::with_max_open(1);
    let seen = Seen::default();
    let _spiteful = rig.monitor.subscribe(|_: &_| panic!("on purpose"));
    let subscription = rig.monitor.subscribe(seen.note());
    rig.sim.advance(2 * SEC);
    assert_eq!(seen.take().len(), 2);
    drop(subscription);
    rig.sim.advance(2 * SEC);
    assert_eq!(seen.take().len(), 0);
}

#[test]
fn pools_of_one_name_are_told_apart_and_one_pool_is_watched_once() {
    let rig = Rig::with_max_open(1);
    let other = Rig::with_max_open(3);
    for _ in 0..2 {
        rig.monitor.watch(&rig.pool.control());
        rig.monitor.watch(&other.pool.control());
    }
    rig.monitor.look();
    let views = rig.monitor.views();
    let seen: Vec<_> =
        views.iter().map(|view| (&*view.snapshot.pool, view.config.max_open)).collect();
    assert_eq!(seen, [("fake", 1), ("fake#2", 3)]);
}

#[test]
fn a_pool_that_is_opened_anew_has_the_name_of_the_closed_one() {
    let rig = Rig::with_max_open(1);
    rig.sim.advance(SEC);
    drop(rig.sim.block_on(rig.pool.close(SEC)));
    let anew = Rig::with_max_open(2);
    rig.monitor.watch(&anew.pool.control());
    rig.sim.advance(SEC);
    assert_eq!(rig.view().config.max_open, 2);
    assert_eq!(rig.monitor.views().len(), 1);
}

#[test]
fn the_log_says_all_that_happened_since_the_line_before_and_at_once_what_must_not_wait() {
    let log = Log::default();
    let _listening = listening(log.clone());
    let config = PoolConfig { leak_after: Some(10 * SEC), ..PoolConfig::default() };
    let rig = Rig::new(PoolConfig { max_open: PoolConfig::UNLIMITED, ..config });
    rig.sim.advance(2 * SEC);
    let [first] = &log.take()[..] else { panic!("one line at the start") };
    assert!(first.starts_with("INFO message=pool statistics pool=\"fake\" open=0 "), "{first}");
    assert!(!first.contains("max_open"), "{first}");

    rig.server.next(Call::Connect, &[Answer::Error]);
    let leaked = rig.acquire();
    rig.sim.advance(MS + 20 * SEC);
    let [connects, leaks] = &log.take()[..] else { panic!("two warnings") };
    let expected = "WARN message=connects fail pool=\"fake\" failed=1 circuit=\"closed\" \
                    error=\"scripted failure of Connect\"";
    assert_eq!(connects, expected);
    assert!(leaks.starts_with("WARN message=connections are held suspiciously long"), "{leaks}");
    assert!(leaks.contains("rig.rs:"), "{leaks}");
    drop(leaked);

    // What happened half a minute before the line is in it.
    rig.sim.advance(60 * SEC);
    let [line] = &log.take()[..] else { panic!("one line") };
    assert!(line.contains(" failed_connects=1 failed_checks=0 connects=1 "), "{line}");
}

#[test]
fn a_driver_is_asked_for_its_metadata_once() {
    let rig = Rig::with_max_open(1);
    rig.sim.advance(SEC);
    let first = rig.view().metadata;
    rig.sim.advance(SEC);
    assert!(Arc::ptr_eq(&first, &rig.view().metadata));
}

#[test]
fn a_dropped_monitor_looks_no_more() {
    let Rig { sim, pool, monitor, .. } = Rig::with_max_open(1);
    let seen = Seen::default();
    monitor.subscribe(seen.note()).keep();
    drop(monitor);
    let fired = sim.timers_fired();
    sim.advance(10 * SEC);
    assert_eq!((seen.take().len(), sim.timers_fired()), (0, fired));
    drop(pool);
}

#[test]
fn an_impossible_interval_is_refused() {
    let sim = Sim::new(1);
    let refused = PoolMonitor::start(every(Duration::ZERO, &sim)).expect_err("none");
    assert_eq!(refused, MonitorError::Interval(Duration::ZERO));
    let message = "an interval of 0ns is not possible: choose one from 10ms to 15min";
    assert_eq!(refused.to_string(), message);
    let outside = PoolMonitor::start(MonitorOptions::default()).expect_err("no runtime");
    assert!(matches!(outside, MonitorError::NoRuntime(_)), "{outside}");
}
