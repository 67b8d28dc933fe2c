//! Memory: what those who have gone leave behind.

use allocation_counter::measure;
use pool_core::PoolConfig;
use pool_testkit::Hand;

use crate::rig::{MS, Rig, SEC};

const AT_ONCE: usize = 100_000;

/// Waits with many at once and cancels them, not in the order of their coming.
fn cancel_a_crowd(rig: &Rig) {
    let mut waiters: Vec<_> = (0..AT_ONCE).map(|_| Hand::new(rig.pool.acquire())).collect();
    waiters.iter_mut().for_each(Hand::pending);
    assert_eq!(rig.pool.stats().waiting, AT_ONCE);
    while !waiters.is_empty() {
        let middle = waiters.len() / 2;
        drop(waiters.swap_remove(middle));
    }
    assert_eq!(rig.pool.stats().waiting, 0);
}

/// `blackbeam/mysql_async` dc78d2d, golang/go 4f6d4bb, jackc/puddle 69a4c02: cancelled waiters, and
/// memory that they had needed, piled up.
#[test]
fn m69_a_million_cancelled_waiters_leave_no_memory_behind() {
    let rig = Rig::new(PoolConfig { max_open: 1, max_waiters: AT_ONCE, ..PoolConfig::default() });
    let held = rig.acquire();
    // What is kept for reuse, however many wait at a time.
    let mut few: Vec<_> = (0..1000).map(|_| rig.waiter()).collect();
    few.clear();
    let cancelled = rig.pool.stats().acquires.cancelled;
    for _ in 0..10 {
        let crowd = measure(|| cancel_a_crowd(&rig));
        assert!(crowd.bytes_max > 10_000_000, "there was something to give back: {crowd:?}");
        assert!(crowd.bytes_current <= 0, "{} bytes left", crowd.bytes_current);
    }
    assert_eq!(rig.pool.stats().acquires.cancelled - cancelled, 1_000_000);
    drop(held);
    rig.audit(0);
}

/// The same where their deadlines had been sorted into the queue of timers.
#[test]
fn m69_nor_do_those_whose_deadlines_were_filed() {
    let rig =
        Rig::new(PoolConfig { max_open: 1, max_waiters: AT_ONCE + 1, ..PoolConfig::default() });
    let _held = rig.acquire();
    let crowd = measure(|| {
        let mut first = Hand::new(rig.pool.acquire_within(MS));
        first.pending();
        cancel_a_crowd_behind(&rig, &mut first);
    });
    assert!(crowd.bytes_current <= 4096, "{} bytes left", crowd.bytes_current);
    rig.sim.advance(60 * SEC);
    assert_eq!(rig.pool.stats().acquires.timed_out, 1);
}

fn cancel_a_crowd_behind(rig: &Rig, first: &mut Hand<'_, crate::rig::Acquired<'_>>) {
    let mut waiters: Vec<_> = (0..AT_ONCE).map(|_| Hand::new(rig.pool.acquire())).collect();
    waiters.iter_mut().for_each(Hand::pending);
    rig.sim.advance(MS);
    assert!(first.ready().expect_err("its deadline").is_timeout());
    drop(waiters);
    assert_eq!(rig.pool.stats().waiting, 0);
}
