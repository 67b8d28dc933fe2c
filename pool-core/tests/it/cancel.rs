//! An acquire dropped at any await loses no capacity, no connection and no wake-up.

use pool_core::{CloseReason, PoolConfig};
use pool_testkit::{Answer, Call, Hand, Sim};

use crate::rig::{MS, Rig, SEC};

/// Where an acquire is dropped.
#[derive(Clone, Copy, Debug)]
enum At {
    BeforeItsFirstPoll,
    Opening,
    Queued,
    Checking,
    /// Handed a connection, before it looked.
    Delivered,
    /// Failed, before it looked.
    Failed,
}

const EVERYWHERE: [At; 6] =
    [At::BeforeItsFirstPoll, At::Opening, At::Queued, At::Checking, At::Delivered, At::Failed];

#[test]
fn an_acquire_dropped_at_any_await_loses_nothing() {
    for at in EVERYWHERE {
        let rig =
            Rig::new(PoolConfig { max_open: 1, acquire_timeout: SEC, ..PoolConfig::default() });
        drop_an_acquire(&rig, at);
        rig.sim.advance(5 * SEC);
        rig.audit(0);
        let stats = rig.pool.stats();
        assert_eq!((stats.in_use, stats.opening, stats.waiting), (0, 0, 0), "{at:?}");
        // The whole capacity is there, and the next one is served.
        drop(rig.acquire());
        assert_eq!(rig.pool.stats().open, 1, "{at:?}");
        rig.audit(0);
    }
}

fn drop_an_acquire(rig: &Rig, at: At) {
    match at {
        At::BeforeItsFirstPoll => drop(rig.pool.acquire()),
        At::Opening => {
            rig.server.next(Call::Connect, &[Answer::Gate]);
            drop(rig.waiter());
            assert_eq!(rig.server.waiting(Call::Connect), 1, "the connect is the pool's");
            rig.server.open_gate(Call::Connect, Answer::Ok);
        }
        At::Queued => {
            let held = rig.acquire();
            drop(rig.waiter());
            drop(held);
        }
        At::Checking => {
            rig.fill(1);
            rig.sim.advance(SEC);
            rig.server.next(Call::Check, &[Answer::Gate]);
            drop(rig.waiter());
            assert_eq!(rig.server.waiting(Call::Check), 1, "the check is the pool's");
            rig.server.open_gate(Call::Check, Answer::Ok);
        }
        At::Delivered => {
            let held = rig.acquire();
            let waiter = rig.waiter();
            drop(held);
            assert_eq!(waiter.wakes(), 1);
        }
        At::Failed => {
            let _held = rig.acquire();
            let waiter = rig.waiter();
            rig.sim.advance(2 * SEC);
            assert_eq!(waiter.wakes(), 1);
        }
    }
}

#[test]
fn a_connection_handed_to_a_dropped_acquire_goes_to_the_next_in_line() {
    for waiters in 2..6 {
        let rig = Rig::with_max_open(1);
        let held = rig.acquire();
        let mut queue: Vec<_> = (0..waiters).map(|_| rig.waiter()).collect();
        drop(held);
        while queue.len() > 1 {
            assert_eq!(queue[0].wakes(), 1);
            drop(queue.remove(0));
        }
        assert_eq!(queue[0].wakes(), 1, "the wake-up is passed on");
        drop(queue[0].ready().expect("served"));
        rig.audit(0);
    }
}

#[test]
fn a_connection_whose_check_was_cut_short_is_discarded() {
    let rig = Rig::with_max_open(1);
    rig.fill(1);
    rig.sim.advance(SEC);
    rig.server.next(Call::Check, &[Answer::Never]);
    let guard = rig.acquire();
    assert_eq!(guard.id(), 2);
    assert_eq!(rig.server.session(1), None, "its socket is closed");
    assert_eq!(rig.pool.stats().closed.of(CloseReason::CheckFailed), 1);
}

#[test]
fn random_cancellation_under_any_task_order_loses_nothing() {
    Sim::for_each_seed(0..200, |sim| {
        let rig = Rig::in_sim(
            sim,
            PoolConfig { max_open: 3, acquire_timeout: 40 * MS, ..PoolConfig::default() },
        );
        rig.server.always(Call::Connect, Answer::Late(7 * MS));
        let mut rng = fastrand::Rng::with_seed(sim.runtime().seed());
        for round in 0..60_u64 {
            let pool = rig.pool.clone();
            let (patience, hold) = (rng.u64(0..50), rng.u64(0..20));
            let task_sim = sim.clone();
            sim.spawn(async move {
                let mut acquire = Hand::new(pool.acquire_owned());
                if acquire.poll().is_pending() {
                    task_sim.sleep(MS * patience as u32).await;
                }
                if let std::task::Poll::Ready(Ok(mut guard)) =
                    std::hint::black_box(acquire).poll_if_woken()
                {
                    guard.query("select 1").expect("a live connection");
                    task_sim.sleep(MS * hold as u32).await;
                }
            });
            sim.advance(MS * (round % 5) as u32);
        }
        sim.advance(10 * SEC);
        rig.audit(0);
        drop(rig.acquire_many(3));
        rig.audit(0);
    });
}

#[test]
fn a_connection_being_checked_when_its_worker_is_lost_frees_its_place() {
    let rig = Rig::with_max_open(1);
    rig.fill(1);
    rig.sim.advance(SEC);
    rig.server.next(Call::Check, &[Answer::Never]);
    let waiter = rig.waiter();
    rig.sim.shut_down();
    rig.sim.restart();
    drop(waiter);
    drop(rig.acquire());
    rig.audit(0);
}
