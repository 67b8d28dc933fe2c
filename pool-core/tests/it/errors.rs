//! An error says what, where and why, and who holds the connections.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use pool_core::{AcquireError, AcquireErrorKind, AcquirePhase, DriverFault, OpenError, PoolConfig};
use pool_testkit::{Answer, Call, FakeDriver, FakeError, Hand};

use crate::rig::{Guard, MS, Rig, SEC};

/// A pool whose two connections are held from two lines, and a failed acquire.
fn timed_out(rig: &Rig) -> AcquireError {
    rig.sim.block_on(rig.pool.acquire_within(250 * MS)).expect_err("held for ever")
}

fn config(max_open: usize) -> PoolConfig {
    PoolConfig { max_open, ..PoolConfig::default() }
}

#[track_caller]
fn hold(rig: &Rig) -> Guard<'_> {
    let acquire = rig.pool.acquire();
    rig.sim.block_on(acquire).expect("served")
}

#[test]
fn a_timeout_says_what_where_and_why() {
    let rig = Rig::new(config(3));
    let line = line!() + 1;
    let _one_line: Vec<_> = (0..2).map(|_| hold(&rig)).collect();
    rig.sim.advance(10 * SEC);
    let _another_line = hold(&rig);
    let error = timed_out(&rig);
    let details = error.details();
    assert_eq!(
        (error.kind(), details.phase, details.waited),
        (AcquireErrorKind::Timeout, AcquirePhase::Queued, SEC / 4)
    );
    assert_eq!((details.circumstances.stats.in_use, details.circumstances.stats.max_open), (3, 3));
    let file = file!();
    assert_eq!(
        error.to_string(),
        format!(
            "pool fake: acquire timed out after 250 ms waiting for a connection to come back: 3 of \
             3 in use, 0 opening, 1 waiting; {file}:{line} holds 2, longest 10.2 s; {file}:{} \
             holds 1, longest 250 ms",
            line + 2
        )
    );
    assert!(error.source().is_none(), "no connect has failed");
}

#[test]
fn every_checkout_records_its_call_site() {
    let rig = Rig::new(config(8));
    rig.fill(2);
    let here = |line, site: pool_core::CallSite| {
        assert_eq!((site.file(), site.line()), (file!(), line));
    };
    let guard = rig.sim.block_on(rig.pool.acquire()).expect("served");
    here(line!() - 1, pool_core::Guard::site(&guard));
    let within = rig.sim.block_on(rig.pool.acquire_within(SEC)).expect("served");
    here(line!() - 1, pool_core::Guard::site(&within));
    let owned = rig.sim.block_on(rig.pool.acquire_owned()).expect("served");
    here(line!() - 1, pool_core::Guard::site(&owned));
    let owned_within = rig.sim.block_on(rig.pool.acquire_owned_within(SEC)).expect("served");
    here(line!() - 1, pool_core::Guard::site(&owned_within));
    drop((guard, within));
    let tried = rig.pool.try_acquire().expect("idle");
    here(line!() - 1, pool_core::Guard::site(&tried));
    let tried_owned = rig.pool.try_acquire_owned().expect("idle");
    here(line!() - 1, pool_core::Guard::site(&tried_owned));
    let mut named: Vec<_> = rig.pool.holders().iter().map(|holder| holder.site.line()).collect();
    named.sort_unstable();
    let sites = [
        pool_core::Guard::site(&owned),
        pool_core::Guard::site(&owned_within),
        pool_core::Guard::site(&tried),
        pool_core::Guard::site(&tried_owned),
    ];
    assert_eq!(named, sites.map(std::panic::Location::line));
}

#[test]
fn an_error_names_the_three_longest_holders_of_many() {
    let rig = Rig::new(config(4));
    let first = hold(&rig);
    rig.sim.advance(SEC);
    let second = hold(&rig);
    rig.sim.advance(SEC);
    let third = hold(&rig);
    rig.sim.advance(SEC);
    let fourth = hold(&rig);
    let error = timed_out(&rig);
    let named: Vec<_> =
        error.details().circumstances.holders.iter().map(|holder| holder.site.line()).collect();
    let sites = [&first, &second, &third].map(|guard| pool_core::Guard::site(guard).line());
    assert_eq!(named, sites);
    drop(fourth);
}

