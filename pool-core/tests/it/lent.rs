//! A probe's connection lent for other questions than the driver's.

use pool_core::Probe;
use pool_testkit::{Answer, Call, FakeConnection, Hand};

use crate::rig::Rig;

/// A pool and a probe of it.
fn lending() -> (Rig, Box<dyn Probe>) {
    let rig = Rig::with_max_open(1);
    let probe = rig.sim.block_on(rig.pool.control().probe()).expect("up");
    (rig, probe)
}

#[test]
fn what_is_lent_and_given_back_is_asked_again() {
    let (rig, mut probe) = lending();
    for _ in 0..2 {
        let mut lent = probe.lend().expect("there");
        lent.connection::<FakeConnection>().expect("its type").query("mine").expect("answered");
        rig.sim.block_on(lent.give_back()).expect("clean");
    }
    rig.sim.block_on(probe.ping()).expect("the same connection");
    assert_eq!((rig.server.started(Call::Connect), rig.server.started(Call::Reset)), (1, 0));
}

#[test]
fn what_is_lent_is_of_the_drivers_own_type() {
    let (rig, mut probe) = lending();
    let mut lent = probe.lend().expect("there");
    assert!(lent.connection::<String>().is_none());
    rig.sim.block_on(lent.give_back()).expect("untouched");
    rig.sim.block_on(probe.ping()).expect("there");
}

#[test]
fn what_is_lent_and_not_given_back_is_gone() {
    let (rig, mut probe) = lending();
    drop(probe.lend().expect("there"));
    assert_eq!((rig.server.sockets(), rig.server.started(Call::Abort)), (0, 1));
    let again = probe.lend().expect_err("lost");
    assert_eq!(again.to_string(), "the probe's connection was lost earlier");
}

#[test]
fn what_is_given_back_in_a_transaction_is_cleaned() {
    let (rig, mut probe) = lending();
    let mut lent = probe.lend().expect("there");
    lent.connection::<FakeConnection>().expect("its type").begin();
    rig.sim.block_on(lent.give_back()).expect("cleaned");
    let mut lent = probe.lend().expect("kept");
    let session = lent.connection::<FakeConnection>().expect("its type").session();
    assert_eq!((session.in_transaction, rig.server.started(Call::Reset)), (false, 1));
}

#[test]
fn what_is_given_back_and_cannot_be_cleaned_is_gone() {
    for (answer, says) in [
        (Answer::Error, "scripted failure of Reset"),
        (Answer::Panic, "the driver's reset panicked: scripted panic of Reset"),
        (Answer::Never, "the driver's reset did not finish within 2.00 s"),
    ] {
        let (rig, mut probe) = lending();
        rig.server.always(Call::Reset, answer);
        let mut lent = probe.lend().expect("there");
        lent.connection::<FakeConnection>().expect("its type").begin();
        let error = rig.sim.block_on(lent.give_back()).expect_err("not clean");
        assert_eq!((&*error.to_string(), rig.server.sockets()), (says, 0));
        probe.lend().expect_err("lost");
    }
}

#[test]
fn what_is_given_back_broken_or_half_given_back_is_gone() {
    let (rig, mut probe) = lending();
    let mut lent = probe.lend().expect("there");
    lent.connection::<FakeConnection>().expect("its type").sever();
    rig.sim.block_on(lent.give_back()).expect_err("hung up");
    assert_eq!(rig.server.sockets(), 0);

    let (rig, mut probe) = lending();
    rig.server.always(Call::Reset, Answer::Never);
    let mut lent = probe.lend().expect("there");
    lent.connection::<FakeConnection>().expect("its type").begin();
    Hand::new(lent.give_back()).pending();
    assert_eq!(rig.server.sockets(), 0);
    drop(probe);
    assert_eq!(rig.pool.stats().probes, 0);
}
