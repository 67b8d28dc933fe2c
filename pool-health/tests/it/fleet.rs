//! The health of a pool that shares its server with a fleet.

use pool_core::{Circuit, FleetName, FleetShare, ShareState, Sizing};
use pool_health::{HealthOptions, HealthState};
use pool_testkit::{Answer, Call};

use crate::rig::{Rig, SEC};

/// What a member of a fleet is told, which stands so.
fn standing(state: ShareState, reason: &str) -> Sizing {
    let fleet = FleetName::new("shop").expect("a name");
    let share = FleetShare { fleet, granted: 0, state, reason: reason.to_owned() };
    Sizing { recommended: None, share: Some(share) }
}

#[test]
fn a_member_of_a_fleet_that_may_open_nothing_cannot_serve_without_connections_and_says_why() {
    let rig = Rig::well(HealthOptions::default());
    let told = |state, reason| {
        rig.pool.control().tell_sizing(standing(state, reason));
        rig.sim.advance(2 * SEC);
        let health = rig.health();
        (health.state, health.reasons.join("; "))
    };
    let why = "pending: the total of 20 is smaller than 8 members x floor 4";
    let expected = (HealthState::Unhealthy, format!("fleet shop: {why}"));
    assert_eq!(told(ShareState::Pending, why), expected);
    assert_eq!(told(ShareState::Granted, "granted 3").0, HealthState::Healthy);
    let why = "the lease could not be renewed: opens nothing and keeps what it has";
    let lapsed = |state| (state, format!("fleet shop: {why}"));
    assert_eq!(told(ShareState::Lapsed, why), lapsed(HealthState::Unhealthy));
    assert_eq!(told(ShareState::Granted, "granted 3").0, HealthState::Healthy);
    let held = rig.acquire();
    assert_eq!(told(ShareState::Lapsed, why), lapsed(HealthState::Degraded));
    for state in [ShareState::Pending, ShareState::Draining] {
        let expected = (HealthState::Degraded, "fleet shop: as it stands".to_owned());
        assert_eq!(told(state, "as it stands"), expected, "what it has serves");
    }
    drop(held);
}

#[test]
fn a_member_whose_database_is_down_says_both() {
    let rig = Rig::well(HealthOptions::default());
    rig.pool.control().tell_sizing(standing(ShareState::Lapsed, "the lease could not be renewed"));
    rig.server.always(Call::Check, Answer::Error);
    rig.until(|health| health.probe_circuit == Circuit::Open);
    let reasons = &rig.health().reasons;
    assert_eq!(
        reasons[..],
        ["ping: scripted failure of Check", "fleet shop: the lease could not be renewed"]
    );
}
