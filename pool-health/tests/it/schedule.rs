//! Checks that are asked rarely, each on a schedule of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pool_health::{CustomCheck, Finding, HealthState};

use crate::checker::with;
use crate::rig::{Rig, SEC};

#[test]
fn a_check_on_a_schedule_is_asked_no_more_often_and_degrades_when_it_is_overdue() {
    let slow = CustomCheck::new("slow", |_| Box::pin(async { Finding::Fine })).every(60 * SEC, SEC);
    let never =
        CustomCheck::new("never", |_| Box::pin(std::future::pending())).every(60 * SEC, 30 * SEC);
    let rig = Rig::well(with(vec![Arc::new(slow)]));
    let asked_at = rig.health().checks[1].at;
    rig.sim.advance(40 * SEC);
    assert_eq!(rig.health().checks[1].at, asked_at);

    let rig = Rig::new(with(vec![Arc::new(never)]));
    rig.sim.advance(29 * SEC);
    assert_eq!(rig.health().state, HealthState::Healthy, "{}", rig.health());
    assert_eq!(rig.pool.stats().probes, 2, "it holds up no probe");
    rig.sim.advance(2 * SEC);
    let why = "fake: degraded: never: unknown: no answer within 30.0 s";
    assert_eq!(rig.health().to_string(), why);
    rig.sim.advance(90 * SEC);
    assert_eq!(rig.health().to_string(), format!("{why}; never: no answer for too long"));
}

#[test]
fn a_check_on_a_schedule_that_fails_is_asked_again_in_a_minute() {
    let wrong = Arc::new(AtomicBool::new(true));
    let is_wrong = Arc::clone(&wrong);
    let rare = CustomCheck::new("rare", move |_| {
        let is_wrong = is_wrong.load(Ordering::Relaxed);
        let finding = if is_wrong { Finding::Failed("torn".to_owned()) } else { Finding::Fine };
        Box::pin(async { finding })
    });
    let rig = Rig::new(with(vec![Arc::new(rare.every(3600 * SEC, SEC))]));
    rig.until_it_is(HealthState::Unhealthy);
    assert_eq!(rig.health().reasons, ["rare: torn"]);
    wrong.store(false, Ordering::Relaxed);
    let back = rig.until_it_is(HealthState::Healthy);
    assert!(back <= 75 * SEC, "{back:?}");
}

#[test]
fn one_that_takes_its_time_does_not_make_another_overdue() {
    let endless = CustomCheck::new("endless", |_| Box::pin(std::future::pending()));
    let quick = CustomCheck::new("quick", |_| Box::pin(async { Finding::Fine }));
    let rig = Rig::new(with(vec![
        Arc::new(endless.every(3600 * SEC, 600 * SEC)),
        Arc::new(quick.every(60 * SEC, SEC)),
    ]));
    rig.sim.advance(590 * SEC);
    assert_eq!(rig.health().to_string(), "fake: healthy");
}
