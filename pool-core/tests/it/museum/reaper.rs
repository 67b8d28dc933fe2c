//! The reaper: what closes old and idle connections must go on, and must not spin.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pool_core::{CloseReason, ConnectionClosed, Observer, PoolConfig};
use pool_testkit::{Answer, Call, Sim};

use crate::rig::{MS, Rig, SEC};

/// npgsql/npgsql#4193, #4373, #3407: after a restart of the server the timer that closes idle
/// connections was never set again.
#[test]
fn m53_idle_connections_are_still_closed_after_all_of_them_broke_at_once() {
    let rig = Rig::new(PoolConfig {
        max_open: 10,
        min_idle: 1,
        max_idle_time: Some(60 * SEC),
        ..PoolConfig::default()
    });
    let held = rig.acquire_many(10);
    rig.server.sever_all();
    rig.server.next(Call::Connect, &[Answer::Error]);
    drop(held);
    rig.sim.run();
    rig.audit(0);
    let stats = rig.pool.stats();
    assert_eq!((stats.open_failed, stats.closed.of(CloseReason::Broken), stats.idle), (1, 10, 0));
    rig.sim.advance(SEC);
    // It has recovered, and is as a new one.
    for lifetime in 1..=3 {
        drop(rig.acquire_many(10));
        rig.sim.advance(59 * SEC);
        assert!(rig.pool.stats().idle >= 10, "{:?}", rig.pool.stats());
        rig.sim.advance(SEC);
        assert_eq!(rig.pool.stats().idle, 1, "min_idle: {:?}", rig.pool.stats());
        assert!(rig.pool.stats().closed.of(CloseReason::Idle) >= 9 * lifetime);
        rig.audit(0);
    }
}

/// hyperium/hyper-util afd758b, 24714a3: an idle timeout of zero or of a nanosecond made the reaper
/// spin.
#[test]
fn m55_the_shortest_and_the_longest_idle_times_wake_nobody_twenty_times_a_second() {
    let ends = [Duration::from_nanos(1), Duration::MAX];
    let zero = PoolConfig { max_idle_time: Some(Duration::ZERO), ..PoolConfig::default() };
    let problems = zero.validate().expect_err("zero is not a way to switch it off");
    assert_eq!(problems.problems().len(), 1);
    for time in ends {
        for grace in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            for (min_idle, max_idle) in [(0, 3), (1, 3), (1, 1), (0, 0)] {
                let rig = Rig::new(PoolConfig {
                    max_open: 3,
                    min_idle,
                    max_idle,
                    max_idle_time: Some(time),
                    idle_grace: grace,
                    ..PoolConfig::default()
                });
                rig.server.always(Call::Connect, Answer::Late(10 * MS));
                for _ in 0..10 {
                    drop(rig.acquire_many(2));
                    rig.sim.advance(MS);
                    let before = rig.sim.timers_fired();
                    rig.sim.advance(SEC);
                    let fired = rig.sim.timers_fired() - before;
                    assert!(fired <= 20, "{fired} timers in a second: {:?}", rig.pool.config());
                    assert!(rig.pool.stats().idle >= min_idle, "{:?}", rig.pool.config());
                }
            }
        }
    }
}

/// Ages of the connections that were closed for it.
#[derive(Default)]
struct Ages(Mutex<Vec<Duration>>);

impl Observer for Ages {
    fn closed(&self, event: &ConnectionClosed<'_>) {
        assert_eq!(event.reason, CloseReason::Lifetime);
        self.0.lock().push(event.age);
    }
}

/// jackc/pgx 29ad306e: the jitter of the lifetime was none, and one of less than a second was cut
/// down to zero.
#[test]
fn m56_a_jitter_of_a_hundred_milliseconds_spreads_the_ends_evenly_over_them() {
    let ages = Arc::new(Ages::default());
    for seed in 0..400 {
        let config = PoolConfig {
            max_open: 1,
            max_lifetime: Some(SEC),
            lifetime_jitter: 10,
            max_idle_time: None,
            ..PoolConfig::default()
        };
        let rig = Rig::in_sim(&Sim::new(seed), config);
        rig.pool.control().observe(ages.clone()).keep();
        // Held all the time: it ends at its own end, not ahead of it for a replacement.
        let mut held = Some(rig.acquire());
        rig.sim.advance(890 * MS);
        while rig.pool.stats().closed.total() == 0 {
            drop(held.take());
            held = rig.pool.try_acquire().ok();
            rig.sim.advance(MS);
        }
    }
    let ages = ages.0.lock();
    let millis = |age: &Duration| age.as_millis();
    assert!(ages.iter().all(|age| (900..=1001).contains(&millis(age))), "{ages:?}");
    let distinct: BTreeSet<_> = ages.iter().map(millis).collect();
    assert!(distinct.len() >= 90, "of a hundred: {distinct:?}");
    for tenth in 0..10 {
        let from = 900 + 10 * tenth;
        let ended = ages.iter().filter(|age| (from..from + 10).contains(&millis(age))).count();
        assert!((20..=60).contains(&ended), "{ended} of 400 end from {from} ms on");
    }
}

/// jackc/pgx a7cbe744: what a lifetime of zero means was never said: all of them, or none.
#[test]
fn m56_a_lifetime_of_zero_is_an_error_and_none_is_none() {
    let zero = PoolConfig { max_lifetime: Some(Duration::ZERO), ..PoolConfig::default() };
    let error = zero.validate().expect_err("ambiguous");
    assert!(error.to_string().contains("zero is not a way to switch it off"), "{error}");
    let rig =
        Rig::new(PoolConfig { max_lifetime: None, max_idle_time: None, ..PoolConfig::default() });
    rig.fill(1);
    rig.sim.advance(Duration::from_hours(24 * 365));
    assert_eq!(rig.pool.stats().idle, 1);
}
