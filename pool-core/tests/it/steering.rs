//! What is laid over a configuration, by whoever adapts the pool.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pool_core::{
    CloseReason, Observer, OpenError, OpeningLease, PoolConfig, RecommendedSize, Sizing,
    SizingChanged, Steering,
};
use pool_testkit::{Answer, Call};

use crate::rig::{MS, Rig, SEC};

fn at_most(max_open: usize) -> Steering {
    Steering { max_open: NonZeroUsize::new(max_open), ..Steering::default() }
}

fn until(rig: &Rig, ceiling: usize, lease: Duration) -> Steering {
    let until = Some(rig.pool.control().now().after(lease));
    Steering { opening: Some(OpeningLease { ceiling, until }), ..Steering::default() }
}

#[test]
fn a_pool_that_is_steered_smaller_closes_what_is_idle_now_and_the_rest_on_return() {
    let rig = Rig::with_max_open(5);
    let held = rig.acquire_many(3);
    rig.fill(2);
    let generation = rig.pool.stats().generation;
    rig.pool.control().steer(at_most(2));
    let stats = rig.pool.stats();
    assert_eq!((stats.max_open, stats.max_idle, stats.idle, stats.in_use), (2, 2, 0, 3));
    assert_eq!(stats.generation, generation, "the configuration is what it was");
    drop(held);
    rig.sim.run();
    let stats = rig.pool.stats();
    assert_eq!((stats.open, rig.server.sockets()), (2, 2));
    assert_eq!(stats.closed.of(CloseReason::Surplus), 3);
}

#[test]
fn who_waits_is_served_when_a_pool_is_steered_larger() {
    let rig = Rig::with_max_open(3);
    rig.pool.control().steer(at_most(1));
    let _held = rig.acquire();
    let mut waiter = rig.waiter();
    rig.sim.advance(SEC);
    assert_eq!(rig.server.started(Call::Connect), 1);
    rig.pool.control().steer(at_most(2));
    rig.sim.run();
    drop(waiter.ready().expect("served by a second connection"));
}

#[test]
fn a_new_configuration_leaves_what_is_laid_over_it() {
    let rig = Rig::with_max_open(9);
    let control = rig.pool.control();
    control.steer(Steering { max_idle: Some(1), ..at_most(4) });
    let config = PoolConfig { max_open: 7, max_idle: 7, ..rig.pool.config() };
    rig.pool.reconfigure(config).expect("valid");
    let stats = rig.pool.stats();
    assert_eq!((stats.max_open, stats.max_idle), (4, 1));
    rig.fill(1);
    control.steer(Steering::default());
    let stats = rig.pool.stats();
    assert_eq!((stats.max_open, stats.max_idle, rig.pool.config().max_open), (7, 7, 7));
}

#[test]
fn connections_opened_ahead_are_as_many_as_steered() {
    let rig = Rig::with_max_open(6);
    drop(rig.acquire());
    rig.pool.control().steer(Steering { min_idle: Some(4), ..Steering::default() });
    rig.sim.advance(SEC);
    assert_eq!(rig.pool.stats().idle, 4);
    rig.pool.control().steer(Steering { min_idle: Some(4), max_idle: Some(2), ..at_most(3) });
    rig.sim.advance(SEC);
    assert!(rig.pool.stats().idle >= 2, "{:?}", rig.pool.stats());
}

#[test]
fn once_a_lease_is_over_no_connect_starts_and_existing_connections_stay() {
    let rig = Rig::with_max_open(5);
    rig.fill(2);
    rig.pool.control().steer(until(&rig, 5, 100 * MS));
    let held = rig.acquire_many(3);
    assert_eq!(rig.pool.stats().opening_ceiling, 5);
    rig.sim.advance(100 * MS);
    assert_eq!(rig.pool.stats().opening_ceiling, 0);
    let mut waiter = rig.waiter();
    rig.sim.advance(SEC);
    waiter.pending();
    assert_eq!((rig.pool.stats().open, rig.server.started(Call::Connect)), (3, 3));
    drop(held);
    rig.sim.run();
    drop(waiter.ready().expect("served by one that came back"));
    rig.pool.control().steer(until(&rig, 4, SEC));
    let _all = rig.acquire_many(4);
    assert_eq!(rig.server.started(Call::Connect), 4);
}

