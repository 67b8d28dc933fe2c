//! Small crowds at a pool under very many schedules, by shuttle: half of them drawn at random, half
//! with few preemptions in random places (PCT), which find what takes a certain order of a few
//! steps. What a crowd does is drawn by the same generator, so a schedule replays as a whole.
//!
//! A crowd ends with every user gone and the pool closed; a thread that sleeps for good is a
//! deadlock, which shuttle reports.

use std::env;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use pool_core::{AcquireError, AcquireErrorKind, PoolConfig, Steering};
use shuttle::rand::{Rng as _, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config, Runner, replay};

use crate::rig::{MS, ModelGuard, ModelPool, PATIENCE, Rig, config};
use crate::runtime::{block_on, poll_once};

/// Preemptions in a schedule of PCT. Two are enough for the races known from other pools.
const DEPTH: usize = 3;

/// Runs `crowd` under as many schedules as `POOL_SCHEDULES` says, from the seed `POOL_SEED`, or under
/// the one in `POOL_REPLAY`.
fn explore(crowd: fn()) {
    if let Ok(schedule) = env::var("POOL_REPLAY") {
        return replay(crowd, &schedule);
    }
    let schedules = setting("POOL_SCHEDULES", 1_000_usize);
    let seed = setting("POOL_SEED", 0_u64);
    let mut config = Config::new();
    // It warns that atomics are sequentially consistent here. Loom's are not.
    config.silence_warnings = true;
    let random = RandomScheduler::new_from_seed(seed, schedules.div_ceil(2));
    Runner::new(random, config.clone()).run(crowd);
    let few_preemptions = PctScheduler::new_from_seed(seed, DEPTH, (schedules / 2).max(1));
    Runner::new(few_preemptions, config).run(crowd);
}

fn setting<T: FromStr>(name: &str, default: T) -> T {
    let Ok(text) = env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name}={text}: not a number"))
}

/// A thread that comes for a connection twice, each time in another way. `accept` judges an acquire
/// that fails.
fn user(pool: &ModelPool, timeout: Option<Duration>, accept: fn(&AcquireError)) -> JoinHandle<()> {
    let pool = pool.clone();
    thread::spawn(move || {
        for _ in 0..2 {
            let mut acquire = match timeout {
                Some(timeout) => pool.acquire_owned_within(timeout),
                None => pool.acquire_owned(),
            };
            let leaves = thread_rng().gen_range(0..3) == 0;
            let outcome = if leaves {
                let first = poll_once(&mut acquire);
                thread::yield_now();
                first
            } else {
                Poll::Ready(block_on(&mut acquire))
            };
            drop(acquire);
            match outcome {
                Poll::Ready(Ok(guard)) => hold(guard),
                Poll::Ready(Err(error)) => accept(&error),
                Poll::Pending => {}
            }
        }
    })
}

fn hold(mut guard: ModelGuard) {
    assert!(!guard.dirty, "a connection that was not reset");
    match thread_rng().gen_range(0..4) {
        0 => guard.dirty = true,
        1 => ModelGuard::discard(guard),
        2 => thread::yield_now(),
        _ => {}
    }
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("a thread that does not panic");
    }
}

fn no_error(error: &AcquireError) {
    panic!("an acquire failed: {error}");
}

fn closed(error: &AcquireError) {
    assert!(error.is_closed(), "{error}");
}

/// Its runtime took the worker and dropped it before anybody looked.
fn no_runtime(error: &AcquireError) {
    assert_eq!(error.kind(), AcquireErrorKind::NoRuntime, "{error}");
}

fn timed_out(error: &AcquireError) {
    assert!(error.is_timeout(), "{error}");
}

#[test]
fn users_who_come_and_leave_at_any_moment_are_served_and_lose_nothing() {
    explore(|| {
        let rig = Rig::new(config(2));
        join([(); 3].map(|()| user(&rig.pool, None, no_error)));
        rig.keeps_to_its_size();
        rig.finish();
    });
}

