//! What a pool sees and is easily misled by, each with the simulated server that does it.

use super::scenario::{Arrivals, Change, Scenario};
use super::server::Law;
use super::spread::Spread;
use super::world::Outcome;
use super::{ours, run, run_fixed, seeds};
use pool_monitor::tuner::Reason;

const CLOSED: Arrivals = Arrivals::Closed { think: 0.1 };

/// At most of `limits`, and at least.
fn extent(limits: &[usize]) -> (usize, usize) {
    let (least, most) = (limits.iter().min(), limits.iter().max());
    (*least.expect("bug: none"), *most.expect("bug: none"))
}

/// The best throughput of any of these sizes, from one second to another.
fn best(scenario: &Scenario, seed: u64, sizes: &[usize], from: usize, until: usize) -> f64 {
    let rates = sizes.iter().map(|size| run_fixed(scenario, seed, *size).rate(from, until));
    rates.fold(0.0, f64::max)
}

fn has_braked(outcome: &Outcome) -> bool {
    outcome.decisions.iter().any(|(_, decision)| matches!(decision.reason, Reason::Slow { .. }))
}

#[test]
fn a_baseline_taken_under_load_does_not_hide_that_the_pool_is_far_too_large() {
    let law = Law::best_at(16.0, 0.05, 120.0);
    let ratios = seeds::for_each(|seed| {
        let scenario = Scenario { law, start: 100, ..Scenario::new(CLOSED, 1.3) };
        let (tuned, fixed) = (run(&scenario, seed, &ours), run_fixed(&scenario, seed, 100));
        let best = best(&scenario, seed, &[14, 18], 60, 120);
        let (tuned, fixed) = (tuned.rate(60, 120), fixed.rate(60, 120));
        assert!(fixed < 0.7 * best, "seed {seed}: {fixed} of {best}");
        tuned / best
    });
    Spread::new(ratios).expect("a baseline under load", 0.95, 0.7);
}

#[test]
fn statements_that_become_three_times_heavier_do_not_throttle_the_pool_for_long() {
    let ratios = seeds::for_each(|seed| {
        let mut scenario = Scenario { until: 180.0, ..Scenario::new(CLOSED, 1.3) };
        scenario.changes = vec![(60.0, Change::Work(3.0)), (120.0, Change::Work(1.0))];
        let tuned = run(&scenario, seed, &ours);
        let ratio = |from, until| {
            tuned.rate(from, until) / best(&scenario, seed, &[38, 49, 60], from, until)
        };
        (ratio(90, 120), ratio(150, 180))
    });
    let (heavy, light) = ratios.into_iter().unzip();
    Spread::new(heavy).expect("statements that become heavier", 0.9, 0.6);
    Spread::new(light).expect("and light again", 0.93, 0.75);
}

#[test]
fn a_migration_that_locks_everything_leaves_the_limit_as_it_was() {
    let ratios = seeds::for_each(|seed| {
        let mut scenario = Scenario::new(CLOSED, 1.3);
        scenario.changes = vec![(60.0, Change::Stopped(true)), (80.0, Change::Stopped(false))];
        let tuned = run(&scenario, seed, &ours);
        let before = extent(&tuned.limits_since(40.0)[..20]);
        let meanwhile = tuned.limits_since(62.0);
        assert!(tuned.rate(62, 80) < 1.0, "seed {seed}: it is not locked");
        let locked = extent(&meanwhile[..18]);
        assert!(
            locked.0 >= before.0 && locked.1 <= before.1,
            "seed {seed}: {before:?}, {locked:?}"
        );
        tuned.rate(90, 120) / tuned.rate(40, 60)
    });
    Spread::new(ratios).expect("a migration", 0.95, 0.8);
}

#[test]
fn waiting_for_one_row_neither_grows_the_pool_without_end_nor_shrinks_it_to_nothing() {
    let ratios = seeds::for_each(|seed| {
        let scenario = Scenario { lock_share: 0.15, ..Scenario::new(CLOSED, 0.9) };
        let tuned = run(&scenario, seed, &ours);
        let best = best(&scenario, seed, &[10, 20, 38, 60], 60, 120);
        let (_, most) = extent(&tuned.limits_since(60.0));
        assert!(most <= 60, "seed {seed}: {most}");
        tuned.rate(60, 120) / best
    });
    Spread::new(ratios).expect("a row that all want", 0.93, 0.8);
}

#[test]
fn transactions_that_think_longer_are_not_taken_for_a_slow_database() {
    let ratios = seeds::for_each(|seed| {
        let mut scenario = Scenario::new(CLOSED, 0.9);
        scenario.changes = vec![(50.0, Change::InnerThink(0.08))];
        let tuned = run(&scenario, seed, &ours);
        assert!(!has_braked(&tuned), "seed {seed}: {:?}", tuned.decisions);
        let best = best(&scenario, seed, &[60, 80, 100, 120], 90, 120);
        tuned.rate(90, 120) / best
    });
    Spread::new(ratios).expect("transactions that think", 0.95, 0.8);
}

