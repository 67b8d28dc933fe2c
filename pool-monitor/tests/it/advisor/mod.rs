//! Each rule of the advisor speaks where its condition was brought about by use, and no rule does where a
//! pool is well.

mod adapted;
mod lifetimes;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pool_core::{Capacity, CloseReason, OwnedPoolGuard, PoolConfig, Sources};
use pool_monitor::advisor::Rule;
use pool_monitor::{Advice, Deployment, advise};
use pool_testkit::{Answer, Call, FakeDriver};

use crate::rig::{MS, Rig, SEC};

const MIN: Duration = Duration::from_mins(1);

fn advice(rig: &Rig) -> Vec<Advice> {
    advice_in(rig, &Deployment::default())
}

/// What is advised for one of these; what is to be set can be set, and is not so yet.
fn advice_in(rig: &Rig, deployment: &Deployment) -> Vec<Advice> {
    let view = rig.view();
    let advice = advise(&view, deployment);
    for (name, value) in advice.iter().filter_map(|advice| advice.setting.as_ref()) {
        let resolved = Sources::default().code("advice", name, value).load().resolve();
        let read = resolved.expect("a setting").config().clone();
        let mut config = PoolConfig::clone(&view.config);
        match *name {
            "max_open" => config.max_open = read.max_open,
            "max_idle" => config.max_idle = read.max_idle,
            "max_idle_time" => config.max_idle_time = read.max_idle_time,
            "max_lifetime" => config.max_lifetime = read.max_lifetime,
            "lifetime_jitter" => config.lifetime_jitter = read.lifetime_jitter,
            "keepalive" => config.keepalive = read.keepalive,
            "acquire_timeout" => config.acquire_timeout = read.acquire_timeout,
            "leak_after" => config.leak_after = read.leak_after,
            other => panic!("{other} is advised"),
        }
        assert_ne!(config, *view.config, "{name} = {value}");
        config.validate().expect("can be set");
    }
    advice
}

/// The one piece of advice there is.
#[track_caller]
fn only(rig: &Rig) -> (Rule, String) {
    let advice = advice(rig);
    let [only] = &advice[..] else { panic!("{advice:#?}") };
    (only.rule, only.to_string())
}

fn max_open(max_open: usize) -> PoolConfig {
    PoolConfig { max_open, ..PoolConfig::default() }
}

#[test]
fn a_pool_that_is_well_is_left_alone() {
    let rig = Rig::new(max_open(10));
    rig.use_by(8, 20 * MS, 20 * MS);
    for _ in 0..20 {
        rig.sim.advance(MIN);
        assert_eq!(advice(&rig), []);
    }
}

#[test]
fn an_idle_pool_is_left_alone() {
    let rig = Rig::new(max_open(10));
    drop(rig.acquire());
    rig.sim.advance(20 * MIN);
    assert_eq!(advice(&rig).iter().map(|it| it.rule).collect::<Vec<_>>(), []);
}

#[test]
fn a_max_idle_that_makes_connects_is_to_be_raised() {
    let config = PoolConfig { max_idle: 1, idle_grace: Duration::ZERO, ..max_open(10) };
    let rig = Rig::new(config);
    // All acquire together, all release together.
    rig.use_by(8, 500 * MS, 500 * MS);
    rig.sim.advance(3 * MIN);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::Churn);
    assert!(
        text.ends_with("while never more than 8 in use: raise max_idle to 9 or set idle_grace"),
        "{text}"
    );
    assert!(text.contains("connects/min"), "{text}");
}

#[test]
fn connections_that_are_replaced_too_early_are_to_live_longer() {
    let rig = Rig::new(PoolConfig { max_lifetime: Some(2 * SEC), ..max_open(4) });
    rig.use_by(2, 100 * MS, 100 * MS);
    rig.sim.advance(3 * MIN);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::Churn);
    assert!(
        text.ends_with("connections are replaced after 2.00 s: raise max_lifetime to 20.0 s"),
        "{text}"
    );
}

#[test]
fn connections_replaced_after_a_minute_or_more_are_no_churn() {
    let config = PoolConfig { max_lifetime: Some(MIN), min_idle: 20, ..max_open(20) };
    let rig = Rig::new(config);
    rig.use_by(6, 20 * MS, 20 * MS);
    rig.sim.advance(4 * MIN);
    let recent = rig.view().history.last(2 * MIN);
    assert!(recent.closed.of(CloseReason::Lifetime) >= 20, "{recent:?}");
    assert_eq!(recent.churned(), 0);
    assert!(advice(&rig).iter().all(|advice| advice.rule != Rule::Churn));
}

