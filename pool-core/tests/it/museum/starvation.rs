//! Starvation: somebody waits while others who came later are served.

use std::collections::VecDeque;

use allocation_counter::measure;
use pool_core::PoolConfig;
use pool_testkit::{Hand, Sim};

use crate::rig::{Rig, SEC};

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

/// launchbadge/sqlx#1901: to ask for the number of idle connections spun for ever under load.
#[test]
fn m45_statistics_cost_the_same_however_many_wait_and_change_nothing() {
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
        rig.sim.run();
        assert_eq!(rig.sim.timers_fired(), fired, "nobody is woken by it");
    }
    assert_eq!(waiters.iter().map(Hand::wakes).sum::<usize>(), 0);
    drop(waiters);
    drop(held);
    rig.sim.advance(SEC);
    rig.audit(0);
}
