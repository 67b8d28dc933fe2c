//! Members that come, and share.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use pool_core::{ConnectionClosed, Observer};
use pool_testkit::{Answer, Call};

use super::*;
use crate::rig::{Log, listening};

#[test]
fn nothing_is_opened_before_it_was_granted() {
    let fleet = Fleet::new();
    fleet.server.always(Call::Ask, Answer::Gate);
    let pool = fleet.pool(1);
    let control = pool.control();
    let size = AdaptiveSize::start(&control, fleet.options(fixed(2))).expect("started");
    assert_eq!(control.stats().opening_ceiling, 0, "at once");
    let process = Process { pool, size: Some(size) };
    fleet.use_by(&process, 5);
    fleet.sim.advance(SEC);
    assert_eq!(fleet.server.started(Call::Connect), 1, "the control connection's");
    let FleetShare { granted, state, reason, .. } = process.share();
    assert_eq!((granted, state), (0, ShareState::Pending));
    assert_eq!(reason, "joining: nothing has been settled yet");
    // The tables are prepared, the ledger is read, the settlement is committed.
    for _ in 0..3 {
        fleet.sim.run();
        assert_eq!((fleet.server.started(Call::Connect), process.open()), (1, 0));
        fleet.server.open_gate(Call::Ask, Answer::Ok);
    }
    fleet.sim.advance(MS);
    assert_eq!((process.state(), process.open()), (ShareState::Granted, 5));
}

#[test]
fn two_members_share_fairly_what_there_is() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.join(1), fleet.join(2));
    fleet.use_by(&one, 50);
    fleet.use_by(&two, 50);
    fleet.sim.advance(20 * SEC);
    // 40, of which 3 are in reserve and each member settles on one.
    assert_eq!(fleet.granted(), [18, 17]);
    assert_eq!((one.open(), two.pool.stats().open), (18, 17));
    assert_eq!(one.share().reason, "granted 18");
    assert!(fleet.server.most_sockets() <= TOTAL, "{}", fleet.server.most_sockets());
}

#[test]
fn who_needs_little_leaves_the_rest_to_others() {
    let fleet = Fleet::new();
    let (little, much) = (fleet.join(1), fleet.join(2));
    fleet.use_by(&little, 4);
    fleet.use_by(&much, 90);
    fleet.sim.advance(40 * SEC);
    assert_eq!(fleet.granted(), [4, 31]);
    assert_eq!((little.open(), much.pool.stats().open), (4, 31));
    assert!(fleet.server.most_sockets() <= TOTAL, "{}", fleet.server.most_sockets());
}

#[test]
fn a_member_that_joins_has_its_floor_within_ten_seconds_and_its_share_soon_after() {
    let fleet = Fleet::new();
    let old = [fleet.join(1), fleet.join(2)];
    for process in &old {
        fleet.use_by(process, 50);
    }
    fleet.sim.advance(60 * SEC);
    let joined = fleet.join_with(3, fixed(8));
    fleet.use_by(&joined, 50);
    fleet.until("its floor is granted", 10 * SEC, || joined.share().granted >= 8);
    fleet.until("all have their shares", 20 * SEC, || fleet.granted() == [12, 11, 11]);
    fleet.until("and use them", SEC, || joined.open() == 11);
    assert!(fleet.server.most_sockets() <= TOTAL, "{}", fleet.server.most_sockets());
}

#[test]
fn of_the_servers_connections_a_part_is_shared_and_it_is_asked_for_again() {
    let fleet = Fleet::new();
    fleet.server.set_max_sockets(100);
    let budget = BudgetSource::Server { percent: 50 };
    let process = fleet.join_with(1, FleetOptions { budget, ..fixed(2) });
    fleet.use_by(&process, 90);
    fleet.sim.advance(10 * SEC);
    assert_eq!(fleet.ledger().budget.expect("written").total, 50);
    assert_eq!(process.share().granted, 46);
    fleet.server.set_max_sockets(60);
    fleet.until("it is noticed", 70 * SEC, || process.share().granted == 26);
    fleet.until("and kept to", SEC, || process.open() == 26);
    assert_eq!(fleet.ledger().budget.expect("written").total, 30);
}

#[test]
fn who_is_granted_nothing_any_more_gives_back_what_it_does_not_use() {
    let fleet = Fleet::new();
    fleet.server.set_max_sockets(100);
    let budget = BudgetSource::Server { percent: 50 };
    let process = fleet.join_with(1, FleetOptions { budget, ..fixed(2) });
    fleet.sim.advance(SEC);
    drop(fleet.sim.block_on(process.pool.acquire()).expect("acquired"));
    assert_eq!(process.open(), 1);
    fleet.server.set_max_sockets(8);
    fleet.sim.advance(70 * SEC);
    assert_eq!((process.state(), process.open()), (ShareState::Pending, 0));
    let reason = process.share().reason;
    assert!(reason.starts_with("pending: the total of 4 is smaller"), "{reason}");
    fleet.server.set_max_sockets(100);
    fleet.until("it has its share again", 70 * SEC, || process.state() == ShareState::Granted);
}

