//! What observers of a pool are told of its health.

use std::sync::{Arc, Mutex};

use pool_core::{Circuit, Frequent, HealthChanged, HealthState, Observer};
use pool_health::{HealthChecker, HealthOptions};
use pool_testkit::{Answer, Call};

use crate::rig::{Rig, SEC};

/// Writes down each change of health.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

impl Observer for Diary {
    fn frequent(&self) -> Frequent {
        Frequent::NONE
    }

    fn health_changed(&self, event: &HealthChanged<'_>) {
        let HealthChanged { pool, from, to, reasons, probe_circuit, .. } = event;
        let why = reasons.join("; ");
        let line = format!("{pool}: {from} -> {to}, probes {probe_circuit}: {why}");
        self.0.lock().expect("no panic").push(line);
    }
}

fn observed(rig: &Rig) -> Arc<Diary> {
    let diary = Arc::new(Diary::default());
    rig.pool.control().observe(diary.clone()).keep();
    diary
}

/// State and circuit, as far as they are known to who asks the pool.
fn told(rig: &Rig) -> Option<(HealthState, Circuit)> {
    rig.pool.control().health().map(|told| (told.state, told.probe_circuit))
}

#[test]
fn each_change_of_state_or_circuit_is_told_once() {
    let rig = Rig::new(HealthOptions::default());
    let diary = observed(&rig);
    rig.sim.run();
    assert_eq!(diary.take(), ["fake: unknown -> healthy, probes closed: "]);
    rig.sim.advance(30 * SEC);
    assert_eq!(diary.take(), [""; 0]);
    rig.server.always(Call::Check, Answer::Error);
    rig.until_it_is(HealthState::Unhealthy);
    rig.sim.advance(30 * SEC);
    rig.server.heal();
    rig.until_it_is(HealthState::Healthy);
    let broken = "ping: scripted failure of Check";
    assert_eq!(
        diary.take(),
        [
            format!("fake: healthy -> degraded, probes closed: {broken} (probe 1 of 3 to fail)"),
            format!("fake: degraded -> unhealthy, probes open: {broken}"),
            "fake: unhealthy -> unhealthy, probes half_open: back for 1 of 2 probes".to_owned(),
            "fake: unhealthy -> healthy, probes closed: ".to_owned(),
        ]
    );
}

#[test]
fn who_asks_before_the_first_answer_is_told_that_nothing_is_known() {
    let rig = Rig::new(HealthOptions::default());
    assert_eq!(told(&rig), Some((HealthState::Unknown, Circuit::Closed)));
    rig.sim.run();
    assert_eq!(told(&rig), Some((HealthState::Healthy, Circuit::Closed)));
}

#[test]
fn once_nobody_checks_any_more_nothing_is_known() {
    let rig = Rig::well(HealthOptions::default());
    let diary = observed(&rig);
    let Rig { sim, checker, pool, .. } = rig;
    drop(checker);
    sim.run();
    let expected = "fake: healthy -> unknown, probes closed: the checker has ended";
    assert_eq!(diary.take(), [expected]);
    assert!(pool.control().health().is_some_and(|told| told.state == HealthState::Unknown));
}

#[test]
fn a_checker_that_takes_the_place_of_another_has_the_last_word() {
    let rig = Rig::well(HealthOptions::default());
    let options = HealthOptions { runtime: Some(rig.sim.runtime()), ..HealthOptions::default() };
    let next = HealthChecker::start(&rig.pool.control(), options).expect("started");
    let Rig { sim, checker, pool, .. } = rig;
    sim.run();
    drop(checker);
    sim.advance(2 * SEC);
    assert_eq!(next.health().state, HealthState::Healthy);
    assert!(pool.control().health().is_some_and(|told| told.state == HealthState::Healthy));
}

#[test]
fn changes_are_numbered_whichever_are_still_remembered() {
    let rig = Rig::well(HealthOptions { rise: 1, fall: 1, ..HealthOptions::default() });
    for _ in 0..60 {
        for call in [Call::Connect, Call::Check] {
            rig.server.always(call, Answer::Error);
        }
        rig.until_it_is(HealthState::Unhealthy);
        rig.server.heal();
        rig.until_it_is(HealthState::Healthy);
    }
    let numbers: Vec<_> = rig.checker.changes().iter().map(|change| change.number).collect();
    assert_eq!(numbers, (22..=121).collect::<Vec<_>>(), "the first one, and two of each round");
}
