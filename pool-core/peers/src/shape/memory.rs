//! Allocations and bytes, counted: of this thread only, on which everything runs.

use std::future::pending;

use futures_util::future::join;
use tokio::task::yield_now;

use super::{Sample, is_ready, single_threaded};
use crate::Count;
use crate::contender::{Connector, Contender, Patience, filled};

const MANY: usize = 10_000;
const OPERATIONS: usize = 1_000;

pub(crate) fn memory<C: Contender>(count: Count) -> Sample {
    let mut sample = Sample::from([
        ("alone", allocations_alone::<C>(count)),
        ("waiting", allocations_waiting::<C>(count)),
        ("waiter", bytes_a_waiter::<C>(count)),
    ]);
    if !C::HAS_THREADS {
        sample.insert("idle", bytes_an_idle_connection::<C>(count));
    }
    sample
}

fn allocations_alone<C: Contender>(count: Count) -> f64 {
    let runtime = single_threaded();
    let pool = runtime.block_on(C::new(1, Connector::at_once(), Patience::USUAL));
    allocations_each(count, |operations| {
        runtime.block_on(async {
            for _ in 0..operations {
                pool.with(async {}).await.expect("served");
            }
        });
    })
}

/// Two who hold the one connection in turn, so that each waits each time.
fn allocations_waiting<C: Contender>(count: Count) -> f64 {
    let runtime = single_threaded();
    let pool = runtime.block_on(C::new(1, Connector::at_once(), Patience::USUAL));
    let take_turns = async |operations| {
        for _ in 0..operations {
            pool.with(yield_now()).await.expect("served");
        }
    };
    allocations_each(count, |operations| {
        runtime.block_on(join(take_turns(operations / 2), take_turns(operations / 2)));
    })
}

/// Of a thousand operations more: the runtime, too, allocates when it begins.
fn allocations_each(count: Count, run: impl Fn(usize)) -> f64 {
    run(OPERATIONS);
    let allocations = |times| count(&mut || run(times * OPERATIONS)).allocations as f64;
    (allocations(2) - allocations(1)) / OPERATIONS as f64
}

/// Of ten thousand that wait, each with its future.
fn bytes_a_waiter<C: Contender>(count: Count) -> f64 {
    let runtime = single_threaded();
    let pool = runtime.block_on(filled::<C>(1));
    let _inside = runtime.enter();
    let mut held = Box::pin(pool.with(pending()));
    assert!(!is_ready(held.as_mut()));
    let mut waiters = Vec::new();
    let counted = count(&mut || {
        waiters.extend((0..MANY).map(|_| Box::pin(pool.with(async {}))));
        for waiter in &mut waiters {
            assert!(!is_ready(waiter.as_mut()));
        }
    });
    counted.bytes_kept.unsigned_abs() as f64 / MANY as f64
}

/// That the pool keeps for each of ten thousand idle connections, eight of them the connection's.
fn bytes_an_idle_connection<C: Contender>(count: Count) -> f64 {
    let runtime = single_threaded();
    let mut pool = None;
    let counted = count(&mut || {
        pool = Some(runtime.block_on(filled::<C>(MANY)));
    });
    counted.bytes_kept.unsigned_abs() as f64 / MANY as f64
}