#[test]
fn holders_are_computed_at_most_every_100_ms_and_shared() {
    let rig = Rig::new(PoolConfig { max_waiters: 1, ..config(1) });
    let _held = hold(&rig);
    let _waiter = rig.waiter();
    let refused = || Hand::new(rig.pool.acquire()).ready().expect_err("the queue is full");
    let first = refused();
    rig.sim.advance(99 * MS);
    let second = refused();
    assert!(Arc::ptr_eq(
        &first.details().circumstances.holders,
        &second.details().circumstances.holders
    ));
    rig.sim.advance(MS);
    let third = refused();
    assert!(!Arc::ptr_eq(
        &first.details().circumstances.holders,
        &third.details().circumstances.holders
    ));
}

#[test]
fn a_connect_that_hangs_is_named_as_the_source_with_its_bound() {
    let rig = Rig::new(PoolConfig { connect_timeout: 200 * MS, outage_grace: None, ..config(1) });
    rig.server.always(Call::Connect, Answer::Never);
    let error = rig.sim.block_on(rig.pool.acquire_within(300 * MS)).expect_err("black hole");
    assert_eq!(error.details().phase, AcquirePhase::Opening);
    let source = error.source().expect("the last connect error");
    let expected = DriverFault::TimedOut { call: "connect", limit: 200 * MS };
    assert_eq!(source.downcast_ref(), Some(&expected));
    assert_eq!(source.to_string(), "the driver's connect did not finish within 200 ms");
}

#[test]
fn each_phase_of_waiting_has_its_name() {
    let phase = |rig: &Rig| {
        let error = rig.sim.block_on(rig.pool.acquire_within(SEC)).expect_err("nothing comes");
        error.details().phase
    };
    let rig = Rig::new(PoolConfig { check_timeout: 100 * SEC, ..config(1) });
    rig.server.always(Call::Connect, Answer::Never);
    assert_eq!(phase(&rig), AcquirePhase::Opening);

    let rig = Rig::new(PoolConfig { check_timeout: 100 * SEC, ..config(1) });
    let mut held = hold(&rig);
    assert_eq!(phase(&rig), AcquirePhase::Queued);
    held.begin();
    rig.server.always(Call::Reset, Answer::Never);
    drop(held);
    assert_eq!(phase(&rig), AcquirePhase::Resetting);

    let rig = Rig::new(PoolConfig { check_timeout: 100 * SEC, ..config(1) });
    rig.fill(1);
    rig.sim.advance(SEC);
    rig.server.always(Call::Check, Answer::Never);
    assert_eq!(phase(&rig), AcquirePhase::Checking);
    rig.pool.control().pause();
    assert_eq!(phase(&rig), AcquirePhase::Paused);
}

#[test]
fn an_open_that_fails_has_the_driver_error_as_its_source() {
    let rig = Rig::new(config(1));
    rig.server.always(Call::Connect, Answer::Permanent);
    let options = pool_core::PoolOptions {
        runtime: Some(rig.sim.runtime()),
        name: Some("orders".into()),
        ..config(1).into()
    };
    let opened = rig.sim.block_on(pool_core::Pool::open(FakeDriver::new(&rig.server), options));
    let error = opened.expect_err("wrong password");
    assert_eq!(error.to_string(), "pool orders: the first connect failed after 0 ns");
    let source = error.source().expect("the driver's error");
    assert_eq!(source.downcast_ref(), Some(&FakeError::Permanent(Call::Connect)));
    assert!(matches!(error, OpenError::Connect { took: Duration::ZERO, .. }));
}

#[test]
fn errors_say_nothing_of_what_a_driver_keeps_to_itself() {
    let rig = Rig::new(config(1));
    let guard = hold(&rig);
    assert!(!format!("{guard:?}").contains("FakeConnection"));
    let debug = format!("{:?}", rig.pool);
    assert!(debug.starts_with("Pool { name: \"fake\", stats: PoolStats"), "{debug}");
}
