//! Starvation: somebody waits while others who came later are served.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use allocation_counter::measure;
use pool_core::PoolConfig;
use pool_testkit::{Hand, Sim};

use super::lost_wakeups::AskedForTheTime;
use crate::promptly::promptly;
use crate::rig::{FakePool, Rig, SEC};

/// golang/go#31708, #50358, hyperium/hyper-util b88c774, launchbadge/sqlx 8c2acaa2: waiters were
/// served in random order, newest first, or after newcomers; the unlucky waited for minutes.
#[test]
fn m43_a_thousand_waiters_are_served_in_their_order_while_newcomers_keep_coming() {
    Sim::for_each_seed(0..10, |sim| {
        let rig = Rig::in_sim(sim, PoolConfig { max_open: 3, ..PoolConfig::default() });
        let mut held = VecDeque::from(rig.acquire_many(3));
        let mut waiters: VecDeque<_> = (0..1000).map(|_| rig.waiter()).collect();
        for _ in 0..1500 {
            drop(held.pop_front());
            sim.run();
            let woken: Vec<_> = waiters.iter().map(Hand::wakes).collect();
            assert_eq!(woken.iter().sum::<usize>(), 1, "one release wakes one waiter");
            assert_eq!(woken[0], 1, "and that is the one that waits longest");
            let mut first = waiters.pop_front().expect("a thousand");
            held.push_back(first.ready().expect("served"));
            waiters.push_back(rig.waiter());
        }
    });
}

/// Takes a connection and gives it back whenever the time is asked for, and counts how often.
fn disturb(runtime: &Arc<AskedForTheTime>, pool: FakePool, asked: Arc<AtomicUsize>) {
    let next = Arc::clone(runtime);
    *runtime.code.lock() = Some(Box::new(move || {
        asked.fetch_add(1, Ordering::Relaxed);
        drop(pool.try_acquire().expect("idle"));
        disturb(&next, pool, asked);
    }));
}

/// launchbadge/sqlx#1901: to ask for the number of idle connections spun for ever under load.
#[test]
fn m45_statistics_are_had_at_one_look_although_everything_changes_meanwhile() {
    promptly(|| {
        let sim = Sim::new(1);
        let (_server, runtime, pool) = AskedForTheTime::pool(&sim, 1);
        drop(sim.block_on(pool.acquire()).expect("served"));
        let asked = Arc::new(AtomicUsize::new(0));
        let before = pool.stats();
        // Asking for the time is all that a look at the pool does outside the lock.
        disturb(&runtime, pool.clone(), Arc::clone(&asked));
        for looks in 1..=100 {
            let stats = pool.stats();
            assert_eq!((stats.idle, stats.in_use), (1, 0));
            assert_eq!(stats.acquires.immediate, before.acquires.immediate + looks as u64);
            assert_eq!(asked.load(Ordering::Relaxed), looks);
        }
        // It holds the runtime, which holds it.
        *runtime.code.lock() = None;
    });
}

/// The same, as far as it is about what is done and not about what is waited for.
#[test]
fn m45_statistics_allocate_nothing_and_wake_nobody_however_many_wait() {
    let rig = Rig::with_max_open(2);
    let held = rig.acquire_many(2);
    let mut waiters = Vec::new();
    for waiting in [0, 1, 100, 10_000] {
        waiters.resize_with(waiting, || rig.waiter());
        let fired = rig.sim.timers_fired();
        let before = rig.pool.stats();
        assert_eq!((before.waiting, before.in_use), (waiting, 2));
        let asked = measure(|| {
            for _ in 0..100 {
                assert_eq!(rig.pool.stats(), before);
            }
        });
        assert_eq!(asked.count_total, 0, "a copy under the lock, of nothing that grows");
        assert_eq!(rig.pool.control().stats(), before);
        assert!(!rig.sim.run_one(), "the worker has nothing to do");
        assert_eq!(rig.sim.timers_fired(), fired);
    }
    assert_eq!(waiters.iter().map(Hand::wakes).sum::<usize>(), 0);
    drop(waiters);
    drop(held);
    rig.sim.advance(SEC);
    rig.audit(0);
}
