//! The control handle: watching and steering a pool without knowing its driver.

use std::time::Duration;

use pool_core::{
    Activity, ControlHandle, Holder, OpenError, PoolConfig, PoolState, ReplicationLag, Role,
    Steering, Storage,
};
use pool_testkit::{Answer, Call};

use crate::rig::{MS, Rig, SEC};

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn a_paused_pool_lets_acquires_wait_and_serves_them_in_order_when_resumed() {
    let rig = Rig::with_max_open(2);
    let control = rig.pool.control();
    let held = rig.acquire();
    rig.fill(1);
    control.pause();
    assert_eq!(control.state(), PoolState::Paused);
    let (mut first, mut second) = (rig.waiter(), rig.waiter());
    drop(held);
    rig.sim.run();
    assert_eq!((rig.pool.stats().idle, first.wakes()), (2, 0), "what comes back rests");
    control.resume();
    rig.sim.run();
    drop((first.ready().expect("served"), second.ready().expect("served")));
    assert_eq!(rig.server.started(Call::Connect), 2);
}

#[test]
fn a_paused_pool_opens_nothing_and_keeps_deadlines() {
    let rig = Rig::with_max_open(2);
    rig.pool.control().pause();
    let error = rig.sim.block_on(rig.pool.acquire_within(SEC)).expect_err("paused");
    assert!(error.is_timeout());
    assert!(error.to_string().contains("waiting for the paused pool to be resumed"), "{error}");
    assert_eq!(rig.server.started(Call::Connect), 0);
}

#[test]
fn no_connect_starts_at_the_ceiling_and_existing_connections_stay() {
    let rig = Rig::with_max_open(5);
    let control = rig.pool.control();
    let guards = rig.acquire_many(3);
    control.steer(Steering::opening_up_to(2));
    assert_eq!((control.stats().opening_ceiling, control.stats().max_open), (2, 5));
    let mut waiter = rig.waiter();
    rig.sim.advance(SEC);
    assert_eq!((rig.pool.stats().open, rig.server.started(Call::Connect)), (3, 3));
    control.steer(Steering::default());
    assert_eq!(control.stats().opening_ceiling, 5);
    rig.sim.run();
    drop(waiter.ready().expect("served by a new connection"));
    drop(guards);
    assert_eq!(rig.server.started(Call::Connect), 4);
}

#[test]
fn a_probe_is_outside_the_pool_and_counted() {
    let rig = Rig::with_max_open(1);
    let control = rig.pool.control();
    let _held = rig.acquire();
    let mut probe = rig.sim.block_on(control.probe()).expect("beyond max_open");
    let stats = control.stats();
    assert_eq!((stats.probes, stats.open, rig.server.sockets()), (1, 1, 2));
    rig.server.always(Call::Check, Answer::Late(3 * MS));
    assert_eq!(rig.sim.block_on(probe.ping()).expect("alive"), 3 * MS);
    drop(probe);
    assert_eq!((control.stats().probes, rig.server.sockets()), (0, 1));
}

#[test]
fn a_probe_answers_what_its_driver_can_ask() {
    let rig = Rig::with_max_open(3);
    rig.server.set_max_sockets(10);
    rig.server.set_read_only(true);
    let control = rig.pool.control();
    let can = control.capabilities();
    assert!(can.capacity && can.role && can.lag && can.activity && can.storage && can.leases);
    let _held = rig.acquire_many(2);
    let mut probe = rig.sim.block_on(control.probe()).expect("up");
    let capacity = rig.sim.block_on(probe.capacity()).expect("can ask").expect("answers");
    assert_eq!((capacity.max_connections, capacity.in_use), (10, 3));
    let role = rig.sim.block_on(probe.role()).expect("can ask").expect("answers");
    assert_eq!(role, Role::ReadOnly);
    let mut lag = || rig.sim.block_on(probe.replication_lag()).expect("can ask").expect("answers");
    assert_eq!(lag(), ReplicationLag::Primary);
    let behind = ReplicationLag::Behind { time: Some(3 * SEC), bytes: Some(77) };
    rig.server.set_lag(behind);
    assert_eq!(lag(), behind);
}

#[test]
fn a_probe_answers_what_is_open_and_what_the_files_are_like() {
    let rig = Rig::with_max_open(1);
    let mut probe = rig.sim.block_on(rig.pool.control().probe()).expect("up");
    let mut open = Activity::default();
    let mut activity = || rig.sim.block_on(probe.activity()).expect("can ask").expect("answers");
    assert_eq!(activity(), open);
    open.oldest_transaction = Some(3 * SEC);
    rig.server.set_activity(open);
    assert_eq!(activity(), open);
    rig.server.set_storage(Storage::new(4096));
    let storage = rig.sim.block_on(probe.storage()).expect("can ask").expect("answers");
    assert_eq!(storage.wal_bytes, 4096);
    let mut verify = || rig.sim.block_on(probe.verify(MINUTE)).expect("can ask").expect("answers");
    assert!(verify().is_empty());
    rig.server.set_findings(vec!["page 3 is never used".to_owned()]);
    assert_eq!(verify(), ["page 3 is never used"]);
}

