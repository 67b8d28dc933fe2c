//! What the three probes say.

use std::sync::Arc;

use futures_util::FutureExt as _;
use pool_health::{HealthOptions, HealthState, Probes, ShutdownOptions};
use pool_testkit::{Answer, Call};

use crate::rig::{MS, Rig, SEC};

#[test]
fn ready_follows_the_required_pools_and_live_does_not() {
    let (required, shown) =
        (Rig::new(HealthOptions::default()), Rig::well(HealthOptions::default()));
    let probes = Probes::new();
    probes.require(Arc::clone(&required.checker));
    probes.show(Arc::clone(&shown.checker));
    assert!(!probes.started());
    assert_eq!(probes.ready().reasons, ["fake: unknown: no probe has ended yet"]);
    required.sim.run();
    assert!(probes.ready().is_ready && probes.started());
    for rig in [&shown, &required] {
        assert!(probes.ready().is_ready);
        rig.server.always(Call::Connect, Answer::Error);
        rig.server.always(Call::Check, Answer::Error);
        rig.until_it_is(HealthState::Unhealthy);
    }
    assert!(!probes.ready().is_ready);
    assert!(probes.live() && probes.started());
}

#[test]
fn nothing_is_ready_or_started_before_something_is_required_or_shown() {
    let probes = Probes::new();
    assert_eq!(probes.ready().reasons, ["nothing is required or shown yet"]);
    assert!(!probes.ready().is_ready && !probes.started() && probes.live());
    let rig = Rig::new(HealthOptions::default());
    probes.require(Arc::clone(&rig.checker));
    assert!(!probes.ready().is_ready && !probes.started());
    rig.sim.run();
    assert!(probes.ready().is_ready && probes.started());
}

#[test]
fn a_program_beside_a_database_that_is_down_has_started_and_is_not_ready() {
    let rig = Rig::new(HealthOptions::default());
    rig.server.always(Call::Connect, Answer::Error);
    let probes = Probes::new();
    probes.require(Arc::clone(&rig.checker));
    assert!(!probes.started(), "it has not found out yet");
    rig.until_it_is(HealthState::Unhealthy);
    assert!(probes.started() && !probes.ready().is_ready);
}

#[test]
fn a_shutdown_is_not_ready_first_serves_as_before_and_then_waits_for_those_in_use() {
    let rig = Rig::well(HealthOptions::default());
    let probes = Probes::new();
    probes.require(Arc::clone(&rig.checker));
    let held = rig.acquire();
    let shutdown = rig.sim.spawn({
        let (probes, pools) = (probes.clone(), [rig.pool.control()]);
        let options =
            ShutdownOptions { notice: 5 * SEC, drain: 20 * SEC, runtime: Some(rig.sim.runtime()) };
        async move { probes.shutdown(&pools, options).await.expect("a runtime") }
    });
    rig.sim.advance(MS);
    assert_eq!(probes.ready().reasons, ["the program is ending"]);
    let late = rig.acquire();
    assert_eq!(rig.pool.stats().open, 2, "there was none left for who comes late");
    drop(held);
    rig.sim.advance(5 * SEC);
    assert!(rig.sim.block_on(rig.pool.acquire()).expect_err("closed").is_closed());
    rig.sim.advance(2 * SEC);
    drop(late);
    rig.sim.advance(SEC);
    let report = shutdown.take().expect("it has ended");
    assert!(report.drained());
    assert!((7 * SEC..8 * SEC).contains(&report.took), "{report}");
}

#[test]
fn a_shutdown_that_cannot_wait_is_not_ready_either() {
    let rig = Rig::well(HealthOptions::default());
    let probes = Probes::new();
    probes.require(Arc::clone(&rig.checker));
    let pools = [rig.pool.control()];
    let outside = probes.shutdown(&pools, ShutdownOptions::default());
    assert!(outside.now_or_never().expect("at once").is_err());
    assert_eq!(probes.ready().reasons, ["the program is ending"]);
}

#[test]
fn what_does_not_come_back_is_reported_at_the_deadline() {
    let rig = Rig::well(HealthOptions::default());
    let _leaked = rig.acquire();
    let options = ShutdownOptions { notice: SEC, drain: 2 * SEC, runtime: Some(rig.sim.runtime()) };
    let pools = [rig.pool.control()];
    let report = rig.sim.block_on(Probes::new().shutdown(&pools, options)).expect("a runtime");
    assert_eq!((report.drained(), report.took), (false, 3 * SEC));
    assert!(report.to_string().contains("rig.rs"), "who holds it: {report}");
}
