//! What may fail, and what becomes of a member's share then.

use std::sync::atomic::{AtomicU64, Ordering};

use pool_core::{LeaseTrouble, Sessions};
use pool_testkit::{Answer, Call};
use tracing_subscriber::Layer;

use super::*;
use crate::rig::{Log, listening};

/// A member that uses all it has.
fn busy() -> (Fleet, Process) {
    let fleet = Fleet::new();
    let process = fleet.join(1);
    fleet.use_by(&process, 50);
    fleet.sim.advance(20 * SEC);
    assert_eq!((process.share().granted, process.open()), (36, 36));
    (fleet, process)
}

impl Fleet {
    fn connects(&self) -> u64 {
        self.server.started(Call::Connect)
    }
}

#[test]
fn while_the_server_hangs_a_lease_ends_in_time_and_what_is_there_is_kept() {
    let (fleet, process) = busy();
    fleet.server.always(Call::Ask, Answer::Never);
    fleet.sim.advance(7 * SEC);
    assert_eq!(process.state(), ShareState::Granted, "{:?}", process.share());
    // The settlement before began six seconds earlier at most; its lease is 13.5 s of the member's.
    let lapsed = fleet.until("it has lapsed", 7 * SEC, || process.state() == ShareState::Lapsed);
    assert!(lapsed > 500 * MS, "{lapsed:?}");
    assert_eq!(process.pool.stats().opening_ceiling, 0, "{lapsed:?}");
    let FleetShare { granted, reason, .. } = process.share();
    assert_eq!((granted, process.open()), (36, 36));
    let said = "the lease could not be renewed: opens nothing and keeps what it has";
    assert!(reason.starts_with(said), "{reason}");
    // What is lost is not replaced.
    process.control().invalidate();
    fleet.sim.advance(10 * SEC);
    assert_eq!(process.open(), 0);
    fleet.server.heal();
    fleet.sim.advance(70 * SEC);
    assert_eq!((process.state(), process.open()), (ShareState::Granted, 36));
    assert!(fleet.server.most_sockets() <= TOTAL, "{}", fleet.server.most_sockets());
}

#[test]
fn who_cannot_connect_tries_again_at_a_calm_pace_and_says_why() {
    let (fleet, process) = busy();
    fleet.server.always(Call::Connect, Answer::Error);
    fleet.server.always(Call::Ask, Answer::Error);
    fleet.sim.advance(20 * SEC);
    let FleetShare { state, reason, .. } = process.share();
    assert_eq!((state, process.open()), (ShareState::Lapsed, 36));
    assert!(reason.contains("no connection for settling: "), "{reason}");
    assert!(reason.contains("scripted failure of Connect"), "{reason}");
    let before = fleet.connects();
    fleet.sim.advance(60 * SEC);
    let connects = fleet.connects() - before;
    assert!((10..=15).contains(&connects), "{connects} in a minute");
    fleet.server.heal();
    fleet.until("it is back", 10 * SEC, || process.state() == ShareState::Granted);
}

#[test]
fn a_settlement_of_unknown_outcome_leaves_the_smaller_of_both() {
    let (fleet, one) = busy();
    let two = fleet.join_with(2, fixed(10));
    fleet.use_by(&two, 50);
    fleet.sim.advance(10 * MS);
    assert_eq!(fleet.granted(), [36, 0]);
    fleet.server.set_lease_trouble(Some(LeaseTrouble::OutcomeUnknown));
    fleet.sim.advance(10 * SEC);
    // It was committed that it has less, and it keeps to that; who grew has nothing of it.
    assert_eq!(fleet.granted()[0], 18);
    assert_eq!((one.pool.stats().opening_ceiling, two.open()), (18, 0));
    let reason = one.share().reason;
    assert!(reason.contains("nobody knows whether the last settlement counts"), "{reason}");
    fleet.server.set_lease_trouble(None);
    fleet.sim.advance(20 * SEC);
    assert_eq!((one.open(), two.open()), (18, 17));
    assert!(fleet.server.most_sockets() <= TOTAL, "{}", fleet.server.most_sockets());
}

