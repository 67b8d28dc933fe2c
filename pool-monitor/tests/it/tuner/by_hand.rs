//! The controller, fed with readings by hand: what it does at once, and what it says.

use std::time::Duration;

use pool_core::runtime::Instant;

use pool_monitor::tuner::{Controller, Decision, Reading, Reason};

const SEC: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// A second of a pool of 20, of which `in_use` are in use, with a queue if these are all.
fn reading(in_use: usize, rate: u64) -> Reading {
    let wait = if in_use == 20 { 30 * MS } else { Duration::ZERO };
    Reading {
        span: SEC,
        limit: 20,
        mean_in_use: in_use as f64,
        peak_in_use: in_use,
        waiting: if in_use == 20 { 5 } else { 0 },
        smallest_wait: Some(wait),
        mean_wait: Some(wait),
        completed: rate,
        mean_held: Some(20 * MS),
        mean_busy: Some(10 * MS),
        overloads: 0,
        mean_connect: None,
        least: 1,
        most: 100,
    }
}

/// A controller and its clock. Whatever it decides is in force in the next reading.
struct Fed {
    controller: Controller,
    seconds: u32,
    limit: usize,
}

impl Fed {
    fn new(seed: u64) -> Self {
        Self { controller: Controller::new(seed), seconds: 0, limit: 20 }
    }

    fn now(&mut self) -> Instant {
        self.seconds += 1;
        Instant::EPOCH.after(self.seconds * SEC)
    }

    fn decide(&mut self, reading: &Reading) -> Option<Decision> {
        let now = self.now();
        let decision =
            self.controller.decide(now, &Reading { limit: self.limit, ..reading.clone() });
        self.limit = decision.map_or(self.limit, |decision| decision.to);
        decision
    }

    fn recommend(&mut self, reading: &Reading) -> Decision {
        let now = self.now();
        self.controller.recommend(now, reading)
    }
}

fn refused(overloads: u64) -> Reading {
    Reading { overloads, ..reading(20, 1000) }
}

/// As a pool of `limit` would be if each connection did as much as every other.
fn saturated(limit: usize) -> Reading {
    let in_use = limit as f64;
    Reading { mean_in_use: in_use, peak_in_use: limit, ..reading(20, 50 * limit as u64) }
}

#[test]
fn connects_refused_by_the_server_cost_three_tenths_and_a_minute_without_growth() {
    let mut fed = Fed::new(1);
    let decision = fed.decide(&refused(3)).expect("it acts");
    assert_eq!((decision.from, decision.to), (20, 14));
    assert_eq!(
        decision.to_string(),
        "max_open 20 -> 14: the server refused 3 connects, it has too many connections; no more are \
         tried for a while"
    );
    for _ in 0..59 {
        let decision = fed.decide(&saturated(fed.limit));
        assert!(decision.is_none_or(|decision| decision.to <= 14), "{decision:?}");
    }
    let grown = (0..60).any(|_| fed.decide(&saturated(fed.limit)).is_some_and(|it| it.to > 14));
    assert!(grown, "it stays at {}", fed.limit);
}

#[test]
fn a_grant_is_kept_in_the_same_reading_even_below_the_least() {
    let mut fed = Fed::new(1);
    let decision =
        fed.decide(&Reading { least: 5, most: 3, ..reading(20, 1000) }).expect("it acts");
    assert_eq!((decision.from, decision.to), (20, 3));
    assert_eq!(decision.reason, Reason::Bounds { least: 5, most: 3 });
    let none = fed.decide(&Reading { most: 0, ..reading(0, 0) }).expect("it acts");
    assert_eq!(none.to, 1);
}

#[test]
fn a_pool_that_uses_less_than_half_for_half_a_minute_shrinks_to_its_demand() {
    let mut fed = Fed::new(1);
    let decided: Vec<_> = (0..40).filter_map(|_| fed.decide(&reading(4, 200))).collect();
    let [decision] = decided[..] else { panic!("{decided:?}") };
    assert_eq!((decision.from, decision.to), (20, 6));
    assert_eq!(decision.reason, Reason::Demand { peak: 4 });
    let mut uneven = Fed::new(1);
    let bursts = Reading { peak_in_use: 10, ..reading(4, 200) };
    assert!((0..40).all(|_| uneven.decide(&bursts).is_none()));
}

#[test]
fn a_pool_that_does_nothing_keeps_what_it_must() {
    let mut fed = Fed::new(1);
    let idle = Reading { smallest_wait: None, mean_wait: None, least: 2, ..reading(0, 0) };
    (0..120).for_each(|_| _ = fed.decide(&idle));
    assert_eq!(fed.limit, 2);
}