#[test]
fn churn_that_can_be_mended_is_told_beside_more_that_is_none() {
    let config = PoolConfig {
        max_idle: 60,
        min_idle: 60,
        idle_grace: Duration::ZERO,
        max_lifetime: Some(MIN),
        ..max_open(61)
    };
    let rig = Rig::new(config);
    // At each burst one is opened and closed again.
    rig.use_by(61, SEC, 4 * SEC);
    rig.sim.advance(4 * MIN);
    let closed = rig.view().history.last(2 * MIN).closed;
    let (old, surplus) = (closed.of(CloseReason::Lifetime), closed.of(CloseReason::Surplus));
    assert!(old > surplus && surplus > 20, "{closed:?}");
    let advice = advice(&rig);
    let churn = advice.iter().find(|advice| advice.rule == Rule::Churn).expect("churn");
    assert_eq!(churn.remedy, "raise max_idle to 61 or set idle_grace");
}

#[test]
fn a_pool_whose_waits_grow_while_its_database_has_time_is_too_small() {
    let rig = Rig::new(max_open(10));
    rig.use_by(6, 20 * MS, 10 * MS);
    rig.sim.advance(3 * MIN);
    assert_eq!(advice(&rig), []);
    rig.use_by(30, 20 * MS, 10 * MS);
    rig.sim.advance(3 * MIN);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::PoolTooSmall);
    assert!(
        text.contains("the pool is too small, the database has time: raise max_open to 20"),
        "{text}"
    );
}

#[test]
fn a_pool_too_small_for_longer_than_the_history_is_compared_with_what_it_was_before() {
    let rig = Rig::new(max_open(10));
    rig.use_by(6, 20 * MS, 10 * MS);
    rig.sim.advance(3 * MIN);
    rig.use_by(30, 20 * MS, 10 * MS);
    rig.sim.advance(20 * MIN);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::PoolTooSmall);
    assert!(text.contains("the database has time: raise max_open to 20"), "{text}");
}

#[test]
fn a_pool_that_was_never_calm_is_told_what_to_try() {
    let rig = Rig::new(max_open(10));
    rig.use_by(36, 20 * MS, 10 * MS);
    rig.sim.advance(3 * MIN);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::PoolTooSmall);
    assert!(text.contains("no calmer time is known to compare with"), "{text}");
    assert!(text.contains("or the database saturated: try a max_open of 13,"), "{text}");
}

#[test]
fn a_pool_that_refuses_most_of_those_who_come_is_not_taken_for_a_fast_one() {
    let rig = Rig::new(PoolConfig { max_waiters: 4, ..max_open(4) });
    rig.use_by(2, 20 * MS, 10 * MS);
    rig.sim.advance(3 * MIN);
    assert_eq!(advice(&rig), []);
    rig.use_by(60, 20 * MS, 10 * MS);
    rig.sim.advance(3 * MIN);
    let refused = rig.view().history.last(SEC).acquires.queue_full;
    assert!(refused > 1000, "{refused}");
    assert!(rig.view().snapshot.wait_p50() >= 10 * MS);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::PoolTooSmall);
    assert!(text.contains("the queue was full for "), "{text}");
    assert!(text.contains("raise max_open to 8"), "{text}");
}

#[test]
fn a_pool_without_a_queue_is_too_small_if_it_refuses() {
    let rig = Rig::new(PoolConfig { max_waiters: 1, ..max_open(4) });
    rig.use_by(2, 20 * MS, 10 * MS);
    rig.sim.advance(3 * MIN);
    rig.use_by(8, 20 * MS, 10 * MS);
    rig.sim.advance(3 * MIN);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::PoolTooSmall);
    assert!(text.contains("the queue was full for "), "{text}");
}

#[test]
fn a_database_that_is_slower_with_more_connections_gets_no_more_of_them() {
    let rig = Rig::new(max_open(32));
    // Four at a time are served at once; more share what there is.
    let in_use = Arc::new(AtomicUsize::new(0));
    let users = |count: usize| {
        for _ in 0..count {
            let (pool, sim, in_use) = (rig.pool.clone(), rig.sim.clone(), in_use.clone());
            rig.sim.spawn(async move {
                loop {
                    let guard = pool.acquire().await;
                    let together = in_use.fetch_add(1, Ordering::Relaxed) + 1;
                    sim.sleep(10 * MS * (together.div_ceil(4) as u32)).await;
                    in_use.fetch_sub(1, Ordering::Relaxed);
                    drop(guard);
                    sim.sleep(MS).await;
                }
            });
        }
    };
    users(4);
    rig.sim.advance(3 * MIN);
    assert_eq!(advice(&rig), []);
    users(60);
    rig.sim.advance(3 * MIN);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::DatabaseSaturated);
    assert!(
        text.contains("more connections will not help: lower max_open to 6 (4 serve the present "),
        "{text}"
    );
}