#[test]
fn a_server_that_has_become_read_only_is_waited_for_and_said_once() {
    let log = Log::default();
    let _listening = listening(log.clone());
    let (fleet, process) = busy();
    log.take();
    fleet.server.set_read_only(true);
    fleet.sim.advance(7 * SEC);
    let FleetShare { state, granted, reason, .. } = process.share();
    assert_eq!((state, granted), (ShareState::Granted, 36));
    assert_eq!(reason, "granted 36; the server is read-only: scripted failure of Ask");
    fleet.sim.advance(60 * SEC);
    assert_eq!((process.state(), process.open()), (ShareState::Lapsed, 36));
    assert_eq!(process.pool.stats().opening_ceiling, 0);
    fleet.server.set_read_only(false);
    fleet.sim.advance(7 * SEC);
    assert_eq!(process.share().reason, "granted 36");
    let lines = log.take();
    let [trouble, lapsed, back] = &lines[..] else { panic!("three events: {lines:#?}") };
    for (line, level, state) in
        [(trouble, "WARN", "granted"), (lapsed, "WARN", "lapsed"), (back, "INFO", "granted")]
    {
        let expected = format!(
            "{level} message=share of the server pool=\"fake\" fleet=orders state={state:?} granted=36 "
        );
        assert!(line.starts_with(&expected), "{line}");
    }
}

#[test]
fn tables_of_another_version_are_left_alone_and_looked_at_again() {
    let fleet = Fleet::new();
    fleet.server.set_lease_trouble(Some(LeaseTrouble::OtherVersion { found: 9 }));
    let process = fleet.join(1);
    fleet.use_by(&process, 5);
    fleet.sim.advance(30 * SEC);
    let FleetShare { state, reason, .. } = process.share();
    assert_eq!((state, process.open()), (ShareState::Pending, 0));
    assert!(reason.contains("are of version 9") && reason.contains("run one version"), "{reason}");
    fleet.server.set_lease_trouble(None);
    fleet.until("it has joined", 6 * SEC, || process.open() == 5);
}

#[test]
fn who_does_not_see_its_own_session_says_so_and_shares_by_leases_alone() {
    let log = Log::default();
    let _listening = listening(log.clone());
    let fleet = Fleet::new();
    fleet.server.set_fleet_sessions(Sessions::Shown(vec![]));
    let process = fleet.join(1);
    fleet.sim.advance(30 * SEC);
    let FleetShare { state, reason, .. } = process.share();
    assert_eq!(state, ShareState::Granted);
    assert!(reason.contains("does not show this member's own session"), "{reason}");
    let warnings = log.take().iter().filter(|line| line.starts_with("WARN")).count();
    assert_eq!(warnings, 1);
}

#[test]
fn a_member_settles_no_more_than_once_in_four_seconds_whatever_its_load() {
    let fleet = Fleet::new();
    let (one, _two) = (fleet.join(1), fleet.join(2));
    fleet.sim.advance(60 * SEC);
    let before = fleet.ledger().serial;
    for round in 0..60 {
        // A demand that keeps growing is what makes it hasten.
        fleet.use_by(&one, 2);
        fleet.sim.advance(10 * SEC);
        assert!(fleet.ledger().serial > before + round, "it goes on");
    }
    let settled = fleet.ledger().serial - before;
    // Two members for 600 s, and what one has saved up.
    assert!(settled <= 2 * 150 + 10, "{settled}");
}

/// Panics at every warning.
struct Touchy(Arc<AtomicU64>);

impl<S: tracing::Subscriber> Layer<S> for Touchy {
    fn on_event(
        &self,
        event: &tracing::Event<'_>,
        _context: tracing_subscriber::layer::Context<'_, S>,
    ) {
        if *event.metadata().level() == tracing::Level::WARN {
            self.0.fetch_add(1, Ordering::Relaxed);
            panic!("a log that cannot be written to");
        }
    }
}

#[test]
fn a_panic_of_what_logs_are_written_to_does_not_end_the_membership() {
    let panics = Arc::new(AtomicU64::new(0));
    let touchy = Touchy(Arc::clone(&panics));
    let (fleet, process) = busy();
    let _listening = listening(touchy);
    fleet.server.set_read_only(true);
    fleet.sim.advance(60 * SEC);
    assert!(panics.load(Ordering::Relaxed) > 0);
    assert_eq!(process.state(), ShareState::Lapsed);
    fleet.server.set_read_only(false);
    fleet.until("it is back", 10 * SEC, || process.state() == ShareState::Granted);
    assert_eq!(process.open(), 36);
}