#[test]
fn steps_get_larger_while_they_pay() {
    let mut fed = Fed::new(1);
    let mut tried = Vec::new();
    for _ in 0..60 {
        let decision = fed.decide(&saturated(fed.limit));
        if let Some(Decision { to, reason: Reason::TryMore { .. }, .. }) = decision {
            tried.push(to);
        }
    }
    assert_eq!(tried, [26, 42, 84, 100]);
}

/// What came of the first trial of a pool whose waits are felt while it does all that it is asked for, if clients
/// wait for `wait` with the size that is tried, and hold a connection for `held`.
fn felt(wait: Duration, held: Duration) -> Decision {
    let mut fed = Fed::new(1);
    let mut has_tried = false;
    for _ in 0..60 {
        let felt = Reading { smallest_wait: Some(Duration::ZERO), ..saturated(20) };
        let mean_in_use = fed.limit as f64 * 0.95;
        let felt = match fed.limit {
            20 => felt,
            _ => Reading { mean_in_use, mean_wait: Some(wait), mean_held: Some(held), ..felt },
        };
        let decision = fed.decide(&felt);
        if let Some(decision) = decision.filter(|_| has_tried) {
            return decision;
        }
        has_tried |= decision.is_some();
    }
    panic!("nothing came of it, at {}", fed.limit);
}

#[test]
fn a_pool_that_does_all_it_is_asked_for_keeps_a_size_with_which_clients_wait_less() {
    let decision = felt(10 * MS, 20 * MS);
    assert_eq!((decision.from, decision.to), (26, 26));
    assert_eq!(decision.to_string(), "max_open 26: kept: clients wait 30.0 ms, 50.0 ms before");
}

#[test]
fn a_queue_that_moves_into_the_database_is_no_gain() {
    let decision = felt(5 * MS, 45 * MS);
    assert_eq!((decision.from, decision.to), (26, 20));
    let said = "max_open 26 -> 20: taken back: clients wait 50.0 ms, 50.0 ms before";
    assert_eq!(decision.to_string(), said);
    let gone = felt(Duration::ZERO, 60 * MS);
    let said = "max_open 26 -> 20: taken back: clients wait 60.0 ms, 50.0 ms before";
    assert_eq!(gone.to_string(), said);
}

/// A database that takes four times as long as usual, and completes so much.
fn slow(limit: usize, rate: u64) -> Reading {
    Reading { mean_busy: Some(40 * MS), completed: rate, ..saturated(limit) }
}

/// What is decided in so many seconds of it, by a pool that knew it otherwise.
fn decided_of_slow(fed: &mut Fed, seconds: u32, rate: impl Fn(usize) -> u64) -> Vec<String> {
    (0..15).for_each(|_| assert_eq!(fed.decide(&reading(8, 400)), None));
    let decided = |_| fed.decide(&slow(fed.limit, rate(fed.limit)));
    (0..seconds).filter_map(decided).map(|decision| decision.to_string()).collect()
}

#[test]
fn a_brake_that_costs_nothing_is_kept_and_said_so() {
    let said = decided_of_slow(&mut Fed::new(1), 20, |_| 400);
    let slow = "the database works 40.0 ms for a checkout, and 10.0 ms usually: it is overloaded";
    let steps = ["20 -> 17", "17 -> 14", "14 -> 11", "11 -> 9"];
    let steps = steps.map(|step| format!("max_open {step}: {slow}"));
    let (end, brakes) = said.split_last().expect("it brakes");
    assert_eq!(brakes, steps);
    assert_eq!(end, "max_open 9: kept: 400 checkouts/s, 400 before (elasticity 0.00)");
}

#[test]
fn a_brake_that_only_costs_is_taken_back_and_the_database_is_known_as_slow_from_then_on() {
    let mut fed = Fed::new(1);
    let said = decided_of_slow(&mut fed, 20, |limit| 20 * limit as u64);
    assert_eq!(
        said[4],
        "max_open 9 -> 20: taken back: fewer connections did not relieve the database, 180 checkouts/s, \
         400 before (elasticity 1.00); what takes longer is the statements"
    );
    let later: Vec<_> = (0..60).filter_map(|_| fed.decide(&slow(fed.limit, 400))).collect();
    assert!(later.iter().all(|it| !matches!(it.reason, Reason::Slow { .. })), "{later:?}");
}

#[test]
fn a_moment_in_which_the_database_is_slow_is_no_brake() {
    let mut fed = Fed::new(1);
    (0..15).for_each(|_| assert_eq!(fed.decide(&reading(8, 400)), None));
    for second in 0..60 {
        let usual = Reading { mean_in_use: 18.0, ..saturated(fed.limit) };
        let reading = if second % 4 < 2 { slow(fed.limit, 400) } else { usual };
        let decision = fed.decide(&reading);
        let brakes = decision.is_some_and(|it| matches!(it.reason, Reason::Slow { .. }));
        assert!(!brakes, "{decision:?} in second {second}");
    }
}

