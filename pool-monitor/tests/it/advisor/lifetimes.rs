//! What the advisor says of when connections end.

use std::time::Duration;

use pool_core::PoolConfig;
use pool_monitor::advisor::Rule;
use pool_testkit::{Answer, Call};

use super::{MIN, advice, max_open, only};
use crate::rig::{MS, Rig, SEC};

#[test]
fn connections_that_end_all_at_once_are_to_be_spread() {
    let config = PoolConfig {
        max_lifetime: Some(4 * MIN),
        lifetime_jitter: 0,
        min_idle: 20,
        ..max_open(20)
    };
    let rig = Rig::new(config);
    rig.use_by(6, 20 * MS, 20 * MS);
    rig.sim.advance(3 * MIN);
    assert_eq!(advice(&rig), []);
    rig.sim.advance(2 * MIN);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::LifetimeStampede);
    assert!(text.ends_with("raise lifetime_jitter from 0 % to 20 %"), "{text}");
}

#[test]
fn connections_that_die_before_their_time_are_to_be_closed_earlier() {
    let rig = Rig::new(max_open(4));
    // A balancer between them and the server drops what was silent for a minute; each use comes later.
    for _ in 0..5 {
        drop(rig.acquire());
        rig.sim.advance(MIN + 10 * SEC);
        rig.server.next(Call::Check, &[Answer::Error]);
    }
    drop(rig.acquire());
    rig.sim.advance(SEC);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::LifetimeBeyondServer);
    assert!(
        text.contains("5 idle connections were found dead, none idle for less than 70.0 s"),
        "{text}"
    );
    assert!(
        text.contains("set max_idle_time below its limit, to 56.0 s say, or keepalive"),
        "{text}"
    );
}

/// Used steadily for `used`, then silent for `silent`, and found dead: as often as is asked for.
fn dies_after(rig: &Rig, times: usize, used: Duration, silent: Duration) {
    for _ in 0..times {
        for _ in 0..used.as_secs() / 5 {
            drop(rig.acquire());
            rig.sim.advance(5 * SEC);
        }
        drop(rig.acquire());
        rig.sim.advance(silent);
        rig.server.next(Call::Check, &[Answer::Error]);
    }
    drop(rig.acquire());
    rig.sim.advance(SEC);
}

#[test]
fn of_connections_found_dead_their_silence_counts_and_not_their_age() {
    let config = PoolConfig { max_idle_time: Some(2 * MIN), ..max_open(4) };
    let rig = Rig::new(config);
    dies_after(&rig, 3, 3 * MIN, MIN + 10 * SEC);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::LifetimeBeyondServer);
    assert!(text.contains("set max_idle_time below its limit, to 56.0 s say"), "{text}");
}

#[test]
fn connections_that_may_stay_idle_for_ever_are_to_be_kept_alive() {
    let config = PoolConfig { max_idle_time: Some(40 * SEC), min_idle: 1, ..max_open(1) };
    let rig = Rig::new(config);
    dies_after(&rig, 4, Duration::ZERO, MIN + 10 * SEC);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::LifetimeBeyondServer);
    assert!(text.contains("set keepalive below its limit, to 56.0 s say"), "{text}");
}

#[test]
fn connections_that_die_at_a_certain_age_are_to_be_replaced_before() {
    let rig = Rig::new(max_open(4));
    dies_after(&rig, 3, 4 * MIN, 5 * SEC);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::LifetimeBeyondServer);
    assert!(text.contains("the youngest 245 s old"), "{text}");
    assert!(text.contains("set max_lifetime below its limit, to 196 s say"), "{text}");
}

#[test]
fn a_restart_of_the_server_is_not_taken_for_a_balancer() {
    let rig = Rig::new(PoolConfig { min_idle: 8, ..max_open(8) });
    rig.use_by(2, 20 * MS, 20 * MS);
    rig.sim.advance(3 * MIN);
    rig.server.next(Call::Check, &[Answer::Error; 8]);
    let all: Vec<_> = (0..8).map(|_| rig.acquire()).collect();
    drop(all);
    rig.sim.advance(2 * MIN);
    assert!(rig.view().history.last(Duration::MAX).died.is_some());
    assert_eq!(advice(&rig), []);
}
