//! The engine on real smol.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pool_core::runtime::SmolRuntime;
use pool_core::{Pool, PoolConfig, PoolOptions};
use pool_testkit::{Answer, Call, FakeDriver, FakeServer};

use crate::rig::{FakePool, MS, SEC};

fn pool(max_open: usize) -> (FakeServer, FakePool) {
    let server = FakeServer::new(Arc::new(SmolRuntime::new()));
    let config = PoolConfig { max_open, ..PoolConfig::default() };
    let options = PoolOptions { runtime: Some(Arc::new(SmolRuntime::new())), ..config.into() };
    let pool = Pool::new(FakeDriver::new(&server), options).expect("valid");
    (server, pool)
}

#[test]
fn hundreds_of_tasks_share_a_few_connections_on_smol() {
    let (server, pool) = pool(4);
    server.always(Call::Connect, Answer::Late(MS));
    let tasks: Vec<_> = (0..300)
        .map(|_| {
            let pool = pool.clone();
            smol::spawn(async move {
                let mut guard = pool.acquire_owned().await.expect("served");
                smol::future::yield_now().await;
                guard.query("select 1").expect("alive");
            })
        })
        .collect();
    smol::block_on(async {
        for task in tasks {
            task.await;
        }
    });
    let stats = pool.stats();
    assert_eq!((stats.acquires.succeeded(), stats.in_use), (300, 0));
    assert!(server.most_sockets() <= 4);
    let report = smol::block_on(pool.close(SEC));
    assert!(report.drained, "{report}");
    assert_eq!(server.sockets(), 0);
}

#[test]
fn a_deadline_is_kept_on_smol_and_the_longest_never_comes() {
    let (_server, pool) = pool(1);
    let held = smol::block_on(pool.acquire()).expect("served");
    let started = Instant::now();
    let error = smol::block_on(pool.acquire_within(50 * MS)).map(drop).expect_err("held");
    assert!(error.is_timeout() && started.elapsed() >= 50 * MS, "{error}");
    let waiting = smol::spawn({
        let pool = pool.clone();
        async move { pool.acquire_owned_within(Duration::MAX).await.map(drop) }
    });
    drop(held);
    smol::block_on(waiting).expect("served");
}

#[test]
fn guards_and_pools_may_be_dropped_on_any_thread_and_while_a_panic_unwinds() {
    let (server, pool) = pool(2);
    let guard = smol::block_on(pool.acquire_owned()).expect("served");
    thread::spawn(move || drop(guard)).join().expect("no panic");
    let panicking = smol::block_on(pool.acquire_owned()).expect("served");
    let unwound = thread::spawn(move || {
        let _guard = panicking;
        panic!("a user's own");
    });
    assert!(unwound.join().is_err());
    drop(smol::block_on(pool.acquire_within(SEC)).expect("capacity is whole"));
    thread::spawn(move || drop(pool)).join().expect("no panic");
    // The worker says goodbye on its own thread.
    let started = Instant::now();
    while server.sockets() > 0 {
        assert!(started.elapsed() < 10 * SEC, "never closed");
        thread::yield_now();
    }
}