#[test]
fn settings_that_change_at_any_moment_leave_nobody_waiting() {
    explore(|| {
        let rig = Rig::with_idle(config(2));
        let users = [(); 2].map(|()| user(&rig.pool, None, no_error));
        let control = rig.pool.control();
        for _ in 0..3 {
            match thread_rng().gen_range(0..5) {
                0 => drop(control.invalidate()),
                1 => control.pause(),
                2 => control.steer(Steering {
                    max_open: NonZeroUsize::new(thread_rng().gen_range(0..3)),
                    ..Steering::opening_up_to(thread_rng().gen_range(0..2))
                }),
                _ => {
                    let size = thread_rng().gen_range(1..4);
                    control.reconfigure(config(size)).expect("valid");
                }
            }
            thread::yield_now();
        }
        control.steer(Steering::default());
        control.resume();
        join(users);
        rig.finish();
    });
}

#[test]
fn a_pool_closed_at_any_moment_lets_go_of_everything() {
    explore(|| {
        let rig = Rig::with_idle(config(2));
        let users = [(); 3].map(|()| user(&rig.pool, None, closed));
        let report = block_on(rig.pool.close(Duration::MAX));
        assert!(report.drained, "{report}");
        join(users);
        rig.finish();
    });
}

#[test]
fn a_pool_whose_last_handle_goes_at_any_moment_lets_go_of_everything() {
    explore(|| {
        let rig = Rig::with_idle(config(2));
        let users = [(); 3].map(|()| user(&rig.pool, None, no_error));
        let (pool, after) = rig.let_go();
        drop(pool);
        join(users);
        after.look();
    });
}

#[test]
fn deadlines_and_ages_that_come_at_any_moment_lose_nothing() {
    explore(|| {
        let rig = Rig::with_idle(PoolConfig {
            check_after_idle: Some(Duration::ZERO),
            idle_grace: MS,
            max_idle: 1,
            max_idle_time: Some(20 * MS),
            keepalive: Some(10 * MS),
            max_lifetime: Some(1000 * MS),
            ..config(2)
        });
        let users = [(); 3].map(|()| user(&rig.pool, Some(10 * MS), timed_out));
        let runtime = Arc::clone(&rig.runtime);
        let time = thread::spawn(move || {
            for _ in 0..3 {
                let ahead = [0, 1, 10, 100][thread_rng().gen_range(0..4)];
                runtime.clock().look_ahead(ahead * MS);
                thread::yield_now();
            }
            runtime.clock().look_ahead(Duration::MAX);
        });
        join(users.into_iter().chain([time]));
        rig.finish();
    });
}

#[test]
fn a_worker_lost_at_any_moment_is_replaced() {
    explore(|| {
        let rig = Rig::new(config(2));
        rig.runtime.doom_the_next_task();
        join([(); 3].map(|()| user(&rig.pool, None, no_runtime)));
        // Only the first worker was to be lost.
        drop(block_on(rig.pool.acquire_owned()).expect("served by another one"));
        rig.finish();
    });
}

#[test]
fn a_worker_given_up_at_any_moment_touches_nothing_and_loses_nobody() {
    explore(|| {
        let rig = Rig::new(PoolConfig { check_after_idle: Some(Duration::ZERO), ..config(2) });
        rig.runtime.belongs_to_its_threads();
        let users = [(); 3].map(|()| user(&rig.pool, None, no_error));
        let runtime = Arc::clone(&rig.runtime);
        let time = thread::spawn(move || {
            for _ in 0..3 {
                runtime.clock().look_ahead(PATIENCE);
                thread::yield_now();
            }
        });
        join(users.into_iter().chain([time]));
        rig.keeps_to_its_size();
        rig.finish();
    });
}

#[test]
fn m45_m49_with_statistics_asked_at_any_moment_users_and_spares_keep_to_the_maximum() {
    explore(|| {
        let rig = Rig::new(PoolConfig { min_idle: 1, ..config(2) });
        let users = [(); 2].map(|()| user(&rig.pool, None, no_error));
        for _ in 0..4 {
            rig.keeps_to_its_size();
            thread::yield_now();
        }
        join(users);
        rig.keeps_to_its_size();
        rig.finish();
    });
}
