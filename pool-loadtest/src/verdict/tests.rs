//! What is concluded from which evidence.

use std::time::Duration;

use pool_core::{AcquireErrorKind, AcquirePhase, Problem};

use super::*;

/// Twenty tasks over ten connections, each operation 1 ms, alone and in company.
fn busy_pool() -> Evidence {
    Evidence {
        tasks: 20,
        config: PoolConfig { max_open: 10, ..PoolConfig::default() },
        is_mixed: false,
        cores: 4,
        operations: 100_000,
        errors: 0,
        most_errors: None,
        broken: None,
        saturated: None,
        throughput: 10_000.0,
        wait: 1_000.0,
        service: 1_000.0,
        alone: Some(1_000.0),
        network: Network::default(),
        utilisation: 1.0,
        peak_in_use: 10,
        nested: 0,
        unserved: 0,
        dropped: 0,
        left_out: 0,
        holders: Vec::new(),
        churned: Churned::default(),
    }
}

fn with_max_open(max_open: usize, evidence: Evidence) -> Evidence {
    Evidence { config: PoolConfig { max_open, ..evidence.config }, ..evidence }
}

/// Many tasks fail so.
fn failing(kind: AcquireErrorKind, phase: AcquirePhase) -> Evidence {
    let acquire = Some((kind, phase));
    let most = MostErrors { kind: "it timed out".to_owned(), count: 15_000, acquire };
    Evidence { errors: 20_000, most_errors: Some(most), ..busy_pool() }
}

fn verdict(evidence: &Evidence) -> Verdict {
    Verdict::of(evidence, PoolConfig::validate)
}

/// The limit and what is recommended.
fn judged(evidence: &Evidence) -> (Limit, String) {
    let verdict = verdict(evidence);
    let advice = verdict.recommendation.map(|it| format!("{} = {}", it.field, it.value));
    (verdict.limit, advice.unwrap_or_default())
}

#[track_caller]
fn assert_judged(evidence: &Evidence, limit: Limit, advice: &str) {
    assert_eq!(judged(evidence), (limit, advice.to_owned()));
}

#[test]
fn tasks_that_wait_for_a_database_with_time_to_spare_want_more_connections() {
    assert_judged(&busy_pool(), Limit::Pool, "max_open = 20");
    assert_judged(&Evidence { tasks: 13, ..busy_pool() }, Limit::Pool, "max_open = 13");
    assert_judged(&Evidence { tasks: 1_000, ..busy_pool() }, Limit::Pool, "max_open = 20");
}

#[test]
fn a_database_that_is_slower_in_company_wants_no_more_than_work_at_once() {
    // Ten at a time take 5 ms each where one alone takes 1 ms: two work at once.
    let slowed = Evidence { throughput: 2_000.0, service: 5_000.0, ..busy_pool() };
    assert_judged(&slowed, Limit::Database, "max_open = 3");
    assert_judged(&with_max_open(3, slowed), Limit::Database, "");
}

#[test]
fn fewer_connections_are_never_recommended_without_the_price() {
    let slowed = Evidence { throughput: 2_000.0, service: 5_000.0, ..busy_pool() };
    let Verdict { summary, recommendation, .. } = verdict(&slowed);
    assert!(recommendation.expect("some").effect.contains("throughput may fall too"));
    assert!(summary.contains("in the database or for a core (this machine has 4)"), "{summary}");
}

#[test]
fn a_pool_with_room_to_spare_wants_what_it_used_at_most() {
    let spare = Evidence { wait: 1.0, utilisation: 0.2, peak_in_use: 4, ..busy_pool() };
    assert_judged(&spare, Limit::Idle, "max_open = 4");
}

#[test]
fn a_busy_pool_nobody_waits_for_is_left_as_it_is() {
    assert_judged(&Evidence { wait: 1.0, ..busy_pool() }, Limit::Balanced, "");
}

#[test]
fn a_few_operations_or_nothing_to_compare_with_claim_nothing() {
    for nothing in [
        Evidence { operations: 299, ..busy_pool() },
        Evidence { alone: None, ..busy_pool() },
        Evidence { alone: Some(0.0), ..busy_pool() },
    ] {
        assert_judged(&nothing, Limit::Unknown, "");
    }
    assert_judged(&Evidence { operations: 300, ..busy_pool() }, Limit::Pool, "max_open = 20");
}

#[test]
fn an_unlimited_pool_is_told_no_limit_below_what_it_uses() {
    assert_judged(&with_max_open(PoolConfig::UNLIMITED, busy_pool()), Limit::Pool, "");
    let spare = Evidence { wait: 1.0, utilisation: 0.2, peak_in_use: 4, ..busy_pool() };
    assert_judged(&with_max_open(PoolConfig::UNLIMITED, spare), Limit::Idle, "max_open = 4");
}

#[test]
fn errors_beyond_one_percent_are_the_verdict_and_fewer_are_not() {
    let timeouts = failing(AcquireErrorKind::Timeout, AcquirePhase::Queued);
    let summary = verdict(&timeouts).summary;
    let expected = "20 000 of 120 000 operations failed (17 %); 15 000 of these: it timed out";
    assert_eq!(summary, expected);
    assert_eq!(judged(&Evidence { errors: 1_011, ..timeouts.clone() }).0, Limit::Failing);
    assert_eq!(judged(&Evidence { errors: 1_010, ..timeouts }).0, Limit::Pool);
}

#[test]
fn a_full_queue_wants_room_for_every_task() {
    let mut refused = failing(AcquireErrorKind::QueueFull, AcquirePhase::Start);
    refused.config.max_waiters = 5;
    assert_judged(&refused, Limit::Failing, "max_waiters = 20");
}

#[test]
fn timeouts_want_more_connections_or_where_these_do_not_help_more_time() {
    let timeouts = failing(AcquireErrorKind::Timeout, AcquirePhase::Queued);
    assert_judged(&timeouts, Limit::Failing, "max_open = 20");
    let mut slowed = Evidence { service: 5_000.0, ..timeouts.clone() };
    slowed.config.acquire_timeout = Duration::from_millis(250);
    assert_judged(&slowed, Limit::Failing, "acquire_timeout = 500ms");
    let enough = with_max_open(20, timeouts.clone());
    assert_judged(&enough, Limit::Failing, "acquire_timeout = 1m");
    let stuck = Evidence { operations: 0, ..timeouts };
    assert_judged(&stuck, Limit::Failing, "");
}

#[test]
fn errors_that_no_setting_mends_get_no_recommendation() {
    for (kind, phase) in [
        (AcquireErrorKind::ConnectFailed, AcquirePhase::BackingOff),
        (AcquireErrorKind::Timeout, AcquirePhase::Opening),
        (AcquireErrorKind::Closed, AcquirePhase::Start),
    ] {
        assert_judged(&failing(kind, phase), Limit::Failing, "");
    }
}

#[test]
fn a_setting_the_driver_refuses_is_not_recommended_and_the_reason_is_given() {
    let refuse = |config: &PoolConfig| {
        let problem = Problem::invalid("max_open", "20", "one is all there is", "1");
        if config.max_open > 10 { Err(problem.into()) } else { Ok(()) }
    };
    let verdict = Verdict::of(&busy_pool(), refuse);
    assert_eq!((verdict.limit, verdict.recommendation), (Limit::Pool, None));
    let expected = "max_open = 20 cannot be set: one is all there is";
    assert!(verdict.summary.ends_with(expected), "{}", verdict.summary);
}
