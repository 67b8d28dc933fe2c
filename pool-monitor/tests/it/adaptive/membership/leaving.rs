//! Members that go, in whatever way.

use pool_core::Sessions;
use pool_testkit::{Answer, Call};

use super::*;

/// Two that share all there is.
fn two() -> (Fleet, Process, Process) {
    let fleet = Fleet::new();
    let (one, two) = (fleet.join(1), fleet.join(2));
    fleet.use_by(&one, 50);
    fleet.use_by(&two, 50);
    fleet.sim.advance(20 * SEC);
    assert_eq!(fleet.granted(), [18, 17]);
    (fleet, one, two)
}

#[test]
fn what_a_killed_member_had_is_used_again_within_a_lease_and_two_heartbeats() {
    let (fleet, one, killed) = two();
    fleet.kill(killed);
    fleet.until("its share is used", 25 * SEC, || one.open() == 36);
    assert_eq!(fleet.granted(), [36], "its row is gone");
    assert!(fleet.server.most_sockets() <= TOTAL, "{}", fleet.server.most_sockets());
}

#[test]
fn who_leaves_gives_its_share_back_at_once_however_much_is_asked_of_it() {
    let (fleet, one, mut two) = two();
    let leaving = two.size.take().expect("a member").leave(30 * SEC);
    let held = fleet.sim.spawn(leaving);
    let took = fleet.until("it has left", 5 * SEC, || fleet.granted().len() == 1);
    fleet.until("its share is used", 10 * SEC, || one.open() == 36);
    assert_eq!(held.take(), Some(0), "after {took:?}");
    let FleetShare { granted, state, reason, .. } = two.share();
    assert_eq!((granted, state, &*reason), (0, ShareState::Draining, "has left"));
    fleet.sim.advance(60 * SEC);
    assert_eq!(two.open(), 0, "its users wait in vain");
    assert!(fleet.server.most_sockets() <= TOTAL, "{}", fleet.server.most_sockets());
}

#[test]
fn who_is_waited_for_no_longer_says_what_it_holds_and_goes_on_leaving() {
    let fleet = Fleet::new();
    let mut process = fleet.join(1);
    fleet.sim.advance(SEC);
    let lent = fleet.sim.block_on(process.pool.acquire_owned()).expect("acquired");
    let leaving = process.size.take().expect("a member").leave(5 * SEC);
    let leaving = fleet.sim.spawn(leaving);
    fleet.sim.advance(5 * SEC - MS);
    assert!(!leaving.is_done());
    fleet.sim.advance(SEC);
    assert_eq!(leaving.take(), Some(1));
    assert_eq!(process.state(), ShareState::Draining);
    drop(lent);
    fleet.until("it has left", 5 * SEC, || fleet.ledger().rows.is_empty());
    fleet.sim.advance(SEC);
    assert_eq!(process.share().reason, "has left");
    assert_eq!(fleet.server.sockets(), 0);
}

#[test]
fn a_pool_that_is_closed_gives_its_share_back() {
    let (fleet, one, two) = two();
    drop(fleet.sim.block_on(two.pool.close(5 * SEC)));
    fleet.until("its row is gone", 5 * SEC, || fleet.granted().len() == 1);
    fleet.until("its share is used", 10 * SEC, || one.open() == 36);
    assert_eq!(two.share().reason, "has left");
    assert_eq!(two.pool.stats().probes, 0);
}

#[test]
fn a_pool_that_is_closed_gives_its_share_back_also_if_nobody_adapts_it_any_more() {
    let (fleet, one, mut two) = two();
    drop(fleet.sim.block_on(two.pool.close(5 * SEC)));
    drop(two.size.take());
    fleet.until("its row is gone", 5 * SEC, || fleet.granted().len() == 1);
    fleet.until("its share is used", 10 * SEC, || one.open() == 36);
}

#[test]
fn a_closed_pool_is_waited_for_a_minute_and_no_longer() {
    let fleet = Fleet::new();
    let process = fleet.join(1);
    fleet.sim.advance(SEC);
    let lent = fleet.sim.block_on(process.pool.acquire_owned()).expect("acquired");
    drop(fleet.sim.block_on(process.pool.close(Duration::ZERO)));
    fleet.sim.advance(59 * SEC);
    let row = fleet.ledger().rows[0].share;
    assert_eq!((row.granted, row.held, row.draining), (0, 1, true));
    assert_eq!(process.pool.stats().probes, 1);
    fleet.sim.advance(2 * SEC);
    assert_eq!(process.pool.stats().probes, 0);
    drop(lent);
}

