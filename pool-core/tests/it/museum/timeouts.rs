//! Timeouts not honoured, and those that hide what was wrong.

use std::error::Error;

use pool_core::{AcquireErrorKind, AcquirePhase, PoolConfig};
use pool_testkit::{Answer, Call, FakeError};

use crate::rig::{MS, Rig, SEC};

/// brettwooldridge/HikariCP#867, c1032a06: the look whether a connection lives had no timeout; with
/// a server that had gone without a word, callers waited far beyond theirs.
#[test]
fn m36_a_check_that_never_ends_keeps_nobody_beyond_the_deadline_and_no_permit() {
    let rig = Rig::new(PoolConfig {
        max_open: 1,
        acquire_timeout: SEC,
        check_timeout: 2 * SEC,
        ..PoolConfig::default()
    });
    rig.fill(1);
    rig.sim.advance(SEC);
    rig.server.always(Call::Check, Answer::Never);
    let asked = rig.sim.now();
    let error = rig.sim.block_on(rig.pool.acquire()).expect_err("nothing answers");
    assert_eq!(
        (error.kind(), error.details().phase),
        (AcquireErrorKind::Timeout, AcquirePhase::Checking)
    );
    assert_eq!(rig.sim.now().since(asked), SEC, "at its deadline");
    assert_eq!(rig.pool.stats().checking, 1);
    rig.sim.advance(SEC);
    assert_eq!((rig.pool.stats().open, rig.server.sockets()), (0, 0), "at check_timeout");
    assert_eq!(rig.acquire().id(), 2);
}

/// MagicStack/asyncpg#431, #222: release and close waited without a bound.
#[test]
fn m38_a_release_returns_at_once_and_close_at_its_deadline_whatever_hangs() {
    let rig = Rig::with_max_open(3);
    rig.server.always(Call::Reset, Answer::Never);
    rig.server.always(Call::Close, Answer::Never);
    let mut guards = rig.acquire_many(3);
    let released = rig.sim.now();
    guards.pop().expect("three").begin();
    drop(guards.pop());
    assert_eq!(rig.sim.now(), released);
    rig.sim.run();
    let report = rig.sim.block_on(rig.pool.close(SEC));
    assert!(!report.drained && report.took == SEC, "{report}");
    assert_eq!(rig.server.sockets(), 1, "but for the one that is still out");
    drop(guards);
    rig.sim.advance(2 * SEC);
    assert_eq!((rig.server.sockets(), rig.pool.stats().closing), (0, 0));
}

/// launchbadge/sqlx#3808: a timeout of the pool hid what was wrong, a server that refused connects.
#[test]
fn m39_a_timeout_has_the_last_connect_error_as_its_source() {
    let rig = Rig::new(PoolConfig { max_open: 1, outage_grace: None, ..PoolConfig::default() });
    rig.server.always(Call::Connect, Answer::Error);
    let error = rig.sim.block_on(rig.pool.acquire_within(SEC)).expect_err("refused");
    let connects = error.details().circumstances.connects.as_ref().expect("connects failed");
    assert_eq!(error.kind(), AcquireErrorKind::Timeout);
    assert_eq!(error.details().phase, AcquirePhase::BackingOff);
    assert_eq!(u64::from(connects.attempts), rig.server.started(Call::Connect));
    assert!(connects.ago < 300 * MS && connects.lasting == SEC, "{connects:?}");
    let source = error.source().expect("the last connect error");
    assert_eq!(source.downcast_ref(), Some(&FakeError::Scripted(Call::Connect)));
    let shown = error.to_string();
    assert!(shown.contains("connects failed in 1.00 s, the last"), "{shown}");
}