#[test]
fn a_question_that_fails_costs_the_probe() {
    let rig = Rig::with_max_open(1);
    let mut probe = rig.sim.block_on(rig.pool.control().probe()).expect("up");
    rig.server.next(Call::Ask, &[Answer::Ok, Answer::Error]);
    rig.sim.block_on(probe.storage()).expect("can ask").expect("answers");
    let error = rig.sim.block_on(probe.verify(MINUTE)).expect("can ask").expect_err("scripted");
    assert_eq!((&*error.to_string(), rig.server.sockets()), ("scripted failure of Ask", 0));
}

#[test]
fn a_question_that_hangs_is_bounded_and_costs_the_probe() {
    let rig = Rig::with_max_open(1);
    let mut probe = rig.sim.block_on(rig.pool.control().probe()).expect("up");
    rig.server.always(Call::Check, Answer::Never);
    let started = rig.sim.now();
    let error = rig.sim.block_on(probe.ping()).expect_err("hangs");
    assert_eq!(error.to_string(), "the driver's check did not finish within 2.00 s");
    assert_eq!((rig.sim.now().since(started), rig.server.sockets()), (2 * SEC, 0));
    let again = rig.sim.block_on(probe.ping()).expect_err("lost");
    assert_eq!(again.to_string(), "the probe's connection was lost earlier");
}

#[test]
fn a_probe_that_cannot_connect_says_why() {
    let rig = Rig::with_max_open(1);
    rig.server.always(Call::Connect, Answer::Error);
    let error = rig.sim.block_on(rig.pool.control().probe()).err().expect("down");
    assert!(matches!(error, OpenError::Connect { .. }), "{error:?}");
    assert_eq!(rig.pool.stats().probes, 0);
}

#[test]
fn one_handle_serves_pools_of_any_driver_and_does_not_keep_them_open() {
    let rig = Rig::new(PoolConfig { max_open: 4, ..PoolConfig::default() });
    let control: ControlHandle = rig.pool.control();
    let other = ControlHandle::clone(&control);
    assert_eq!((other.name(), &*other.metadata().system_name), ("fake", "fake"));
    let _held = rig.acquire();
    rig.sim.advance(SEC);
    let [Holder { count: 1, longest, .. }] = other.holders()[..] else { panic!("one holder") };
    assert_eq!(longest, SEC);
    let config = PoolConfig { max_open: 9, ..other.config() };
    assert_eq!(other.reconfigure(config).expect("valid").generation, 2);
    assert_eq!(control.stats().max_open, 9);
    assert_eq!(control.db_stats(), rig.pool.db_stats());
}

#[test]
fn a_pool_can_be_closed_through_its_handle() {
    let rig = Rig::with_max_open(1);
    rig.fill(1);
    let report = rig.sim.block_on(rig.pool.control().close(SEC));
    assert!(report.drained && report.took == Duration::ZERO, "{report}");
    assert_eq!(rig.pool.stats().state, PoolState::Closed);
}

#[test]
fn a_resumed_pool_serves_from_idle_connections_although_a_connect_hangs() {
    let rig = Rig::with_max_open(3);
    let held = rig.acquire();
    rig.server.always(Call::Connect, Answer::Never);
    let mut waiter = rig.waiter();
    rig.pool.control().pause();
    drop(held);
    rig.pool.control().resume();
    rig.sim.run();
    drop(waiter.ready().expect("served"));
}

#[test]
fn those_who_wait_for_a_paused_pool_keep_their_deadline_in_an_outage() {
    let rig = Rig::with_max_open(2);
    rig.server.always(Call::Connect, Answer::Error);
    let mut waiter = rig.waiter();
    rig.pool.control().pause();
    rig.sim.advance(30 * SEC - MS);
    waiter.pending();
    rig.sim.advance(MS);
    assert!(waiter.ready().expect_err("its deadline").is_timeout());
}

#[test]
fn a_closed_pool_makes_no_probe() {
    let rig = Rig::with_max_open(1);
    let control = rig.pool.control();
    assert!(rig.sim.block_on(rig.pool.close(SEC)).drained);
    let refused = rig.sim.block_on(control.probe()).err().expect("closed");
    assert!(matches!(refused, pool_core::OpenError::Closed), "{refused}");
    assert_eq!(rig.server.started(Call::Connect), 0);
}
