//! Failover: the name is somebody else's now, or the server may not write any more.

use pool_core::{CloseReason, PoolConfig, Role};
use pool_testkit::{Answer, Call};

use crate::rig::{MS, Rig, SEC};

/// mysql-net/MySqlConnector#1648, juspay/hyperswitch#13631, brettwooldridge/HikariCP#1075: sessions
/// with the old primary stayed in the pool, answered every check, and failed every write.
#[test]
fn m59_after_a_failover_every_older_connection_is_retired_and_new_ones_are_dialled() {
    let rig = Rig::new(PoolConfig { max_open: 6, ..PoolConfig::default() });
    let mut held = rig.acquire_many(3);
    rig.fill(3);
    let others = rig.acquire_many(3);
    drop(held.pop());
    let control = rig.pool.control();
    rig.server.set_read_only(true);
    let mut probe = rig.sim.block_on(control.probe()).expect("up");
    let role = rig.sim.block_on(probe.role()).expect("can ask").expect("answers");
    assert_eq!(role, Role::ReadOnly, "alive, and of no use");
    drop(probe);

    rig.server.set_read_only(false);
    rig.server.next(Call::Connect, &[Answer::Late(50 * MS)]);
    let dialled = rig.server.started(Call::Connect);
    assert_eq!(control.invalidate(), 6);
    rig.sim.run();
    assert_eq!((rig.pool.stats().idle, rig.pool.stats().in_use), (0, 5), "none is interrupted");
    for guard in &mut held {
        guard.query("select 1").expect("still its own");
    }
    let newest = others.iter().chain(&held).map(|guard| guard.id()).max().expect("some");
    drop((others, held));
    rig.sim.advance(SEC);
    assert_eq!(rig.pool.stats().closed.of(CloseReason::Invalidated), 6);
    let guards = rig.acquire_many(6);
    assert!(guards.iter().all(|guard| guard.id() > newest), "of the new generation");
    // Each dial asks for the address anew: there is nothing in the engine that keeps one.
    assert_eq!(rig.server.started(Call::Connect), dialled + 6);
}

/// The same, for a connect that was under way to the old address: back and forth, as a name may
/// flicker.
#[test]
fn m59_a_connect_from_before_the_failover_is_not_used_after_it() {
    let rig = Rig::with_max_open(1);
    for flicker in 0..3 {
        rig.server.next(Call::Connect, &[Answer::Gate]);
        let mut waiter = rig.waiter();
        rig.pool.control().invalidate();
        rig.server.open_gate(Call::Connect, Answer::Ok);
        rig.sim.run();
        let guard = waiter.ready().expect("served");
        assert_eq!(guard.id(), 2 * flicker + 2, "by one of the new generation");
        drop(guard);
        rig.pool.control().invalidate();
        rig.sim.run();
    }
    rig.audit(0);
}
