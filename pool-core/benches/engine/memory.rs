//! Allocations and bytes, counted.

use std::pin::pin;
use std::task::{Context, Waker};

use allocation_counter::measure;
use pool_core::{Pool, PoolConfig};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use crate::noop::Noop;

const MANY: usize = 10_000;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn pool(max_open: usize) -> Pool<Noop> {
    let config =
        PoolConfig { max_open, max_waiters: MANY, max_opening: MANY, ..PoolConfig::default() };
    Pool::new(Noop, config).expect("valid")
}

/// Allocations of a thousand acquires and releases of an idle connection.
pub(crate) fn uncontended() -> u64 {
    runtime().block_on(async {
        let pool = pool(1);
        drop(pool.acquire().await.expect("served"));
        yield_now().await;
        let mut task = Box::pin(async {
            for _ in 0..1000 {
                drop(pool.acquire().await.expect("served"));
            }
        });
        let mut done = false;
        let counted = measure(|| {
            let polled = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            done = polled.is_ready();
        });
        assert!(done, "nothing had to wait");
        counted.count_total
    })
}

/// Allocations of a thousand acquires that wait for a release.
pub(crate) fn waiting() -> u64 {
    runtime().block_on(async {
        let pool = pool(1);
        let mut held = Some(pool.acquire().await.expect("served"));
        yield_now().await;
        let mut round = || {
            let mut waiter = pin!(pool.acquire());
            let mut cx = Context::from_waker(Waker::noop());
            assert!(waiter.as_mut().poll(&mut cx).is_pending());
            drop(held.take());
            match waiter.as_mut().poll(&mut cx) {
                std::task::Poll::Ready(served) => held = Some(served.expect("served")),
                std::task::Poll::Pending => panic!("the connection came back"),
            }
        };
        round();
        measure(|| (0..1000).for_each(|_| round())).count_total
    })
}

/// Bytes that ten thousand waiting acquires take, each with its future.
pub(crate) fn bytes_a_waiter() -> u64 {
    runtime().block_on(async {
        let pool = pool(1);
        let _held = pool.acquire().await.expect("served");
        yield_now().await;
        let mut waiters = Vec::new();
        let counted = measure(|| {
            waiters.extend((0..MANY).map(|_| pool.acquire()));
            for waiter in &mut waiters {
                let polled = pin!(waiter).poll(&mut Context::from_waker(Waker::noop()));
                assert!(polled.is_pending());
            }
        });
        counted.bytes_current.unsigned_abs() / MANY as u64
    })
}

/// Bytes that the pool keeps for each of ten thousand idle connections.
pub(crate) fn bytes_an_idle_slot() -> u64 {
    let runtime = runtime();
    let pool = pool(MANY);
    let counted = measure(|| {
        runtime.block_on(async {
            let mut guards = Vec::with_capacity(MANY);
            for _ in 0..MANY {
                guards.push(pool.acquire().await.expect("served"));
            }
        });
    });
    assert_eq!(pool.stats().idle, MANY);
    counted.bytes_current.unsigned_abs() / MANY as u64 - size_of::<u64>() as u64
}
