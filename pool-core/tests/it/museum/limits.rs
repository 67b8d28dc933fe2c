//! Limits at their ends.

use pool_core::{AcquireErrorKind, PoolConfig, Steering};
use pool_testkit::{Answer, Call, Hand};

use crate::rig::{MS, Rig, SEC};

const CROWD: usize = 1 << 17;

/// deadpool-rs/deadpool#199, jackc/pgx#2379, npgsql/npgsql#2508: sums with the largest maximum
/// overflowed, a count went below zero when opening failed, the number of waiters outgrew its
/// field.
#[test]
fn m67_the_smallest_and_the_largest_maximum_serve_a_crowd_though_connects_fail_first() {
    for max_open in [1, u32::MAX as usize, usize::MAX] {
        let rig = Rig::new(PoolConfig {
            max_open,
            max_idle: max_open,
            max_waiters: usize::MAX - 1,
            max_opening: 1000,
            outage_grace: None,
            ..PoolConfig::default()
        });
        // It is the waiters that are many.
        rig.pool.control().steer(Steering::opening_up_to(50));
        rig.server.next(Call::Connect, &[Answer::Error, Answer::Panic, Answer::Error]);
        rig.server.always(Call::Connect, Answer::Late(MS));
        let mut waiters: Vec<_> = (0..CROWD).map(|_| Hand::new(rig.pool.acquire())).collect();
        waiters.iter_mut().for_each(Hand::pending);
        assert_eq!(rig.pool.stats().waiting, CROWD, "{max_open}");
        rig.sim.advance(2 * SEC);
        rig.audit(rig.pool.stats().in_use);
        for mut waiter in waiters {
            let served = loop {
                match waiter.poll_if_woken() {
                    std::task::Poll::Ready(served) => break served,
                    std::task::Poll::Pending => rig.sim.advance(MS),
                }
            };
            drop(served.expect("served"));
        }
        rig.sim.run();
        rig.audit(0);
        let stats = rig.pool.stats();
        assert!(stats.open_failed >= 3 && stats.open <= max_open, "{stats:?}");
        assert_eq!(stats.acquires.succeeded(), CROWD as u64);
    }
}

/// The same crowd, all past their deadline at once, and the pool is as before.
#[test]
fn m67_a_crowd_whose_deadline_comes_at_once_leaves_the_numbers_at_zero() {
    let rig = Rig::new(PoolConfig {
        max_open: 1,
        max_waiters: CROWD,
        acquire_timeout: SEC,
        ..PoolConfig::default()
    });
    let held = rig.acquire();
    let mut waiters: Vec<_> = (0..CROWD).map(|_| Hand::new(rig.pool.acquire())).collect();
    waiters.iter_mut().for_each(Hand::pending);
    let refused = Hand::new(rig.pool.acquire()).ready().expect_err("one too many");
    assert_eq!(refused.kind(), AcquireErrorKind::QueueFull);
    rig.sim.advance(SEC);
    for waiter in &mut waiters {
        assert_eq!(waiter.wakes(), 1);
        assert!(waiter.ready().expect_err("its deadline").is_timeout());
    }
    drop(held);
    rig.audit(0);
    let stats = rig.pool.stats();
    assert_eq!((stats.waiting, stats.acquires.timed_out), (0, CROWD as u64));
}
