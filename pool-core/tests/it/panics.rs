//! A panic in foreign code costs at most the one connection it was about.

use std::sync::Arc;

use pool_core::{
    AcquireStarted, AcquireSucceeded, Circuit, ConnectionReleased, Control, DriverFault,
    HealthChanged, HealthState, Observer, OpenError, PoolConfig,
};
use pool_testkit::{Answer, Call};

use crate::promptly::promptly;
use crate::rig::{MS, Rig, SEC};

#[test]
fn a_panic_in_connect_costs_one_attempt() {
    let rig = Rig::with_max_open(1);
    rig.server.next(Call::Connect, &[Answer::Panic]);
    let guard = rig.acquire();
    assert_eq!((rig.pool.stats().open_failed, rig.pool.stats().open), (1, 1));
    drop(guard);
    rig.audit(0);
}

#[test]
fn a_panic_in_connect_is_the_source_of_the_error() {
    let rig = Rig::with_max_open(1);
    rig.server.always(Call::Connect, Answer::Panic);
    let error = rig.sim.block_on(rig.pool.acquire_within(SEC / 2)).expect_err("panics");
    let source = std::error::Error::source(&error).expect("the panic");
    let message = "scripted panic of Connect".to_owned();
    let expected = DriverFault::Panicked { call: "connect", message };
    assert_eq!(source.downcast_ref(), Some(&expected));
}

#[test]
fn a_panic_in_check_costs_that_connection() {
    let rig = Rig::with_max_open(1);
    rig.fill(1);
    rig.sim.advance(SEC);
    rig.server.next(Call::Check, &[Answer::Panic]);
    assert_eq!(rig.acquire().id(), 2);
    rig.audit(0);
}

#[test]
fn a_panic_in_reset_costs_that_connection() {
    let rig = Rig::with_max_open(1);
    rig.server.next(Call::Reset, &[Answer::Panic]);
    rig.acquire().begin();
    rig.sim.run();
    assert_eq!(rig.server.sockets(), 0);
    assert_eq!(rig.acquire().id(), 2);
}

#[test]
fn a_panic_in_close_costs_nothing() {
    let rig = Rig::with_max_open(1);
    rig.server.always(Call::Close, Answer::Panic);
    rig.fill(1);
    let report = rig.sim.block_on(rig.pool.close(SEC));
    assert!(report.drained, "{report}");
    assert_eq!((rig.server.sockets(), rig.pool.stats().closing), (0, 0));
}

#[test]
fn a_panic_in_released_costs_that_connection_and_does_not_leave_the_drop() {
    let rig = Rig::with_max_open(1);
    rig.server.next(Call::Released, &[Answer::Panic]);
    drop(rig.acquire());
    rig.sim.run();
    assert_eq!(rig.server.sockets(), 0);
    assert_eq!(rig.acquire().id(), 2);
}

#[test]
fn a_panic_in_abort_does_not_leave_the_drop() {
    let rig = Rig::with_max_open(2);
    rig.server.always(Call::Abort, Answer::Panic);
    let held = rig.acquire();
    rig.fill(1);
    rig.sim.shut_down();
    pool_core::Guard::discard(held);
    assert_eq!((rig.server.started(Call::Abort), rig.server.sockets()), (1, 1));
}

#[test]
fn a_panic_in_open_is_an_error_not_a_panic() {
    let rig = Rig::with_max_open(1);
    rig.server.always(Call::Connect, Answer::Panic);
    let probe = rig.sim.block_on(rig.pool.control().probe());
    assert!(matches!(probe, Err(OpenError::Connect { .. })), "{:?}", probe.err());
    assert_eq!(rig.pool.stats().probes, 0);
}

struct PanickingObserver;

impl Observer for PanickingObserver {
    fn acquire_started(&self, _: &AcquireStarted<'_>) {
        panic!("observer");
    }
    fn acquire_succeeded(&self, _: &AcquireSucceeded<'_>) {
        panic!("observer");
    }
    fn released(&self, _: &ConnectionReleased<'_>) {
        panic!("observer");
    }
}

#[test]
fn a_panicking_observer_changes_nothing() {
    let rig = Rig::with_max_open(1);
    rig.pool.control().observe(Arc::new(PanickingObserver)).keep();
    for _ in 0..3 {
        drop(rig.acquire());
    }
    rig.audit(0);
}

struct ReentrantObserver(std::sync::Weak<dyn Control>);

impl Observer for ReentrantObserver {
    fn closed(&self, _: &pool_core::ConnectionClosed<'_>) {
        let control = self.0.upgrade().expect("alive");
        assert!(control.stats().closed.total() > 0);
        control.pause();
        control.resume();
    }

    fn health_changed(&self, event: &HealthChanged<'_>) {
        let control = self.0.upgrade().expect("alive");
        assert_eq!(control.health().map(|told| told.state), Some(event.to));
        control.tell_health(event.to, event.probe_circuit, event.reasons);
    }
}

#[test]
fn no_observer_runs_under_the_lock() {
    promptly(|| {
        let rig = Rig::new(PoolConfig { max_open: 2, ..PoolConfig::default() });
        let control = rig.pool.control();
        control.observe(Arc::new(ReentrantObserver(Arc::downgrade(&control)))).keep();
        pool_core::Guard::discard(rig.acquire());
        rig.sim.advance(MS);
        drop(rig.acquire());
        control.tell_health(HealthState::Healthy, Circuit::Closed, &[]);
        rig.audit(0);
    });
}
