//! Two to four threads at the engine's races, in every order with few preemptions, by loom. What a
//! model ends with must hold in each; a thread that sleeps for good is a deadlock, which loom reports.
//!
//! A preemption is a switch away from a thread that could have gone on. Any number of switches where a
//! thread sleeps or ends is tried. Each model has as many preemptions, two or three, as it can
//! have and be over in seconds; the races known from other pools take one or two. What comes before
//! and after the race has one order only.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use loom::thread::{self, JoinHandle};
use pool_core::{Acquire, AcquireErrorKind, CloseReason, PoolConfig};

use crate::driver::ModelDriver;
use crate::rig::{MS, ModelGuard, ModelPool, PATIENCE, Rig, config};
use crate::runtime::{block_on, poll_once};

fn model(preemptions: usize, race: impl Fn() + Send + Sync + 'static) {
    if std::env::var_os("LOOM_LOG").is_some() {
        // One interleaving with its log, which a builder has not; its bounds are in the checkpoint.
        return loom::model(race);
    }
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 10_000;
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    let tried = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&tried);
    builder.expect_explicit_explore = true;
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        race();
    });
    println!("{} interleavings", tried.load(Ordering::Relaxed));
}

/// A pool with one idle connection and a worker that has nothing to do.
fn at_rest(config: PoolConfig) -> Rig {
    let rig = Rig::with_idle(config);
    drop(take(&rig));
    rig
}

/// The one idle connection.
fn take(rig: &Rig) -> ModelGuard {
    rig.pool.try_acquire_owned().expect("an idle connection")
}

/// A connection, however long it takes.
fn acquire(pool: &ModelPool) -> ModelGuard {
    let guard = block_on(pool.acquire_owned()).expect("served");
    assert!(!guard.dirty, "a connection that was not reset");
    guard
}

/// An acquire that was looked at once, and waits.
fn waiting(pool: &ModelPool) -> Acquire<ModelDriver, ModelPool> {
    let mut acquire = pool.acquire_owned();
    assert!(poll_once(&mut acquire).is_pending());
    acquire
}

/// The race is over: what is left has one order only.
fn finish(rig: Rig) {
    loom::stop_exploring();
    rig.finish();
}

/// A thread that acquires, waiting as long as it takes, and lets go.
fn user(pool: &ModelPool) -> JoinHandle<()> {
    let pool = pool.clone();
    thread::spawn(move || drop(acquire(&pool)))
}

/// A thread that lets go of what it is given.
fn dropper(what: impl Send + 'static) -> JoinHandle<()> {
    thread::spawn(move || drop(what))
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("a thread that does not panic");
    }
}

#[test]
fn m01_a_release_while_a_waiter_comes_serves_it() {
    model(3, || {
        let rig = at_rest(config(1));
        let held = take(&rig);
        loom::explore();
        let user = user(&rig.pool);
        drop(held);
        join([user]);
        assert_eq!(rig.pool.stats().opened, 1);
        finish(rig);
    });
}

#[test]
fn m04_m05_a_connection_handed_to_a_waiter_that_leaves_goes_to_the_next() {
    model(2, || {
        let rig = Rig::with_idle(config(1));
        let held = take(&rig);
        let first = waiting(&rig.pool);
        loom::explore();
        let threads = [dropper(held), user(&rig.pool)];
        drop(first);
        join(threads);
        assert_eq!(rig.pool.stats().acquires.cancelled, 1);
        finish(rig);
    });
}

#[test]
fn a_waiter_that_looks_once_more_before_it_leaves_takes_what_it_was_handed() {
    model(2, || {
        let rig = Rig::with_idle(config(1));
        let held = take(&rig);
        let mut first = waiting(&rig.pool);
        loom::explore();
        let threads = [dropper(held), user(&rig.pool)];
        if let Poll::Ready(served) = poll_once(&mut first) {
            drop(served.expect("served"));
        }
        drop(first);
        join(threads);
        finish(rig);
    });
}

#[test]
fn a_waiter_that_changes_its_task_while_a_connection_comes_is_woken() {
    model(3, || {
        let rig = Rig::with_idle(config(1));
        let held = take(&rig);
        let waiter = waiting(&rig.pool);
        loom::explore();
        let dropper = dropper(held);
        drop(block_on(waiter).expect("served"));
        join([dropper]);
        finish(rig);
    });
}

#[test]
fn m50_a_connect_that_ends_while_the_pool_closes_is_closed() {
    model(2, || {
        let rig = Rig::new(config(1));
        loom::explore();
        let pool = rig.pool.clone();
        let user = thread::spawn(move || match block_on(pool.acquire_owned()) {
            Ok(guard) => drop(guard),
            Err(error) => assert!(error.is_closed(), "{error}"),
        });
        let report = block_on(rig.pool.close(1000 * MS));
        assert!(report.drained, "{report}");
        join([user]);
        finish(rig);
    });
}