/// The limit after ten minutes of a queue that stands, if throughput grows by so many percent for a
/// percent more connections.
fn settled_with(elasticity: f64) -> usize {
    let mut fed = Fed::new(1);
    for _ in 0..600 {
        let rate = 1000.0 * (fed.limit as f64 / 20.0).powf(elasticity);
        let reading = Reading { completed: rate as u64, ..saturated(fed.limit) };
        fed.decide(&reading);
    }
    fed.limit
}

#[test]
fn a_connection_that_pays_little_is_kept_and_not_added_and_one_that_pays_nothing_is_given_up() {
    assert_eq!([0.3, 0.1, 0.0].map(settled_with), [100, 20, 1]);
}

#[test]
fn without_a_queue_nothing_is_tried() {
    let mut fed = Fed::new(1);
    (0..20).for_each(|_| _ = fed.decide(&reading(2, 100)));
    let busy = Reading { limit: fed.limit, ..reading(19, 900) };
    let decided: Vec<_> = (0..120).filter_map(|_| fed.decide(&busy)).collect();
    assert!(decided.is_empty(), "{decided:?}");
}

#[test]
fn those_that_start_together_do_not_try_together() {
    let first_trial = |seed| {
        let mut fed = Fed::new(seed);
        let short = Reading { span: SEC / 10, ..saturated(20) };
        for tenth in 1..200 {
            let now = Instant::EPOCH.after(tenth * SEC / 10);
            if fed.controller.decide(now, &short).is_some() {
                return tenth;
            }
        }
        panic!("seed {seed} never tries");
    };
    let mut tenths: Vec<_> = (0..20).map(first_trial).collect();
    tenths.sort_unstable();
    tenths.dedup();
    assert!(tenths.len() >= 8, "{tenths:?}");
}

#[test]
fn in_the_shadow_it_says_what_is_known_and_what_only_a_trial_could_tell() {
    let mut fed = Fed::new(1);
    let enough = fed.recommend(&reading(12, 600));
    assert_eq!((enough.to, enough.reason.is_trial()), (20, false));
    assert_eq!(enough.to_string(), "max_open 20: 60 % are in use: as many as are needed");
    let more = fed.recommend(&reading(20, 1000));
    assert_eq!((more.to, more.reason.is_trial()), (26, true));
    assert_eq!(
        more.to_string(),
        "max_open 20 -> 26: 100 % are in use and acquires wait for 30.0 ms: tries whether more \
         connections do more than 1000 checkouts/s"
    );
    let refused = fed.recommend(&refused(2));
    assert_eq!((refused.to, refused.reason.is_trial()), (14, false));
    let still = fed.recommend(&reading(20, 1000));
    assert_eq!(still.to, 14, "the minute is not over");
    let fewer = (0..100).map(|_| fed.recommend(&reading(4, 200))).last().expect("bug: none");
    assert_eq!((fewer.to, fewer.reason), (6, Reason::Demand { peak: 4 }));
}

#[test]
fn in_the_shadow_a_slow_database_is_told_again_and_again() {
    let mut fed = Fed::new(1);
    (0..30).for_each(|_| _ = fed.recommend(&reading(8, 400)));
    let slow = Reading { mean_busy: Some(40 * MS), ..reading(20, 400) };
    let told: Vec<_> = (0..10).map(|_| fed.recommend(&slow)).collect();
    assert!(told[2..].iter().all(|told| told.to == 17), "{told:?}");
    assert_eq!(
        told[9].to_string(),
        "max_open 20 -> 17: the database works 40.0 ms for a checkout, and 10.0 ms usually: it is \
         overloaded"
    );
}

#[test]
fn idle_connections_are_kept_for_the_peak_and_opened_ahead_for_what_is_beyond_the_mean() {
    let mut fed = Fed::new(1);
    fed.decide(&Reading { mean_in_use: 4.0, peak_in_use: 9, ..reading(9, 400) });
    let sizes = fed.controller.sizes();
    assert_eq!((sizes.max_open, sizes.max_idle, sizes.min_idle), (20, 9, 5));
    let mut full = Fed::new(1);
    full.decide(&reading(20, 1000));
    let sizes = full.controller.sizes();
    assert_eq!((sizes.max_open, sizes.max_idle, sizes.min_idle), (20, 20, 0));
}

#[test]
fn a_pool_without_limit_is_given_one_that_it_needs() {
    let mut fed = Fed::new(1);
    fed.limit = usize::MAX;
    let unlimited = Reading { most: usize::MAX, ..reading(4, 200) };
    (0..40).for_each(|_| _ = fed.decide(&unlimited));
    assert_eq!(fed.limit, 6);
}