#[test]
fn a_pool_that_is_dropped_gives_its_share_back() {
    let fleet = Fleet::new();
    let Process { pool, size } = fleet.join(1);
    fleet.sim.advance(SEC);
    assert_eq!(fleet.granted(), [19]);
    drop(pool);
    fleet.until("its row is gone", 5 * SEC, || fleet.ledger().rows.is_empty());
    assert_eq!(fleet.server.sockets(), 0);
    drop(size);
}

#[test]
fn who_is_a_member_no_longer_keeps_what_it_has_and_opens_nothing_after_its_lease() {
    let (fleet, one, mut two) = two();
    drop(two.size.take());
    fleet.sim.advance(MS);
    let FleetShare { granted, state, reason, .. } = two.share();
    assert_eq!((granted, state), (17, ShareState::Lapsed));
    assert!(reason.starts_with("no member any more: "), "{reason}");
    assert_eq!(two.pool.stats().probes, 0, "it settles no more");
    fleet.sim.advance(30 * SEC);
    assert_eq!((two.open(), two.pool.stats().opening_ceiling), (17, 0));
    // The server shows that it is there.
    assert_eq!((one.open(), fleet.granted().len()), (18, 2));
}

#[test]
fn what_is_opened_for_health_checks_is_part_of_the_share() {
    let (fleet, one, two) = two();
    let probe = fleet.sim.block_on(two.control().probe()).expect("opened");
    fleet.sim.advance(20 * SEC);
    assert_eq!((one.open(), two.open(), fleet.granted()), (18, 16, vec![18, 17]));
    let FleetShare { granted, reason, .. } = two.share();
    assert_eq!((granted, &*reason), (16, "granted 17, 1 of them for health checks"));
    drop(probe);
    fleet.sim.advance(40 * SEC);
    assert_eq!(two.open(), 17);
    assert!(fleet.server.most_sockets() <= TOTAL, "{}", fleet.server.most_sockets());
}

#[test]
fn connections_that_say_goodbye_are_held_until_they_are_gone() {
    let (fleet, one, two) = two();
    // Nobody but the pool knows of them.
    fleet.server.set_fleet_sessions(Sessions::Hidden);
    fleet.server.always(Call::Close, Answer::Late(1900 * MS));
    let third = fleet.join_with(3, fixed(10));
    fleet.use_by(&third, 50);
    fleet.sim.advance(30 * SEC);
    assert_eq!([&one, &two, &third].map(Process::open), [12, 11, 11]);
    assert!(fleet.server.most_sockets() <= TOTAL, "{}", fleet.server.most_sockets());
}

#[test]
fn a_runtime_that_is_shut_down_keeps_nobody_waiting() {
    let (fleet, _one, mut two) = two();
    fleet.sim.shut_down();
    assert_eq!(two.state(), ShareState::Lapsed);
    let leaving = two.size.take().expect("a member").leave(60 * SEC);
    assert_eq!(fleet.sim.block_on(leaving), 17);
}

#[test]
fn who_waits_for_a_member_to_leave_waits_no_longer_while_the_database_cannot_be_reached() {
    let (fleet, _one, mut two) = two();
    let config = PoolConfig { connect_timeout: 60 * SEC, ..two.control().config() };
    two.control().reconfigure(config).expect("valid");
    fleet.server.sever_all();
    fleet.server.always(Call::Connect, Answer::Never);
    fleet.sim.advance(10 * SEC);
    let leaving = fleet.sim.spawn(two.size.take().expect("a member").leave(2 * SEC));
    fleet.sim.advance(2 * SEC - MS);
    assert!(!leaving.is_done());
    fleet.sim.advance(MS);
    assert!(leaving.is_done(), "it is due");
}

#[test]
fn who_has_never_joined_and_holds_nothing_has_left_at_once() {
    let fleet = Fleet::new();
    fleet.server.always(Call::Connect, Answer::Never);
    let mut process = fleet.join(1);
    fleet.sim.advance(SEC);
    let leaving = fleet.sim.spawn(process.size.take().expect("a member").leave(60 * SEC));
    fleet.sim.advance(MS);
    assert_eq!(leaving.take(), Some(0));
    assert_eq!(process.share().reason, "has left");
    assert_eq!(fleet.server.sockets(), 0);
}
