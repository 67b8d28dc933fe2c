//! Guards that outlive their runtime, or never were in one.

use std::cell::RefCell;
use std::sync::Arc;
use std::thread;

use pool_core::runtime::TokioRuntime;
use pool_core::{Guard, Pool, PoolConfig};
use pool_testkit::{Call, FakeDriver, FakeServer};
use tokio::runtime::{Builder, Runtime};

use crate::rig::{FakePool, OwnedGuard};

thread_local! {
    /// Dropped by the thread's end, after everything that came into use later: tokio's own, too.
    static KEPT: RefCell<Vec<OwnedGuard>> = const { RefCell::new(Vec::new()) };
}

fn pool() -> (FakeServer, FakePool) {
    let server = FakeServer::new(Arc::new(TokioRuntime::new()));
    let config = PoolConfig { max_open: 3, ..PoolConfig::default() };
    let pool = Pool::new(FakeDriver::new(&server), config).expect("valid");
    (server, pool)
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// A clean one, one in a transaction, and one to be discarded.
fn three(runtime: &Runtime, pool: &FakePool) -> [OwnedGuard; 3] {
    let mut guards = runtime.block_on(async {
        [
            pool.acquire_owned().await.expect("served"),
            pool.acquire_owned().await.expect("served"),
            pool.acquire_owned().await.expect("served"),
        ]
    });
    guards[1].begin();
    guards
}

fn drop_all(guards: [OwnedGuard; 3]) {
    let [clean, dirty, broken] = guards;
    drop((clean, dirty));
    Guard::discard(broken);
}

type DropThem = fn(Runtime, [OwnedGuard; 3]);

const WAYS: [(&str, DropThem); 5] = [
    ("on a plain thread", |runtime, guards| {
        thread::spawn(move || drop_all(guards)).join().expect("no panic");
        drop(runtime);
    }),
    ("at a thread's end", |runtime, guards| {
        let thread = thread::spawn(move || {
            KEPT.with_borrow_mut(|kept| kept.extend(guards));
            // What tokio keeps for the thread comes into use after the guards, and so goes first.
            current_thread().block_on(async {});
        });
        thread.join().expect("no panic");
        drop(runtime);
    }),
    ("after the runtime", |runtime, guards| {
        drop(runtime);
        drop_all(guards);
    }),
    ("after a shutdown in the background", |runtime, guards| {
        runtime.shutdown_background();
        drop_all(guards);
    }),
    ("in another runtime", |runtime, guards| {
        let other = current_thread();
        drop(runtime);
        other.block_on(async move { drop_all(guards) });
    }),
];

/// tokio-rs/tokio#3963, SergioBenitez/Rocket#1466, #2375, launchbadge/sqlx: a guard dropped outside
/// of its runtime panicked, because its drop had to spawn.
#[test]
fn m60_a_guard_may_be_dropped_anywhere_and_at_any_time() {
    for runtime in [current_thread as fn() -> Runtime, multi_thread] {
        for (how, drop_them) in WAYS {
            let (server, pool) = pool();
            let runtime = runtime();
            let guards = three(&runtime, &pool);
            drop_them(runtime, guards);
            let stats = pool.stats();
            assert_eq!((stats.in_use - stats.resetting, stats.waiting), (0, 0), "{how}: {stats:?}");
            // The pool goes on wherever somebody uses it next.
            let next = multi_thread();
            drop(three(&next, &pool));
            assert!(next.block_on(pool.close(crate::rig::SEC)).drained, "{how}");
            drop(next);
            assert_eq!(server.sockets(), 0, "{how}");
        }
    }
}

/// The same for the pool itself: it is dropped with what is idle, and nothing is left.
#[test]
fn m60_a_pool_may_be_dropped_without_its_runtime() {
    for runtime in [current_thread as fn() -> Runtime, multi_thread] {
        let (server, pool) = pool();
        let runtime = runtime();
        drop(three(&runtime, &pool));
        drop(runtime);
        thread::spawn(move || drop(pool)).join().expect("no panic");
        assert_eq!(server.sockets(), 0);
        assert!(server.started(Call::Released) == 3);
    }
}

/// The same on smol.
#[cfg(feature = "smol")]
#[test]
fn m60_a_guard_from_smol_may_be_dropped_at_a_threads_end() {
    let runtime = Arc::new(pool_core::runtime::SmolRuntime::new());
    let server = FakeServer::new(runtime.clone());
    let config = PoolConfig { max_open: 3, ..PoolConfig::default() };
    let options = pool_core::PoolOptions { runtime: Some(runtime), ..config.into() };
    let pool = Pool::new(FakeDriver::new(&server), options).expect("valid");
    let inside = pool.clone();
    let thread = thread::spawn(move || {
        let guards =
            smol::block_on(async { [inside.acquire_owned().await, inside.acquire_owned().await] });
        let guards = guards.map(|guard| guard.expect("served"));
        KEPT.with_borrow_mut(|kept| kept.extend(guards));
    });
    thread.join().expect("no panic");
    assert_eq!((pool.stats().idle, pool.stats().in_use), (2, 0));
    assert!(smol::block_on(pool.close(crate::rig::SEC)).drained);
    assert_eq!(server.sockets(), 0);
}