#[test]
fn a_connection_that_is_not_given_back_is_named_by_its_call_site() {
    let rig = Rig::new(PoolConfig { leak_after: Some(MIN), ..max_open(10) });
    rig.use_by(8, 20 * MS, 20 * MS);
    let line = line!() + 1;
    let leaked = rig.sim.block_on(rig.pool.acquire()).expect("acquired");
    rig.sim.advance(3 * MIN);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::LeakSuspected);
    let site = format!("{}:{line}", file!());
    assert!(text.contains(&site), "{text}");
    drop(leaked);
}

#[test]
fn without_leak_after_what_is_held_far_longer_than_all_others_is_named() {
    let rig = Rig::new(max_open(10));
    rig.use_by(8, 20 * MS, 20 * MS);
    let leaked = rig.sim.block_on(rig.pool.acquire()).expect("acquired");
    rig.sim.advance(3 * MIN);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::LeakSuspected);
    assert!(text.contains("set leak_after to 10.0 s"), "{text}");
    drop(leaked);
}

#[test]
fn acquires_that_give_up_before_a_connect_ends_are_to_wait_longer() {
    let config = PoolConfig {
        acquire_timeout: 100 * MS,
        max_idle: 0,
        idle_grace: Duration::ZERO,
        ..max_open(4)
    };
    let rig = Rig::new(config);
    rig.server.always(Call::Connect, Answer::Late(300 * MS));
    rig.use_by(2, MS, 10 * SEC);
    rig.sim.advance(3 * MIN);
    let advice = advice(&rig);
    assert_eq!(advice[0].rule, Rule::DeadlineBeforeConnect, "{advice:#?}");
    let text = advice[0].to_string();
    assert!(text.contains("cannot succeed: raise acquire_timeout to 1.00 s"), "{text}");
}

#[test]
fn more_connections_than_the_server_allows_are_too_many() {
    let rig = Rig::new(max_open(50));
    rig.use_by(30, 20 * MS, 20 * MS);
    rig.sim.advance(3 * MIN);
    let mut capacity = Capacity::new(100);
    (capacity.reserved, capacity.in_use) = (3, 60);
    let of = |replicas| Deployment { replicas, capacity: Some(capacity) };
    assert_eq!(advice_in(&rig, &of(1)), []);
    let advice = advice_in(&rig, &of(4));
    let [Advice { rule: Rule::ServerLimitNear, .. }] = advice[..] else { panic!("{advice:#?}") };
    let expected = "pool fake: 4 replicas of up to 50 connections are 200, and the server allows 97 \
                    (max_connections 100 less 3 reserved), of which 60 are taken now: lower max_open to 24, \
                    or raise the server's limit";
    assert_eq!(advice[0].to_string(), expected);
}

#[test]
fn others_who_are_connected_leave_less_of_the_servers_limit() {
    let rig = Rig::new(max_open(50));
    rig.use_by(30, 20 * MS, 20 * MS);
    rig.sim.advance(3 * MIN);
    let mut capacity = Capacity::new(100);
    (capacity.in_use, capacity.in_use_here) = (90, Some(30));
    let advice = advice_in(&rig, &Deployment { replicas: 1, capacity: Some(capacity) });
    let [Advice { rule: Rule::ServerLimitNear, evidence, remedy, .. }] = &advice[..] else {
        panic!("{advice:#?}")
    };
    assert!(evidence.ends_with("of which 60 are taken by others"), "{evidence}");
    assert!(remedy.starts_with("lower max_open to 40,"), "{remedy}");
}

/// Ten connections, well used; then nine are not given back.
fn leaking(config: PoolConfig) -> (Rig, Vec<OwnedPoolGuard<FakeDriver>>) {
    let rig = Rig::new(config);
    rig.use_by(6, 20 * MS, 10 * MS);
    rig.sim.advance(3 * MIN);
    let leaked = (0..9).map(|_| rig.acquire()).collect();
    (rig, leaked)
}

#[test]
fn a_pool_whose_connections_are_not_given_back_is_not_too_small() {
    let (rig, leaked) = leaking(max_open(10));
    // Who is left waits all the longer, long before anything is held for so long that it is a leak.
    rig.use_by(20, 20 * MS, 10 * MS);
    for seconds in [70, 45, 45] {
        rig.sim.advance(seconds * SEC);
        let rules: Vec<_> = advice(&rig).iter().map(|advice| advice.rule).collect();
        assert!(!rules.contains(&Rule::PoolTooSmall), "{rules:?}");
    }
    assert_eq!(only(&rig).0, Rule::LeakSuspected);
    drop(leaked);
}

