//! A fleet's ledger, asked for through a probe.

use std::time::Duration;

use pool_core::{
    Budget, FleetName, LeaseTrouble, Ledger, MemberId, Probe, Sessions, Settlement, Share,
};
use pool_testkit::{Answer, Call};

use crate::rig::{Rig, SEC};

const ONE: MemberId = MemberId::new(1);
const BUDGET: Budget = Budget { total: 20, reserve: 3 };

struct Settling {
    rig: Rig,
    probe: Box<dyn Probe>,
    fleet: FleetName,
}

impl Settling {
    fn new() -> Self {
        let rig = Rig::with_max_open(1);
        let mut probe = rig.sim.block_on(rig.pool.control().probe()).expect("up");
        let fleet = FleetName::new("orders").expect("allowed");
        rig.sim.block_on(probe.prepare_leases(&fleet)).expect("able").expect("created");
        Self { rig, probe, fleet }
    }

    /// Writes what a member is granted; also returns what it was handed to decide.
    fn settle(&mut self, granted: usize) -> (Option<Ledger>, Result<(), LeaseTrouble>) {
        let mut handed = None;
        let mut decide = |ledger: &Ledger| {
            handed = Some(ledger.clone());
            Settlement::Write { share: share(granted), budget: Some(BUDGET) }
        };
        let settled = self.probe.settle_leases(&self.fleet, ONE, &mut decide);
        let settled = self.rig.sim.block_on(settled).expect("able");
        (handed, settled.map_err(|error| error.trouble()))
    }

    fn ledger(&self) -> Ledger {
        self.rig.server.fleet_ledger(&self.fleet).expect("prepared")
    }
}

fn share(granted: usize) -> Share {
    let lease = Duration::from_secs(15);
    Share { granted, held: 0, demand: granted, floor: 1, most: 9, draining: false, lease }
}

#[test]
fn a_settlement_writes_the_members_own_row_and_the_budget() {
    let mut settling = Settling::new();
    assert_eq!(settling.settle(4).1, Ok(()));
    settling.rig.sim.advance(SEC);
    let (handed, settled) = settling.settle(5);
    let handed = handed.expect("decided");
    assert_eq!((handed.serial, handed.budget, settled), (1, Some(BUDGET), Ok(())));
    assert_eq!(handed.row(ONE).expect("its row").share, share(4));
    let after = settling.ledger();
    let row = after.row(ONE).expect("its row");
    assert_eq!((after.serial, after.rows.len(), row.joined), (2, 1, 1));
    assert_eq!((row.share, row.renewed_at), (share(5), handed.now));
}

#[test]
fn what_goes_wrong_before_the_commit_leaves_the_ledger_as_it_was() {
    let troubles = [
        LeaseTrouble::NoRight,
        LeaseTrouble::OtherVersion { found: 9 },
        LeaseTrouble::ReadOnly,
        LeaseTrouble::Other,
    ];
    for trouble in troubles {
        let mut settling = Settling::new();
        settling.rig.server.set_lease_trouble(Some(trouble));
        assert_eq!(settling.settle(4), (None, Err(trouble)));
        assert_eq!(settling.ledger().rows, []);
        assert!(settling.probe.is_lost(), "after {trouble:?}");
    }
}

#[test]
fn a_settlement_that_hangs_is_of_unknown_outcome_only_once_it_was_decided() {
    let mut settling = Settling::new();
    settling.rig.server.next(Call::Ask, &[Answer::Never]);
    assert_eq!(settling.settle(4), (None, Err(LeaseTrouble::Other)));
    let mut settling = Settling::new();
    settling.rig.server.next(Call::Ask, &[Answer::Ok, Answer::Never]);
    let (handed, settled) = settling.settle(4);
    assert!(handed.is_some());
    assert_eq!(settled, Err(LeaseTrouble::OutcomeUnknown));
    assert_eq!(settling.settle(4), (None, Err(LeaseTrouble::Other)), "the probe is lost");
}

#[test]
fn a_probe_says_what_sessions_a_fleet_has() {
    let mut settling = Settling::new();
    let mut sessions = || {
        let asked = settling.probe.fleet_sessions(&settling.fleet);
        settling.rig.sim.block_on(asked).expect("able").expect("answers")
    };
    assert_eq!(sessions(), Sessions::Hidden);
    let shown = Sessions::Shown(vec![(ONE, 3)]);
    settling.rig.server.set_fleet_sessions(shown.clone());
    assert_eq!(sessions(), shown);
}
