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
        median: 1_000.0,
        alone: Some(1_000.0),
        began_cold: false,
        network: Network::default(),
        utilisation: 1.0,
        peak_in_use: 10,
        held: Duration::from_secs(100),
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
fn a_pool_that_was_never_in_full_use_is_idle_whatever_a_short_operation_waits() {
    let quiet = Evidence { wait: 50.0, service: 100.0, utilisation: 0.02, ..busy_pool() };
    let never_full = Evidence { peak_in_use: 9, ..quiet.clone() };
    assert_judged(&never_full, Limit::Idle, "max_open = 9");
    let Verdict { summary, would_change, .. } = verdict(&never_full);
    let expected =
        "waiting is 33 % of the response time, but never because all of them were in use";
    assert!(summary.ends_with(expected), "{summary}");
    assert!(!would_change.contains("waiting"), "there is some: {would_change}");
    let bursts = Evidence { peak_in_use: 10, ..quiet };
    assert_eq!(judged(&bursts).0, Limit::Pool, "some waited while all were in use");
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
    // Room to spare needs no comparison.
    let spare = Evidence { wait: 1.0, utilisation: 0.2, peak_in_use: 4, ..busy_pool() };
    let cold = Evidence { alone: None, began_cold: true, ..spare };
    assert_judged(&cold, Limit::Idle, "max_open = 4");
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

/// What is said in full: limit, summary, what would change it, and what to set.
fn said(evidence: &Evidence) -> String {
    let Verdict { limit, summary, would_change, recommendation } = verdict(evidence);
    let advice = recommendation.map(|it| format!("; {} = {}: {}", it.field, it.value, it.effect));
    format!("{}: {summary} ({would_change}{})", limit.name(), advice.unwrap_or_default())
}

/// Every operation wants a second connection while it has one: four connections, eight tasks.
fn deadlocked() -> Evidence {
    let most = MostErrors { kind: "no second connection".to_owned(), count: 40, acquire: None };
    Evidence {
        tasks: 8,
        operations: 0,
        errors: 40,
        most_errors: Some(most),
        nested: 40,
        unserved: 48,
        peak_in_use: 4,
        ..with_max_open(4, busy_pool())
    }
}

/// Each operation of 10 ms has four statements, and the way there and back takes 2 ms.
fn far_away() -> Evidence {
    Evidence {
        wait: 0.0,
        service: 10_500.0,
        alone: Some(10_000.0),
        network: Network { round_trip: Some(2_000.0), statements: Some(4.0) },
        ..busy_pool()
    }
}

/// Ten thousand operations of 1 ms, and connections that take 2 ms to open.
fn churned(churned: Churned) -> Evidence {
    let opening = Duration::from_millis(2) * churned.opened as u32;
    let (churned, held) = (Churned { opening, ..churned }, Duration::from_secs(10));
    Evidence { operations: 10_000, held, churned, ..busy_pool() }
}

#[test]
fn each_diagnosis_says_its_figures_what_would_change_it_and_what_to_set() {
    let idle = Evidence { wait: 1.0, utilisation: 0.2, peak_in_use: 4, ..busy_pool() };
    let slowed = Evidence { throughput: 2_000.0, service: 5_000.0, ..busy_pool() };
    let holders = vec!["src/orders.rs:12 holds 2, longest 3s".to_owned()];
    let left_out = Evidence { left_out: 2, holders, ..busy_pool() };
    let surplus = Churned { opened: 1_210, surplus: 1_200, lifetime: 1, ..Churned::default() };
    let mut churned = churned(surplus);
    churned.config.max_idle = 2;
    for (evidence, expected) in [
        (
            busy_pool(),
            "pool-limited: operations wait for connections: 100 % of these are in use on average, \
             waiting is 50 % of the response time, and once it has one an operation takes no longer \
             than alone (waiting of less than 10 % of the response time, or operations that take \
             twice as long as alone; max_open = 20: waits should fall and throughput rise, until the \
             database is the limit)",
        ),
        (
            slowed,
            "database-limited: operations wait in the database or for a core (this machine has 4): \
             one takes 5.0 times as long as alone. 2 connections at work without a pause could have \
             done all of it; the others wait for each other (operations that take less than twice as \
             long in company as alone; max_open = 3: p99 should fall; throughput may fall too)",
        ),
        (
            idle,
            "idle: the pool has room to spare: 20 % of its connections are in use on average, 4 at \
             most, and waiting is less than 1 % of the response time (a higher load: half of the \
             connections in use, or waiting of 10 % of the response time; max_open = 4: fewer \
             connections to keep; no reserve for a higher peak)",
        ),
        (
            Evidence { wait: 0.0, ..busy_pool() },
            "balanced: in balance: 100 % of the connections are in use on average, and waiting is 0 % \
             of the response time (a higher load, until waiting is 10 % of the response time; or a \
             lower one, until half of the connections are idle)",
        ),
        (
            far_away(),
            "network-limited: operations wait for the way to the database: there and back takes 2.00 \
             ms, an operation has 4.0 statements, and 80 % of the 10.0 ms it takes alone are spent on \
             the way. Fewer statements for each operation, or a database that is nearer, help most \
             (fewer statements for each operation, or a shorter way)",
        ),
        (
            left_out,
            "leak: 2 connections were not given back after the last operation: src/orders.rs:12 holds \
             2, longest 3s. Look for a guard that is kept, or forgotten (every connection given back \
             once its work is done)",
        ),
        (
            churned,
            "churn: connections are not kept: 1 210 were opened for 10 000 operations, in 2.00 ms each. \
             Opening them again took 19 % of the time in which connections were being opened or in \
             use. Closed: 1 200 as more than max_idle, 1 for their age (max_lifetime) (less than 10 % \
             of that time spent on opening, and fewer than 5 connections opened again for 100 \
             operations; max_idle = 10: connections are kept for the next operation; more of them are \
             open at rest)",
        ),
        (
            Evidence { saturated: Some("2 of 2 cores were busy".to_owned()), ..busy_pool() },
            "generator saturated: the load generator could not keep up: 2 of 2 cores were busy. The \
             figures say more of it than of the pool, so nothing is recommended from them (a \
             generator that keeps up: a lower rate, more cores, or a machine of its own)",
        ),
        (
            deadlocked(),
            "failing: operations that have a connection wait for another, and all of 4 connections \
             were held so at some time: 48 acquires got none. 40 acquires were made within \
             operations, beside one for each. Take one connection for an operation and pass it on; \
             more time to wait does not help (one connection for each operation; max_open = 9: enough \
             for each task to have one and one task to have two, so that they cannot wait for each \
             other for ever; one connection for each operation needs fewer)",
        ),
        (
            Evidence { operations: 1, ..busy_pool() },
            "unknown: 1 operation is too few to tell what limits them (a longer run, or a higher load)",
        ),
        (
            Evidence { alone: None, began_cold: true, ..busy_pool() },
            "unknown: 100 % of the connections are in use on average, and waiting is 50 % of the \
             response time; whether that is the pool's or the database's doing cannot be told, as \
             the load began cold: nobody timed an operation alone before it (a load that does not \
             begin cold)",
        ),
    ] {
        assert_eq!(said(&evidence), expected);
    }
}

#[test]
fn operations_that_wait_for_each_others_connections_are_never_given_more_time() {
    assert_judged(&deadlocked(), Limit::Failing, "max_open = 9");
    // Some operations got both of theirs, and acquires timed out in the queue.
    let timeouts = failing(AcquireErrorKind::Timeout, AcquirePhase::Queued);
    let some = Evidence { tasks: 20, nested: 60_000, unserved: 15_000, ..timeouts };
    assert_judged(&some, Limit::Failing, "max_open = 21");
    let room = with_max_open(40, some.clone());
    let (limit, advice) = judged(&Evidence { peak_in_use: 40, ..room });
    assert_eq!((limit, &*advice), (Limit::Failing, ""), "no setting of time");
    // As many as there are tasks may have been under way before.
    let other = Evidence { nested: 20, ..some };
    assert_judged(&other, Limit::Failing, "max_open = 20");
}

#[test]
fn failures_do_not_excuse_an_invariant_that_is_broken() {
    let timeouts = failing(AcquireErrorKind::Timeout, AcquirePhase::Queued);
    let broken = Some("3 transfers too few".to_owned());
    let summary = |evidence: &Evidence| verdict(evidence).summary;
    let both = Evidence { broken: broken.clone(), ..timeouts };
    assert_judged(&both, Limit::Failing, "");
    let expected = "the invariant did not hold: 3 transfers too few. 20 000 of 120 000 operations \
                    failed (17 %); 15 000 of these: it timed out. No setting of the pool mends that, \
                    and no error excuses it";
    assert_eq!(summary(&both), expected);
    let alone = Evidence { broken, ..busy_pool() };
    assert_judged(&alone, Limit::Failing, "");
    let expected = "the invariant did not hold: 3 transfers too few. No setting of the pool mends \
                    that, and no error excuses it";
    assert_eq!(summary(&alone), expected);
    assert_judged(&Evidence { is_mixed: true, ..alone }, Limit::Failing, "");
}

#[test]
fn a_generator_that_could_not_keep_up_recommends_nothing_even_of_failures() {
    let saturated = Some("1 000 arrivals were dropped".to_owned());
    let full = failing(AcquireErrorKind::QueueFull, AcquirePhase::Start);
    let failing = Evidence { saturated: saturated.clone(), ..full };
    assert_judged(&failing, Limit::Failing, "");
    assert!(
        verdict(&failing)
            .summary
            .ends_with("(1 000 arrivals were dropped), so nothing is recommended")
    );
    assert_judged(&Evidence { saturated, ..busy_pool() }, Limit::Generator, "");
}

#[test]
fn connections_that_are_all_out_while_nothing_is_done_are_a_leak() {
    let nobody = Evidence { operations: 0, unserved: 20, ..busy_pool() };
    assert_judged(&nobody, Limit::Leak, "");
    let expected = "not one operation was done, and 100 % of 10 connections were in use on average: \
                    whoever has them keeps them. 20 acquires got none";
    assert_eq!(verdict(&nobody).summary, expected);
    // Operations that had them and did not end wait for the database.
    assert_judged(&Evidence { dropped: 10, ..nobody.clone() }, Limit::Unknown, "");
    assert_judged(&Evidence { utilisation: 0.5, ..nobody }, Limit::Unknown, "");
    let one = Evidence { left_out: 1, is_mixed: true, ..busy_pool() };
    assert!(verdict(&one).summary.starts_with("1 connection was not given back after"));
}

#[test]
fn churn_is_told_by_most_of_its_reasons_and_little_of_it_is_none() {
    let opened = |count| Churned { opened: count, ..Churned::default() };
    let mut aged = churned(Churned { lifetime: 600, surplus: 30, ..opened(630) });
    aged.config.max_lifetime = Some(Duration::from_secs(1));
    assert_judged(&aged, Limit::Churn, "max_lifetime = 30m");
    let mut idle = churned(Churned { idle: 600, ..opened(600) });
    idle.config.max_idle_time = Some(Duration::from_secs(1));
    assert_judged(&idle, Limit::Churn, "max_idle_time = 10m");
    let mut at_once = churned(Churned { surplus: 600, ..opened(600) });
    at_once.config.idle_grace = Duration::ZERO;
    assert_judged(&at_once, Limit::Churn, "idle_grace = 5s");
    assert_judged(&churned(Churned { broken: 600, ..opened(600) }), Limit::Churn, "");
    for little in [
        Churned { surplus: 499, ..opened(499) },
        // Opened once, and closed at the end or not at all.
        opened(2_000),
        Churned { surplus: 2_000, ..opened(10) },
    ] {
        assert_judged(&churned(little), Limit::Pool, "max_open = 20");
    }
}

#[test]
fn churn_is_what_opening_takes_of_the_connections_time_as_much_as_how_many_there_are() {
    let again = |count, took| {
        let all = churned(Churned { surplus: count, opened: count, ..Churned::default() });
        let churned = Churned { opening: took * count as u32, ..all.churned };
        judged(&Evidence { churned, ..all }).0
    };
    let (costly, cheap) = (Duration::from_millis(6), Duration::from_micros(100));
    assert_eq!(again(200, costly), Limit::Churn, "2 for 100 operations, and 11 % of the time");
    assert_eq!(again(180, costly), Limit::Pool, "10 % is felt, and this is less");
    assert_eq!(again(1_100, cheap), Limit::Churn, "11 for 100 operations, and 1 % of the time");
    assert_eq!(again(900, cheap), Limit::Pool, "many, which take next to no time");
    assert_eq!(again(19, Duration::from_secs(1)), Limit::Pool, "chance");
}

#[test]
fn connections_that_are_closed_at_once_and_missed_afterwards_are_churn() {
    // So few are opened again because the pool would rather let others wait for one in use.
    let few = Churned { opened: 12, surplus: 11, ..Churned::default() };
    let mut missed = Evidence { utilisation: 0.12, wait: 9_000.0, ..churned(few) };
    missed.config.max_idle = 0;
    assert_judged(&missed, Limit::Churn, "max_idle = 10");
    let expected = "connections are not kept: 11 connections were closed at once when nobody waited, \
                    and missed afterwards: waiting is 90 % of the response time, though 12 % of the \
                    connections that there may be are in use on average";
    assert_eq!(verdict(&missed).summary, expected);
    let mut with_grace = missed.clone();
    with_grace.config.max_idle = 1;
    for other in [
        with_grace,
        Evidence { utilisation: 0.9, ..missed.clone() },
        Evidence { peak_in_use: 11, ..missed.clone() },
    ] {
        assert_judged(&other, Limit::Pool, "max_open = 20");
    }
    assert_judged(&Evidence { wait: 1.0, ..missed }, Limit::Idle, "");
}

#[test]
fn a_way_that_is_short_or_an_operation_that_works_is_not_the_network() {
    assert_judged(&far_away(), Limit::Network, "");
    assert_judged(&Evidence { wait: 5_000.0, ..far_away() }, Limit::Network, "max_open = 20");
    let network = |round_trip, statements| Evidence {
        network: Network { round_trip: Some(round_trip), statements },
        ..far_away()
    };
    assert_judged(&network(6_000.0, None), Limit::Network, "");
    for elsewhere in [
        network(2_000.0, None),
        network(2_000.0, Some(2.0)),
        network(100.0, Some(90.0)),
        Evidence { network: Network::default(), ..far_away() },
    ] {
        assert_judged(&elsewhere, Limit::Balanced, "");
    }
    assert_judged(&Evidence { service: 20_000.0, ..far_away() }, Limit::Database, "");
}

#[test]
fn a_few_operations_that_have_connections_for_long_are_no_slow_database() {
    let hogged = Evidence { service: 12_500.0, median: 500.0, wait: 12_500.0, ..busy_pool() };
    assert_judged(&hogged, Limit::Pool, "");
    let expected = "operations wait for connections that a few of them have for long: half of all \
                    have one for 500 us at most, the average is 12.5 ms, and waiting is 50 % of the \
                    response time. Find those that do something else meanwhile, or wait for a lock";
    assert_eq!(verdict(&hogged).summary, expected);
    let slow = Evidence { median: 1_000.0, ..hogged.clone() };
    assert_judged(&slow, Limit::Database, "");
    assert_judged(&Evidence { wait: 1_000.0, ..hogged }, Limit::Database, "");
}