#[test]
fn beside_a_leak_nobody_is_told_of_a_pool_too_small() {
    let rig = Rig::new(PoolConfig { leak_after: Some(MIN), ..max_open(10) });
    rig.use_by(6, 20 * MS, 10 * MS);
    rig.sim.advance(3 * MIN);
    let leaked = rig.acquire();
    rig.use_by(30, 20 * MS, 10 * MS);
    rig.sim.advance(3 * MIN);
    assert_eq!(only(&rig).0, Rule::LeakSuspected);
    drop(leaked);
}

#[test]
fn a_pool_too_small_is_raised_no_further_than_the_server_has_room() {
    let rig = Rig::new(max_open(10));
    rig.use_by(6, 20 * MS, 10 * MS);
    rig.sim.advance(3 * MIN);
    rig.use_by(30, 20 * MS, 10 * MS);
    rig.sim.advance(3 * MIN);
    let of = |max_connections| {
        let capacity = Some(Capacity::new(max_connections));
        let advice = advice_in(&rig, &Deployment { replicas: 2, capacity });
        advice.into_iter().map(|advice| (advice.rule, advice.remedy)).collect::<Vec<_>>()
    };
    let [(Rule::PoolTooSmall, remedy)] = &of(26)[..] else { panic!("{:#?}", of(26)) };
    assert!(remedy.ends_with("raise max_open to 13"), "{remedy}");
    assert_eq!(of(20), []);
    let [(Rule::ServerLimitNear, _)] = of(16)[..] else { panic!("{:#?}", of(16)) };
}

#[test]
fn a_pool_of_which_a_quarter_of_an_hour_uses_little_is_oversized() {
    let rig = Rig::new(max_open(40));
    rig.use_by(3, 20 * MS, 20 * MS);
    rig.sim.advance(14 * MIN);
    assert_eq!(advice(&rig), []);
    rig.sim.advance(2 * MIN);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::Oversized);
    assert!(text.contains("never more than 3 of 40 connections in use"), "{text}");
    assert!(text.contains("lower max_open to 6"), "{text}");
}

#[test]
fn a_pool_that_is_used_by_day_is_not_oversized_at_night() {
    let rig = Rig::new(max_open(40));
    let all: Vec<_> = (0..38).map(|_| rig.acquire()).collect();
    drop(all);
    rig.use_by(3, 20 * MS, 20 * MS);
    rig.sim.advance(40 * MIN);
    assert_eq!(rig.view().history.last(Duration::MAX).in_use.max, 3);
    assert_eq!(advice(&rig), []);
}

#[test]
fn an_oversized_pool_keeps_room_for_its_min_idle() {
    let rig = Rig::new(PoolConfig { min_idle: 10, ..max_open(40) });
    rig.use_by(3, 20 * MS, 20 * MS);
    rig.sim.advance(16 * MIN);
    let (rule, text) = only(&rig);
    assert_eq!(rule, Rule::Oversized);
    assert!(text.contains("lower max_open to 10"), "{text}");
}

#[test]
fn a_limit_below_min_idle_is_told_and_not_set() {
    let rig = Rig::new(PoolConfig { min_idle: 30, ..max_open(50) });
    rig.use_by(30, 20 * MS, 20 * MS);
    rig.sim.advance(3 * MIN);
    let deployment = Deployment { replicas: 4, capacity: Some(Capacity::new(100)) };
    let advice = advice_in(&rig, &deployment);
    let [Advice { rule: Rule::ServerLimitNear, remedy, setting: None, .. }] = &advice[..] else {
        panic!("{advice:#?}")
    };
    assert!(remedy.starts_with("lower max_open to 25, and min_idle with it, or"), "{remedy}");
}

#[test]
fn times_are_advised_in_whole_seconds_the_same_in_words_and_as_a_setting() {
    let config = PoolConfig { max_lifetime: Some(162 * MS), lifetime_jitter: 0, ..max_open(4) };
    let rig = Rig::new(config);
    rig.use_by(2, 100 * MS, 100 * MS);
    rig.sim.advance(3 * MIN);
    let advice = advice(&rig);
    let churn = advice.iter().find(|advice| advice.rule == Rule::Churn).expect("churn");
    assert!(churn.remedy.ends_with("raise max_lifetime to 2.00 s"), "{churn}");
    assert_eq!(churn.setting, Some(("max_lifetime", "2s".to_owned())));
}