#[test]
fn a_configuration_that_is_read_again_bounds_what_is_asked_for() {
    let fleet = Fleet::new();
    let process = fleet.join_with(1, fixed(9));
    fleet.use_by(&process, 50);
    fleet.sim.advance(20 * SEC);
    assert_eq!(process.open(), 36);
    let config = PoolConfig { max_open: 7, ..process.control().config() };
    process.control().reconfigure(config).expect("valid");
    fleet.sim.advance(10 * SEC);
    let row = fleet.ledger().rows[0].share;
    assert_eq!((row.granted, row.held, row.floor, row.most, process.open()), (7, 7, 7, 7, 7));
    let config = PoolConfig { max_open: PoolConfig::UNLIMITED, ..process.control().config() };
    process.control().reconfigure(config).expect("valid");
    fleet.sim.advance(10 * SEC);
    assert_eq!((process.share().granted, process.open()), (36, 36));
}

#[test]
fn who_finds_no_room_for_its_floor_waits_and_says_why() {
    let fleet = Fleet::new();
    let first = fleet.join_with(1, fixed(30));
    fleet.sim.advance(SEC);
    let second = fleet.join_with(2, fixed(6));
    fleet.use_by(&second, 5);
    fleet.sim.advance(20 * SEC);
    assert_eq!(first.state(), ShareState::Granted);
    let FleetShare { state, granted, reason, .. } = second.share();
    assert_eq!((state, granted, second.open()), (ShareState::Pending, 0, 0));
    assert_eq!(
        reason,
        "pending: the total of 40 is smaller than the floors of 2 members, 36 in sum, with 2 control \
         connections, 3 in reserve"
    );
}

#[test]
fn who_shrinks_opens_nothing_beyond_its_new_share_before_that_is_committed() {
    let fleet = Fleet::new();
    fleet.server.set_max_sockets(100);
    let budget = BudgetSource::Server { percent: 50 };
    let process = fleet.join_with(1, FleetOptions { budget, ..fixed(2) });
    fleet.use_by(&process, 5);
    fleet.sim.advance(50 * SEC);
    assert_eq!((process.share().granted, process.open()), (25, 5));
    fleet.server.set_max_sockets(20);
    fleet.server.always(Call::Ask, Answer::Gate);
    while process.pool.stats().opening_ceiling == 25 {
        fleet.until("it settles", 7 * SEC, || fleet.server.waiting(Call::Ask) == 1);
        fleet.server.open_gate(Call::Ask, Answer::Ok);
        fleet.sim.run();
    }
    fleet.use_by(&process, 40);
    fleet.sim.advance(100 * MS);
    assert_eq!((fleet.server.waiting(Call::Ask), fleet.granted()), (1, vec![25]), "it waits");
    // Ten are left; three are in reserve, it settles on one, and it needed five.
    assert_eq!((process.pool.stats().opening_ceiling, process.open()), (5, 5));
    fleet.server.open_gate(Call::Ask, Answer::Error);
    fleet.sim.advance(100 * MS);
    assert_eq!((process.pool.stats().opening_ceiling, process.open()), (5, 5), "nor if it fails");
}

#[test]
fn members_that_say_different_budgets_say_that_they_differ_and_warn_once() {
    let log = Log::default();
    let _listening = listening(log.clone());
    let fleet = Fleet::new();
    let one = fleet.join(1);
    fleet.sim.advance(10 * SEC);
    let budget = BudgetSource::Fixed { total: 1000 };
    let two = fleet.join_with(2, FleetOptions { budget, ..fixed(2) });
    fleet.sim.advance(200 * SEC);
    for (process, other, own) in [(&one, 1000, 40), (&two, 40, 1000)] {
        let reason = process.share().reason;
        let expected = format!(
            "; another member says the total is {other} with 3 in reserve, and this one {own} with 3: \
             give all the same budget"
        );
        assert!(reason.ends_with(&expected), "{reason}");
    }
    let warnings = log.take().iter().filter(|line| line.starts_with("WARN")).count();
    assert_eq!(warnings, 2, "one of each");
}

/// Asks how the pool is sized whenever one of its connections is closed.
struct Asks {
    size: OnceLock<AdaptiveSize>,
    asked: AtomicUsize,
}

impl Observer for Asks {
    fn closed(&self, _: &ConnectionClosed<'_>) {
        if let Some(size) = self.size.get() {
            assert!(size.sizing().share.is_some());
            self.asked.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn an_observer_of_what_is_closed_for_its_share_may_ask_how_it_is_sized() {
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let fleet = Fleet::new();
        fleet.server.set_max_sockets(100);
        let budget = BudgetSource::Server { percent: 50 };
        let Process { pool, size } = fleet.join_with(1, FleetOptions { budget, ..fixed(2) });
        fleet.sim.advance(SEC);
        drop(fleet.sim.block_on(pool.acquire()).expect("acquired"));
        let size = OnceLock::from(size.expect("a member"));
        let observer = Arc::new(Asks { size, asked: AtomicUsize::new(0) });
        let watching = pool.control().observe(observer.clone());
        fleet.server.set_max_sockets(8);
        fleet.sim.advance(70 * SEC);
        drop(watching);
        done.send(observer.asked.load(Ordering::Relaxed)).expect("waited for");
    });
    assert_eq!(is_done.recv_timeout(60 * SEC), Ok(1));
}