#[test]
fn what_is_old_is_not_replaced_once_a_lease_is_over() {
    let rig = Rig::new(PoolConfig {
        max_open: 3,
        min_idle: 2,
        max_lifetime: Some(2 * SEC),
        lifetime_jitter: 0,
        ..PoolConfig::default()
    });
    drop(rig.acquire());
    rig.pool.control().steer(until(&rig, 3, SEC));
    rig.sim.advance(SEC);
    let opened = rig.server.started(Call::Connect);
    rig.sim.advance(10 * SEC);
    assert_eq!((rig.pool.stats().open, rig.server.started(Call::Connect)), (0, opened));
    rig.pool.control().steer(until(&rig, 3, SEC));
    rig.sim.advance(SEC / 2);
    assert!(rig.pool.stats().idle >= 2, "{:?}", rig.pool.stats());
}

#[test]
fn at_the_cap_what_is_old_stays_to_its_end_once_a_lease_is_over() {
    let rig = Rig::new(PoolConfig {
        max_open: 2,
        min_idle: 2,
        max_lifetime: Some(20 * SEC),
        lifetime_jitter: 0,
        ..PoolConfig::default()
    });
    drop(rig.acquire_many(2));
    rig.pool.control().steer(until(&rig, 2, SEC));
    rig.sim.advance(20 * SEC - 100 * MS);
    assert_eq!(rig.pool.stats().idle, 2, "nothing may be opened in their place");
    rig.sim.advance(SEC);
    assert_eq!((rig.pool.stats().open, rig.server.started(Call::Connect)), (0, 2));
}

#[test]
fn a_warm_up_beyond_what_is_steered_is_refused_at_once() {
    let rig = Rig::with_max_open(5);
    rig.pool.control().steer(at_most(2));
    let refused = rig.sim.block_on(rig.pool.warm_up(3, SEC)).expect_err("too many");
    assert!(matches!(refused, OpenError::Config(_)), "{refused}");
    rig.sim.block_on(rig.pool.warm_up(2, SEC)).expect("as many as are kept");
}

#[test]
fn a_lease_that_is_renewed_leaves_surplus_its_grace() {
    let rig = Rig::new(PoolConfig { max_open: 4, max_idle: 1, ..PoolConfig::default() });
    rig.fill(3);
    rig.pool.control().steer(until(&rig, 4, SEC));
    assert_eq!(rig.pool.stats().idle, 3);
    rig.pool.control().steer(Steering { max_idle: Some(2), ..at_most(3) });
    assert_eq!(rig.pool.stats().idle, 1, "another size");
}

#[test]
fn a_connect_under_way_is_given_up_when_its_lease_is_over() {
    let rig = Rig::with_max_open(5);
    rig.server.always(Call::Connect, Answer::Never);
    rig.pool.control().steer(until(&rig, 5, SEC));
    let mut waiter = rig.waiter();
    rig.sim.advance(SEC - MS);
    assert_eq!((rig.pool.stats().opening, rig.server.sockets()), (1, 1));
    rig.sim.advance(MS);
    assert_eq!((rig.pool.stats().opening, rig.server.sockets()), (0, 0));
    waiter.pending();
}

#[test]
fn what_is_said_of_a_size_is_told_once_and_changes_none() {
    struct Told(Arc<Mutex<Vec<[Option<usize>; 2]>>>);
    impl Observer for Told {
        fn sizing_changed(&self, event: &SizingChanged<'_>) {
            let size = |sizing: &Sizing| sizing.recommended.as_ref().map(|size| size.max_open);
            self.0.lock().expect("sound").push([event.from, event.to].map(size));
        }
    }
    let rig = Rig::with_max_open(5);
    let control = rig.pool.control();
    let told = Arc::default();
    control.observe(Arc::new(Told(Arc::clone(&told)))).keep();
    assert_eq!(control.sizing(), None);
    let recommended =
        RecommendedSize { max_open: 3, reason: "3 are enough".to_owned(), is_applied: false };
    let sizing = Sizing { recommended: Some(recommended), share: None };
    control.tell_sizing(sizing.clone());
    control.tell_sizing(sizing.clone());
    assert_eq!((control.sizing(), control.stats().max_open), (Some(sizing), 5));
    control.tell_sizing(Sizing::default());
    assert_eq!(*told.lock().expect("sound"), [[None, Some(3)], [Some(3), None]]);
}

#[test]
fn under_a_lease_what_says_goodbye_still_takes_its_place() {
    let rig = Rig::with_max_open(3);
    rig.fill(3);
    rig.pool.control().steer(Steering::opening_up_to(3));
    rig.server.always(Call::Close, Answer::Late(SEC));
    rig.pool.control().invalidate();
    let mut waiters = [rig.waiter(), rig.waiter()];
    rig.sim.advance(SEC - MS);
    assert_eq!((rig.pool.stats().closing, rig.server.sockets()), (3, 3), "no fourth");
    rig.sim.advance(2 * MS);
    let served = waiters.each_mut().map(|waiter| waiter.ready().expect("room by then"));
    assert_eq!(rig.server.most_sockets(), 3);
    drop(served);
}
