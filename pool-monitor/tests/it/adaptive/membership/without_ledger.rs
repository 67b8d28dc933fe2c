//! Members without the right to keep a ledger.

use pool_core::{LeaseTrouble, Sessions};

use super::*;
use crate::rig::{Log, listening};

fn poor() -> Fleet {
    let fleet = Fleet::new();
    fleet.server.set_lease_trouble(Some(LeaseTrouble::NoRight));
    fleet
}

#[test]
fn they_count_who_is_there_and_take_equal_parts_and_say_so_once() {
    let log = Log::default();
    let _listening = listening(log.clone());
    let fleet = poor();
    let (one, two) = (fleet.join(1), fleet.join(2));
    fleet.use_by(&one, 50);
    fleet.use_by(&two, 50);
    fleet.sim.advance(5 * SEC);
    assert_eq!((one.state(), one.open()), (ShareState::Pending, 0), "others must see it first");
    fleet.sim.advance(60 * SEC);
    // 40, of which 3 are in reserve and each has one to look.
    assert_eq!((one.open(), two.open()), (17, 17));
    let FleetShare { granted, state, reason, .. } = one.share();
    assert_eq!((granted, state), (17, ShareState::Granted));
    assert!(
        reason.starts_with("granted 17: an equal part for each of 2 members (no right"),
        "{reason}"
    );
    let warnings = log.take().iter().filter(|line| line.starts_with("WARN")).count();
    assert_eq!(warnings, 2, "one of each");
    let third = fleet.join(3);
    fleet.use_by(&third, 50);
    fleet.sim.advance(60 * SEC);
    assert_eq!([&one, &two, &third].map(Process::open), [11; 3]);
    assert!(fleet.server.most_sockets() <= TOTAL, "{}", fleet.server.most_sockets());
}

#[test]
fn who_sees_nobody_opens_nothing_and_says_what_to_do() {
    let fleet = poor();
    fleet.server.set_fleet_sessions(Sessions::Hidden);
    let process = fleet.join(1);
    fleet.use_by(&process, 5);
    fleet.sim.advance(60 * SEC);
    let FleetShare { granted, state, reason, .. } = process.share();
    assert_eq!((granted, state, process.open()), (0, ShareState::Pending, 0));
    assert!(
        reason.contains("cannot share") && reason.contains("let the account create"),
        "{reason}"
    );
}

#[test]
fn who_cannot_count_any_more_opens_nothing_after_its_lease() {
    let fleet = poor();
    let process = fleet.join(1);
    fleet.use_by(&process, 10);
    fleet.sim.advance(60 * SEC);
    assert_eq!(process.open(), 10);
    fleet.server.always(pool_testkit::Call::Ask, pool_testkit::Answer::Error);
    fleet.sim.advance(20 * SEC);
    assert_eq!((process.state(), process.open()), (ShareState::Lapsed, 10));
    assert_eq!(process.pool.stats().opening_ceiling, 0);
    fleet.server.heal();
    fleet.until("it is back", 10 * SEC, || process.state() == ShareState::Granted);
}

#[test]
fn who_leaves_closes_what_it_has() {
    let fleet = poor();
    let mut process = fleet.join(1);
    fleet.use_by(&process, 10);
    fleet.sim.advance(60 * SEC);
    let leaving = process.size.take().expect("a member").leave(10 * SEC);
    assert_eq!(fleet.sim.block_on(leaving), 0);
    assert_eq!((process.open(), fleet.server.sockets()), (0, 0));
    assert_eq!(process.share().reason, "has left");
}

#[test]
fn a_right_that_is_lost_later_costs_nothing_that_was_granted() {
    let fleet = Fleet::new();
    let process = fleet.join(1);
    fleet.use_by(&process, 10);
    fleet.sim.advance(10 * SEC);
    fleet.server.set_lease_trouble(Some(LeaseTrouble::NoRight));
    fleet.sim.advance(60 * SEC);
    let FleetShare { state, reason, .. } = process.share();
    assert_eq!((state, process.open()), (ShareState::Lapsed, 10));
    assert!(reason.contains("no right to create or write the fleet's tables"), "{reason}");
    fleet.server.set_lease_trouble(None);
    fleet.until("it is back", 10 * SEC, || process.state() == ShareState::Granted);
}
