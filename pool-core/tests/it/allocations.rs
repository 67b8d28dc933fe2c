//! What acquires and releases take from the allocator: nothing, once the pool is warm.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;

use crate::rig::{Acquired, Guard, Rig};

/// In a test's [`Hand`](pool_testkit::Hand) a future and its waker are allocated.
fn poll<'a>(acquire: &mut (impl Future<Output = Acquired<'a>> + Unpin)) -> Option<Guard<'a>> {
    match Pin::new(acquire).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(acquired) => Some(acquired.expect("served")),
        Poll::Pending => None,
    }
}

#[track_caller]
fn expect_no_allocation(mut turn: impl FnMut()) {
    // What is made by the first is what the others use again.
    turn();
    let measured = measure(|| (0..1000).for_each(|_| turn()));
    assert_eq!((measured.count_total, measured.count_current), (0, 0), "{measured:?}");
}

#[test]
fn an_acquire_and_its_release_allocate_nothing() {
    let rig = Rig::with_max_open(4);
    rig.fill(4);
    expect_no_allocation(|| {
        let guards = [(); 4].map(|()| poll(&mut rig.pool.acquire()).expect("idle"));
        drop(guards);
    });
    assert_eq!(rig.pool.stats().acquires.waited, 0);
}

#[test]
fn an_acquire_that_has_to_wait_uses_the_memory_of_one_before() {
    let rig = Rig::with_max_open(1);
    let mut held = Some(rig.acquire());
    expect_no_allocation(|| {
        let mut waiters = [(); 8].map(|()| rig.pool.acquire());
        assert!(waiters.iter_mut().all(|waiter| poll(waiter).is_none()));
        for waiter in &mut waiters {
            drop(held.take());
            held = poll(waiter);
            assert!(held.is_some(), "its turn");
        }
    });
    assert_eq!(rig.pool.stats().acquires.waited, 8 * 1001);
}

#[test]
fn an_acquire_that_is_given_up_leaves_its_memory_to_the_next() {
    let rig = Rig::with_max_open(1);
    let _held = rig.acquire();
    expect_no_allocation(|| {
        let mut waiters = [(); 8].map(|()| rig.pool.acquire());
        assert!(waiters.iter_mut().all(|waiter| poll(waiter).is_none()));
    });
    assert_eq!(rig.pool.stats().acquires.cancelled, 8 * 1001);
}
