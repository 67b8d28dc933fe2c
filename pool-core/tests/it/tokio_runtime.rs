//! The engine on real tokio runtimes: one and many threads, none, two, and one that goes away.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pool_core::runtime::TokioRuntime;
use pool_core::{AcquireErrorKind, Guard, OpenError, Pool, PoolConfig};
use pool_testkit::{Answer, Call, FakeDriver, FakeServer, Hand};
use tokio::runtime::{Builder, Runtime};

use crate::rig::{FakePool, MS, SEC};

fn pool(config: PoolConfig) -> (FakeServer, FakePool) {
    let server = FakeServer::new(Arc::new(TokioRuntime::new()));
    let pool = Pool::new(FakeDriver::new(&server), config).expect("valid");
    (server, pool)
}

fn max_open(max_open: usize) -> PoolConfig {
    PoolConfig { max_open, ..PoolConfig::default() }
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

#[test]
fn hundreds_of_tasks_share_a_few_connections_on_either_flavour() {
    for runtime in [current_thread(), multi_thread()] {
        let (server, pool) = pool(max_open(4));
        runtime.block_on(async {
            let tasks: Vec<_> = (0..400)
                .map(|number| {
                    let pool = pool.clone();
                    tokio::spawn(async move {
                        for _ in 0..5 {
                            let mut guard = pool.acquire().await.expect("served");
                            guard.query("select 1").expect("alive");
                            if number % 7 == 0 {
                                guard.begin();
                            }
                            tokio::task::yield_now().await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no panic");
            }
            let report = pool.close(5 * SEC).await;
            assert!(report.drained, "{report}");
        });
        assert_eq!((server.most_sockets(), server.sockets()), (4, 0));
    }
}

#[test]
fn a_deadline_is_kept_in_real_time() {
    let (server, pool) = pool(max_open(1));
    server.always(Call::Connect, Answer::Never);
    let started = Instant::now();
    let error = current_thread().block_on(pool.acquire_within(50 * MS)).expect_err("black hole");
    assert!(error.is_timeout());
    let took = started.elapsed();
    assert!(took >= 50 * MS && took < 5 * SEC, "{took:?}");
}

#[test]
fn a_guard_may_be_dropped_after_its_runtime_was_shut_down() {
    let (server, pool) = pool(max_open(2));
    let runtime = multi_thread();
    let (clean, mut dirty) = runtime.block_on(async {
        (pool.acquire_owned().await.expect("served"), pool.acquire_owned().await.expect("served"))
    });
    dirty.begin();
    runtime.shutdown_timeout(5 * SEC);
    drop(clean);
    drop(dirty);
    let stats = pool.stats();
    assert_eq!((stats.idle, stats.in_use, stats.open), (1, 0, 1), "the dirty one is let go of");
    assert_eq!((server.sockets(), server.started(Call::Abort)), (1, 1));
    drop(pool);
    assert_eq!(server.sockets(), 0);
}

#[test]
fn a_pool_moves_on_to_a_new_runtime_when_its_first_is_gone() {
    let (_, pool) = pool(max_open(1));
    let held = current_thread().block_on(pool.acquire_owned()).expect("served");
    let second = multi_thread();
    let waiting = pool.clone();
    let waiter = second.spawn(async move { waiting.acquire_owned().await.map(|guard| guard.id()) });
    while pool.stats().waiting == 0 {
        thread::yield_now();
    }
    Guard::discard(held);
    let served = second.block_on(waiter).expect("no panic").expect("served by a new connection");
    assert_eq!(served, 2);
}

#[test]
fn those_who_wait_survive_the_shutdown_of_the_runtime_that_the_worker_lives_on() {
    let (server, pool) = pool(max_open(1));
    let (first, second) = (multi_thread(), multi_thread());
    server.always(Call::Connect, Answer::Gate);
    let doomed = pool.clone();
    drop(first.spawn(async move { doomed.acquire().await.map(|guard| guard.id()) }));
    while server.waiting(Call::Connect) == 0 {
        thread::yield_now();
    }
    let waiting = pool.clone();
    let waiter = second.spawn(async move { waiting.acquire_owned().await.map(|guard| guard.id()) });
    while pool.stats().waiting < 2 {
        thread::yield_now();
    }
    server.always(Call::Connect, Answer::Ok);
    first.shutdown_timeout(5 * SEC);
    let id = second.block_on(waiter).expect("no panic").expect("served");
    assert_eq!((id, server.sockets()), (2, 1), "the connect of the lost worker is gone");
}

#[test]
fn a_runtime_that_nobody_drives_does_not_hold_up_those_on_another() {
    let (server, pool) = pool(max_open(1));
    let (idle, busy) = (current_thread(), current_thread());
    drop(idle.block_on(pool.acquire_owned()).expect("served"));
    // The worker lives on a runtime that stands still from here on.
    let held = busy.block_on(pool.acquire_owned()).expect("an idle one needs no worker");
    let error = busy.block_on(pool.acquire_within(150 * MS)).expect_err("held");
    assert_eq!(error.kind(), AcquireErrorKind::Timeout);
    Guard::discard(held);
    drop(busy.block_on(pool.acquire_within(5 * SEC)).expect("opened by a worker of its own"));
    assert!(busy.block_on(pool.close(5 * SEC)).drained);
    drop(idle);
    assert_eq!(server.sockets(), 0);
}

#[test]
fn a_worker_that_has_nothing_to_do_is_left_in_its_place() {
    let (server, pool) = pool(max_open(1));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let driving = pool.clone();
    let driver = thread::spawn(move || {
        current_thread().block_on(async {
            drop(driving.acquire().await.expect("served"));
            drop(stopped.await);
        });
    });
    while pool.stats().idle == 0 {
        thread::yield_now();
    }
    Guard::discard(pool.try_acquire().expect("idle"));
    server.always(Call::Connect, Answer::Late(400 * MS));
    let here = current_thread();
    drop(here.block_on(pool.acquire()).expect("opened by the worker over there"));
    assert_eq!(server.started(Call::Connect), 2, "nobody cut its connect short");
    drop(stop);
    driver.join().expect("no panic");
}

#[test]
fn closing_is_not_held_up_by_a_runtime_that_nobody_drives() {
    let (server, pool) = pool(max_open(2));
    let (idle, busy) = (current_thread(), current_thread());
    let held = idle.block_on(pool.acquire_owned()).expect("served");
    let report = busy.block_on(pool.close(300 * MS));
    assert!(!report.drained && report.still_out.len() == 1, "{report}");
    drop(held);
    drop((idle, busy));
    assert_eq!(server.sockets(), 0);
}

#[test]
fn without_a_runtime_an_idle_connection_is_served_and_a_wait_says_what_is_missing() {
    let (_, pool) = pool(max_open(1));
    let mut acquire = Hand::new(pool.acquire());
    let error = acquire.ready().expect_err("nobody could open it");
    assert_eq!(error.kind(), AcquireErrorKind::NoRuntime);
    assert_eq!(
        error.to_string(),
        "pool fake: acquire would have to wait, but this thread is not inside a tokio runtime; \
         await the pool inside one"
    );
    let runtime = current_thread();
    drop(runtime.block_on(pool.acquire_owned()).expect("served"));
    drop(runtime);
    drop(Hand::new(pool.acquire()).ready().expect("idle"));
}

#[test]
fn a_runtime_without_a_timer_is_an_error_that_says_so() {
    let (_, pool) = pool(max_open(1));
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let error = runtime.block_on(pool.acquire()).expect_err("no timer");
    assert_eq!(error.kind(), AcquireErrorKind::NoRuntime);
    assert!(error.to_string().contains("build the runtime with enable_time"), "{error}");
}

#[test]
fn a_runtime_that_is_shutting_down_is_an_error_not_a_wait() {
    let (_, pool) = pool(max_open(1));
    let runtime = multi_thread();
    let handle = runtime.handle().clone();
    runtime.shutdown_timeout(5 * SEC);
    let _inside = handle.enter();
    let error = Hand::new(pool.acquire()).ready().expect_err("no worker can start");
    assert!(error.to_string().contains("shutting down"), "{error}");
}

#[test]
fn outside_a_runtime_close_lets_go_at_once_and_open_says_what_is_missing() {
    let (server, pool) = pool(max_open(3));
    let runtime = current_thread();
    let held = runtime.block_on(pool.acquire_owned()).expect("served");
    drop(runtime.block_on(pool.acquire_owned()).expect("served"));
    drop(runtime);
    let report = Hand::new(pool.close(SEC)).ready();
    assert_eq!((report.drained, report.still_out.len()), (false, 1));
    assert_eq!(server.sockets(), 1);
    drop(held);
    assert_eq!(server.sockets(), 0);
    let opened = Hand::new(Pool::open(FakeDriver::new(&server), max_open(1))).ready();
    assert!(matches!(opened, Err(OpenError::NoRuntime(_))), "{opened:?}");
}

#[test]
fn under_a_paused_tokio_clock_deadlines_come_in_virtual_time() {
    let (_, pool) = pool(max_open(1));
    let runtime =
        Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let _held = pool.acquire().await.expect("served");
        let started = tokio::time::Instant::now();
        let real = Instant::now();
        let error = pool.acquire_within(Duration::from_hours(1)).await.expect_err("held");
        assert!(error.is_timeout());
        let waited = started.elapsed();
        assert!(
            waited >= Duration::from_hours(1) && waited < Duration::from_hours(2),
            "{waited:?}"
        );
        assert!(real.elapsed() < 60 * SEC);
    });
}

#[test]
fn a_deadline_is_kept_when_the_worker_has_moved_to_a_runtime_that_nobody_drives() {
    let (_server, pool) = pool(max_open(1));
    let first = multi_thread();
    let held = first.block_on(pool.acquire_owned()).expect("opened");
    let (queued, is_queued) = std::sync::mpsc::channel();
    let waiting = thread::spawn({
        let pool = pool.clone();
        move || {
            current_thread().block_on(async {
                let mut acquire = std::pin::pin!(pool.acquire_within(SEC));
                let pending = std::future::poll_fn(|cx| {
                    std::task::Poll::Ready(acquire.as_mut().poll(cx).is_pending())
                });
                assert!(pending.await);
                queued.send(()).expect("awaited");
                tokio::time::timeout(10 * SEC, acquire).await.map(|result| result.map(drop))
            })
        }
    });
    is_queued.recv().expect("queued");
    // The worker moves here with this acquire, and stands still when that has failed.
    let second = current_thread();
    let error = second.block_on(async {
        let mut acquire = std::pin::pin!(pool.acquire_within(300 * MS));
        let pending = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(acquire.as_mut().poll(cx).is_pending())
        });
        assert!(pending.await);
        thread::spawn(move || drop(first)).join().expect("shut down");
        acquire.await.map(drop)
    });
    assert!(error.is_err_and(|error| error.is_timeout()));
    let outcome = waiting.join().expect("no panic").expect("ended long before");
    assert!(outcome.is_err_and(|error| error.is_timeout()), "at its own deadline");
    drop(held);
}

#[test]
fn warming_up_and_closing_without_a_timer_say_so_at_once() {
    let runtime = Builder::new_current_thread().build().expect("a runtime without a timer");
    let (_server, pool) = pool(max_open(2));
    let error = runtime.block_on(pool.warm_up(1, SEC)).expect_err("no timer");
    assert!(matches!(error, OpenError::NoRuntime(_)), "{error}");
    let report = runtime.block_on(pool.close(SEC));
    assert!(report.drained, "{report}");
}

#[test]
fn a_paused_clock_does_not_age_connections_and_leaves_other_runtimes_alone() {
    let paused = Builder::new_current_thread().enable_all().start_paused(true).build();
    let paused = paused.expect("a runtime");
    paused.block_on(async {
        tokio::time::sleep(Duration::from_hours(1)).await;
        let (_server, pool) = pool(max_open(1));
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_mins(5)).await;
            drop(pool.acquire().await.expect("served"));
            tokio::time::sleep(SEC).await;
            assert_eq!(pool.stats().idle, 1, "idle for a second: {:?}", pool.stats());
        }
    });
    let (_server, pool) = pool(max_open(1));
    let runtime = current_thread();
    let _held = runtime.block_on(pool.acquire()).expect("served");
    let waited = runtime.block_on(async {
        tokio::time::timeout(10 * SEC, pool.acquire_within(50 * MS)).await.map(|it| it.map(drop))
    });
    assert!(waited.expect("its deadline").is_err_and(|error| error.is_timeout()));
}
