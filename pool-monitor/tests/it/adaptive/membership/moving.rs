//! Pools whose driver is pointed to another server, or is called something else, while they are members.

use pool_core::{Driver as _, Sizing};
use pool_testkit::{Answer, Call};

use super::*;

/// A server to which a pool may go on, and the driver that leads there.
fn elsewhere(fleet: &Fleet, called: Option<String>) -> (FakeServer, FakeDriver) {
    let server = FakeServer::new(fleet.sim.runtime());
    let driver = FakeDriver::of_database(&server, "elsewhere");
    let driver = called.into_iter().fold(driver, FakeDriver::called);
    (server, driver)
}

fn tag(number: u64) -> String {
    name().tag(MemberId::new(number))
}

/// A member that uses ten connections.
fn used() -> (Fleet, Process) {
    let fleet = Fleet::new();
    let process = fleet.join(1);
    fleet.use_by(&process, 10);
    fleet.sim.advance(20 * SEC);
    assert_eq!((process.state(), process.open()), (ShareState::Granted, 10));
    (fleet, process)
}

#[test]
fn a_pool_that_is_pointed_to_another_server_opens_nothing_there_before_it_was_granted_there() {
    let (fleet, process) = used();
    let (server, successor) = elsewhere(&fleet, Some(tag(1)));
    server.always(Call::Ask, Answer::Gate);
    process.pool.driver().take_over(successor);
    fleet.sim.advance(SEC);
    fleet.use_by(&process, 10);
    fleet.sim.advance(SEC);
    assert_eq!(process.open(), 10, "it keeps what it has");
    assert_eq!((server.sockets(), process.pool.stats().opening_ceiling), (1, 0));
    let FleetShare { granted, state, .. } = process.share();
    assert_eq!((granted, state), (0, ShareState::Pending));
    server.always(Call::Ask, Answer::Ok);
    server.open_gate(Call::Ask, Answer::Ok);
    fleet.sim.advance(2 * SEC);
    let ledger = server.fleet_ledger(&name()).expect("settled there");
    assert_eq!(ledger.budget.expect("written there, too").total, TOTAL);
    assert!(ledger.rows[0].share.held >= 10, "what it kept is counted: {ledger:?}");
    fleet.until("it opens there", 20 * SEC, || process.open() == 20);
    assert_eq!((process.state(), server.sockets()), (ShareState::Granted, 11));
}

#[test]
fn a_settlement_under_way_is_not_waited_for_if_the_pool_is_pointed_to_another_server() {
    let (fleet, process) = used();
    let config = PoolConfig { check_timeout: 60 * SEC, ..process.control().config() };
    process.control().reconfigure(config).expect("valid");
    fleet.server.always(Call::Ask, Answer::Never);
    fleet.sim.advance(7 * SEC);
    let (server, successor) = elsewhere(&fleet, Some(tag(1)));
    process.pool.driver().take_over(successor);
    fleet.sim.advance(SEC);
    assert!(
        server.fleet_ledger(&name()).is_some_and(|it| it.rows.len() == 1),
        "it is settled there"
    );
    assert_eq!(process.state(), ShareState::Granted);
}

#[test]
fn a_pool_whose_connections_are_called_something_else_settles_no_more_and_says_how_to_mend_it() {
    for called in [None, Some("till".to_owned()), Some("tills.0000000000000001".to_owned())] {
        let (fleet, process) = used();
        let text = called.as_ref().map_or("nothing".to_owned(), |called| format!("{called:?}"));
        let (server, successor) = elsewhere(&fleet, called);
        process.pool.driver().take_over(successor);
        fleet.sim.advance(SEC);
        fleet.use_by(&process, 10);
        fleet.sim.advance(30 * SEC);
        let FleetShare { granted, state, reason, .. } = process.share();
        assert_eq!((granted, state, process.open()), (10, ShareState::Lapsed, 10), "{reason}");
        assert_eq!((server.sockets(), process.pool.stats().probes), (0, 0));
        let expected = format!("call themselves {text}, ");
        assert!(reason.contains(&expected), "{reason}");
        assert!(reason.contains("fleet=orders"), "{reason}");
        let (server, successor) = elsewhere(&fleet, Some(tag(1)));
        process.pool.driver().take_over(successor);
        fleet.until("it is a member again", 5 * SEC, || process.open() == 20);
        assert_eq!(server.sockets(), 11);
    }
}

#[test]
fn a_pool_that_already_serves_keeps_what_it_has_until_it_was_settled() {
    let fleet = Fleet::new();
    let pool = fleet.pool(1);
    let guards: Vec<_> = (0..5).map(|_| fleet.sim.block_on(pool.acquire_owned())).collect();
    drop(guards);
    fleet.sim.advance(SEC);
    assert_eq!(pool.stats().idle, 5);
    fleet.server.always(Call::Ask, Answer::Error);
    let options = fleet.options(fixed(2));
    let size = Some(AdaptiveSize::start(&pool.control(), options).expect("started"));
    let process = Process { pool, size };
    fleet.use_by(&process, 9);
    fleet.sim.advance(30 * SEC);
    assert_eq!((process.open(), process.pool.stats().opening_ceiling), (5, 0));
    let FleetShare { granted, state, .. } = process.share();
    assert_eq!((granted, state), (0, ShareState::Pending));
    fleet.server.heal();
    fleet.until("it has joined", 10 * SEC, || process.state() == ShareState::Granted);
    assert!(fleet.ledger().rows[0].share.held >= 5, "{:?}", fleet.ledger());
    fleet.until("and opens what it lacks", 5 * SEC, || process.open() == 9);
    let Sizing { share, .. } = process.control().sizing().expect("said");
    assert!(share.is_some_and(|share| share.granted >= 9));
}