#[test]
fn a_connect_that_takes_many_periods_is_waited_for_before_a_size_is_judged() {
    let ratios = seeds::for_each(|seed| {
        let scenario = Scenario {
            connect: 5.0,
            start: 2,
            measured_from: 120.0,
            until: 180.0,
            ..Scenario::new(CLOSED, 1.3)
        };
        let tuned = run(&scenario, seed, &ours);
        let best = best(&scenario, seed, &[38, 49, 60], 120, 180);
        let kept = tuned.decisions.iter().filter(|(at, decision)| {
            *at < 120.0 && matches!(decision.reason, Reason::Kept(_) | Reason::QueueGone)
        });
        let failed = tuned.decisions.iter().filter(|(at, decision)| {
            *at < 120.0 && matches!(decision.reason, Reason::Unanswered { .. })
        });
        assert!(kept.count() >= 4, "seed {seed}: {:?}", tuned.decisions);
        assert_eq!(failed.count(), 0, "seed {seed}: {:?}", tuned.decisions);
        tuned.rate(120, 180) / best
    });
    Spread::new(ratios).expect("connects that take five seconds", 0.93, 0.35);
}

#[test]
fn under_a_steady_load_it_tries_seldom_and_stays_near_the_best() {
    let ratios = seeds::for_each(|seed| {
        let scenario = Scenario { until: 900.0, ..Scenario::new(CLOSED, 1.6) };
        let tuned = run(&scenario, seed, &ours);
        let limits = tuned.limits_since(300.0);
        let changes = limits.windows(2).filter(|pair| pair[0] != pair[1]).count();
        // A trial that fails is two changes, and they get rarer.
        assert!(changes <= 60, "seed {seed}: {changes} changes: {:?}", tuned.decisions);
        let (least, most) = extent(&limits);
        assert!(most <= 3 * least, "seed {seed}: {least} to {most}");
        let best = best(&scenario, seed, &[44], 300, 900);
        tuned.rate(300, 900) / best
    });
    Spread::new(ratios).expect("a steady load", 0.97, 0.9);
}

#[test]
fn eight_that_share_a_database_without_knowing_do_not_drown_it() {
    let ratios = seeds::for_each(|seed| {
        let scenario = Scenario { pools: 8, start: 2, ..Scenario::new(Arrivals::Open, 1.3) };
        let rate = run(&scenario, seed, &ours).rate(60, 120);
        let best = best(&scenario, seed, &[6], 60, 120);
        rate / best
    });
    Spread::new(ratios).expect("eight that do not know", 0.93, 0.85);
}

#[test]
fn a_grant_that_shrinks_is_kept_at_once_and_one_that_returns_is_used_without_a_trial() {
    seeds::for_each(|seed| {
        let mut scenario = Scenario::new(CLOSED, 1.3);
        scenario.changes = vec![(50.0, Change::Most(8)), (80.0, Change::Most(200))];
        let tuned = run(&scenario, seed, &ours);
        let (_, most) = extent(&tuned.limits_since(51.5)[..27]);
        assert_eq!(most, 8, "seed {seed}");
        let before = tuned.limits_since(49.0)[0];
        let after = tuned.limits_since(90.0)[0];
        // A trial of fewer may be under way by then.
        assert!(after as f64 >= 0.6 * before as f64, "seed {seed}: {before}, then {after}");
    });
}

#[test]
fn a_load_that_comes_back_finds_the_size_that_was_found_for_it() {
    let ratios = seeds::for_each(|seed| {
        let mut scenario = Scenario { until: 180.0, ..Scenario::new(CLOSED, 1.3) };
        scenario.changes = vec![(60.0, Change::Intensity(0.1)), (150.0, Change::Intensity(1.0))];
        let tuned = run(&scenario, seed, &ours);
        let night = tuned.limits_since(149.0)[0];
        assert!(night <= 15, "seed {seed}: {night}");
        let best = best(&scenario, seed, &[44], 160, 180);
        tuned.rate(160, 180) / best
    });
    Spread::new(ratios).expect("a load that comes back", 0.93, 0.75);
}

#[test]
fn a_server_that_refuses_connects_is_not_asked_for_as_many_again_soon() {
    seeds::for_each(|seed| {
        let scenario = Scenario { server_limit: 20, start: 30, ..Scenario::new(CLOSED, 1.3) };
        let tuned = run(&scenario, seed, &ours);
        let refused = tuned.decisions.iter().filter(|(at, decision)| {
            *at < 60.0 && matches!(decision.reason, Reason::Refused { .. })
        });
        let refused = refused.count();
        assert!((1..=3).contains(&refused), "seed {seed}: {:?}", tuned.decisions);
        let (_, most) = extent(&tuned.limits_since(5.0)[..55]);
        assert!(most <= 20, "seed {seed}: {most}");
    });
}
