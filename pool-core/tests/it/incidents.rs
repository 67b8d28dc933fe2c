//! The two production incidents of the founding documents, replayed.

use std::time::Duration;

use pool_core::{AcquireErrorKind, ErrorClass, PoolConfig};
use pool_testkit::{Answer, Call, FakeError, SimTask};

use crate::rig::{MS, Rig, SEC};

/// Incident 1, "too many connections": a pool without a limit opens beyond the server's.
#[test]
fn unlimited_opening_overruns_the_limit_of_the_server() {
    let rig = burst(PoolConfig {
        max_open: PoolConfig::UNLIMITED,
        max_opening: 1000,
        ..PoolConfig::default()
    });
    assert!(rig.server.refused() > 0, "the incident");
    assert_eq!(rig.server.most_sockets(), 100);
}

#[test]
fn a_pool_within_the_limit_of_the_server_serves_the_same_burst_without_an_error() {
    let rig = burst(PoolConfig { max_open: 80, ..PoolConfig::default() });
    assert_eq!((rig.server.refused(), rig.pool.stats().open_failed), (0, 0));
    assert_eq!(rig.pool.stats().acquires.succeeded(), 500);
}

#[test]
fn even_without_a_limit_the_overrun_is_told_and_the_connections_there_are_serve_everybody() {
    let rig = burst(PoolConfig {
        max_open: PoolConfig::UNLIMITED,
        max_opening: 1000,
        ..PoolConfig::default()
    });
    let stats = rig.pool.stats();
    assert_eq!((stats.acquires.succeeded(), stats.acquires.failed()), (500, 0));
    // Held by all of them, the next caller learns the reason.
    let _held = rig.acquire_many(100);
    let error = rig.sim.block_on(rig.pool.acquire_within(SEC / 2)).expect_err("no room");
    assert_eq!(error.kind(), AcquireErrorKind::Timeout);
    let connects = error.details().circumstances.connects.as_ref().expect("refused connects");
    assert_eq!(connects.class, ErrorClass::Overloaded);
    assert!(connects.error.is::<FakeError>(), "{connects:?}");
}

/// 500 callers at once against a server of 100 connections.
fn burst(mut config: PoolConfig) -> Rig {
    config.outage_grace = None;
    let rig = Rig::new(config);
    rig.server.set_max_sockets(100);
    rig.server.always(Call::Connect, Answer::Late(5 * MS));
    let callers: Vec<_> = (0..500)
        .map(|_| {
            let (pool, sim) = (rig.pool.clone(), rig.sim.clone());
            rig.sim.spawn(async move {
                let mut guard = pool.acquire_owned().await.expect("served in the end");
                sim.sleep(20 * MS).await;
                guard.query("select 1").expect("alive");
            })
        })
        .collect();
    rig.sim.advance(20 * SEC);
    assert!(callers.iter().all(SimTask::is_done));
    rig
}

/// Incident 2, "connection attempts jump": 100 tasks, each running several statements, over a pool
/// that keeps two idle connections.
#[test]
fn a_small_max_idle_churns_without_grace_and_stays_flat_with_it() {
    let flat = connects_per_minute(PoolConfig::default().idle_grace);
    let most = flat[1..].iter().max().expect("two more minutes");
    assert!(flat[0] <= 100 && *most <= 20, "flat with the default grace: {flat:?}");

    let churning = connects_per_minute(Duration::ZERO);
    let least = churning.iter().min().expect("three minutes");
    assert!(*least >= 1000, "without grace, the incident: {churning:?}");
}

/// Connects in each of three minutes.
fn connects_per_minute(idle_grace: Duration) -> [u64; 3] {
    let rig =
        Rig::new(PoolConfig { max_open: 100, max_idle: 2, idle_grace, ..PoolConfig::default() });
    rig.server.always(Call::Connect, Answer::Late(5 * MS));
    for task in 0..100_u32 {
        let (pool, sim) = (rig.pool.clone(), rig.sim.clone());
        let mut rng = fastrand::Rng::with_seed(task.into());
        drop(rig.sim.spawn(async move {
            loop {
                for _ in 0..5 {
                    let mut guard = pool.acquire_owned().await.expect("served");
                    sim.sleep(MS * rng.u32(1..10)).await;
                    guard.query("select 1").expect("alive");
                    drop(guard);
                    sim.sleep(MS * rng.u32(1..10)).await;
                }
                sim.sleep(MS * rng.u32(500..1500)).await;
            }
        }));
    }
    [0, 1, 2].map(|_| {
        let before = rig.server.started(Call::Connect);
        rig.sim.advance(60 * SEC);
        rig.server.started(Call::Connect) - before
    })
}