#[test]
fn m49_a_release_while_the_pool_shrinks_leaves_no_more_than_its_new_size() {
    model(2, || {
        let rig = Rig::with_idle(config(2));
        let held = (take(&rig), acquire(&rig.pool));
        loom::explore();
        let droppers = [dropper(held.0), dropper(held.1)];
        rig.pool.reconfigure(config(1)).expect("valid");
        join(droppers);
        let stats = rig.pool.stats();
        assert_eq!((stats.open, stats.idle), (1, 1), "{stats:?}");
        assert_eq!(stats.closed.of(CloseReason::Surplus), 1);
        finish(rig);
    });
}

#[test]
fn m49_a_release_while_the_pool_grows_opens_no_more_than_its_new_size() {
    model(2, || {
        let rig = Rig::with_idle(config(1));
        let held = take(&rig);
        let waiters = [(); 2].map(|()| waiting(&rig.pool));
        loom::explore();
        let dropper = dropper(held);
        rig.pool.reconfigure(config(2)).expect("valid");
        rig.keeps_to_its_size();
        for waiter in waiters {
            drop(block_on(waiter).expect("served"));
        }
        rig.keeps_to_its_size();
        join([dropper]);
        finish(rig);
    });
}

#[test]
fn m13_a_deadline_that_passes_while_a_connection_comes_loses_neither() {
    model(2, || {
        let rig = Rig::with_idle(config(1));
        let held = take(&rig);
        loom::explore();
        let pool = rig.pool.clone();
        let hurried = thread::spawn(move || match block_on(pool.acquire_owned_within(MS)) {
            Ok(guard) => drop(guard),
            Err(error) => assert!(error.is_timeout(), "{error}"),
        });
        rig.runtime.clock().look_ahead(MS);
        drop(held);
        drop(acquire(&rig.pool));
        join([hurried]);
        finish(rig);
    });
}

#[test]
fn m07_an_idle_connection_that_is_retired_while_a_waiter_comes_is_replaced() {
    model(2, || {
        let rig = at_rest(config(1));
        loom::explore();
        let user = user(&rig.pool);
        rig.pool.control().invalidate();
        join([user]);
        finish(rig);
    });
}

#[test]
fn m07_an_idle_connection_that_expires_while_a_waiter_comes_is_replaced() {
    model(3, || {
        let rig = at_rest(PoolConfig { max_idle_time: Some(MS), ..config(1) });
        loom::explore();
        rig.runtime.clock().look_ahead(MS);
        drop(acquire(&rig.pool));
        finish(rig);
    });
}

#[test]
fn a_reset_that_ends_while_a_waiter_comes_serves_it() {
    model(3, || {
        let rig = at_rest(config(1));
        let mut held = take(&rig);
        held.dirty = true;
        loom::explore();
        let user = user(&rig.pool);
        drop(held);
        join([user]);
        finish(rig);
    });
}

#[test]
fn the_last_handle_and_the_last_guard_may_go_at_once() {
    model(3, || {
        let rig = Rig::with_idle(config(1));
        loom::explore();
        let dropper = dropper(take(&rig));
        let (pool, after) = rig.let_go();
        drop(pool);
        join([dropper]);
        after.look();
    });
}

#[test]
fn the_last_handle_may_go_while_a_connect_is_under_way_for_nobody() {
    model(3, || {
        let rig = Rig::new(config(1));
        let waiter = waiting(&rig.pool);
        loom::explore();
        let dropper = dropper(waiter);
        let (pool, after) = rig.let_go();
        drop(pool);
        join([dropper]);
        after.look();
    });
}

#[test]
fn m51_a_waiter_that_comes_while_the_worker_is_lost_starts_another_or_is_told() {
    model(3, || {
        let rig = Rig::new(config(1));
        rig.runtime.doom_the_next_task();
        loom::explore();
        match block_on(rig.pool.acquire_owned()) {
            Ok(guard) => drop(guard),
            Err(error) => assert_eq!(error.kind(), AcquireErrorKind::NoRuntime, "{error}"),
        }
        // Only the first was to be lost.
        drop(acquire(&rig.pool));
        finish(rig);
    });
}

#[test]
fn a_worker_given_up_while_its_connect_ends_touches_nothing() {
    model(2, || {
        let rig = Rig::new(config(2));
        rig.runtime.belongs_to_its_threads();
        let pool = rig.pool.clone();
        let starts_worker = thread::spawn(move || waiting(&pool));
        let first = starts_worker.join().expect("a thread that does not panic");
        rig.runtime.clock().look_ahead(PATIENCE);
        loom::explore();
        // Not the worker's thread: gives it up if it does not run, and starts another.
        drop(acquire(&rig.pool));
        drop(first);
        rig.keeps_to_its_size();
        finish(rig);
    });
}
