//! The engine and the grouping against what is obviously right, over random series in virtual time.

mod losses;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pool_core::runtime::Instant;
use pool_testkit::hostile::settings;
use proptest::collection::vec;
use proptest::prelude::*;

use super::alert::{Alert, Moment, Notification};
use super::engine::{Engine, WatchedRules};
use super::grouping::{Grouping, Manner};
use super::rule::{Bound, Rule, Rules, Severity};
use crate::signal::Signal;

/// What is seen of a pool, so many seconds after the last time.
#[derive(Clone, Debug)]
struct Seen {
    after: u64,
    what: What,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    Value { value: Option<f64>, traffic: f64 },
    Gone,
}

fn what() -> impl Strategy<Value = What> {
    // Around the thresholds, which are 10 to fire at, and 10 or 5 to clear at.
    let value = prop_oneof![
        1 => Just(None),
        9 => prop::sample::select(&[0.0, 5.0, 7.0, 10.0, 12.0, 20.0][..]).prop_map(Some),
    ];
    let traffic = prop::sample::select(&[0.0, 30.0, 30.0, 30.0][..]);
    prop_oneof![
        30 => (value, traffic).prop_map(|(value, traffic)| What::Value { value, traffic }),
        1 => Just(What::Gone),
    ]
}

fn series() -> impl Strategy<Value = Vec<Seen>> {
    vec((0_u64..4, what()).prop_map(|(after, what)| Seen { after, what }), 1..60)
}

fn rule() -> impl Strategy<Value = Rule> {
    let clear = prop::sample::select(&[None, Some(10.0), Some(5.0)][..]);
    let traffic = prop::sample::select(&[0.0, 10.0][..]);
    (0_u64..6, 0_u64..6, clear, traffic).prop_map(|(lasting, keep, clear, minimum_traffic)| Rule {
        lasting: Duration::from_secs(lasting),
        keep_firing: Duration::from_secs(keep),
        clear,
        minimum_traffic,
        ..Rule::new("rule", Signal::InUse, Bound::Above(10.0))
    })
}

fn moment(seconds: u64) -> Moment {
    let after = Duration::from_secs(seconds);
    Moment { now: Instant::EPOCH.after(after), wall: SystemTime::UNIX_EPOCH + after }
}

/// Lets the engine see a pool.
fn see(
    engine: &mut Engine,
    rules: &WatchedRules,
    at: Moment,
    pool: &str,
    what: &What,
) -> Vec<Alert> {
    match *what {
        What::Gone => engine.withdraw(at, pool),
        What::Value { value, traffic } => {
            let look = move |signal, _over| match signal {
                Signal::Acquires => Some(traffic),
                _ => value,
            };
            engine.observe(at, pool, &rules.look(pool, &look))
        }
    }
}

/// The naive way: each moment is judged from all that was seen before it.
struct Naive<'a> {
    rule: &'a Rule,
    /// Seconds, and the value if it counts; what was seen since the pool came to be.
    seen: Vec<(u64, Option<f64>)>,
}

impl Naive<'_> {
    fn value(rule: &Rule, what: &What) -> Option<f64> {
        match *what {
            What::Value { value, traffic } if traffic >= rule.minimum_traffic => value,
            _ => None,
        }
    }

    /// The first of those before and at `at` that follow each other and of which `holds` is true.
    fn run(&self, at: usize, holds: impl Fn(f64) -> bool) -> Option<usize> {
        let holds = |&at: &usize| self.seen[at].1.is_some_and(&holds);
        (0..=at).rev().take_while(holds).last()
    }

    /// The last value beyond the threshold.
    fn last_beyond(&self) -> f64 {
        let mut values = self.seen.iter().rev().filter_map(|(_, value)| *value);
        values.find(|value| *value > 10.0).expect("something made it fire")
    }

    fn time_from(&self, first: usize, at: usize) -> Duration {
        Duration::from_secs(self.seen[at].0 - self.seen[first].0)
    }

    /// Since when it has been firing at `at`, if it has.
    fn firing_since(&self, at: usize) -> Option<u64> {
        let clear = self.rule.clear.unwrap_or(10.0);
        if let Some(since) = at.checked_sub(1).and_then(|before| self.firing_since(before)) {
            if self.seen[at].1.is_some_and(|value| value > clear) {
                return Some(since);
            }
            let is_better = |&at: &usize| self.seen[at].1.is_none_or(|value| value <= clear);
            let better = (0..=at).rev().take_while(is_better).last().expect("at is");
            return (self.time_from(better, at) < self.rule.keep_firing).then_some(since);
        }
        let first = self.run(at, |value| value > 10.0)?;
        (self.time_from(first, at) >= self.rule.lasting).then_some(self.seen[first].0)
    }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn an_alert_fires_and_is_resolved_as_the_naive_way_says(rule in rule(), series in series()) {
        let rules = Arc::new(WatchedRules::new(Rules(vec![rule.clone()])));
        let mut engine = Engine::new(Arc::clone(&rules));
        let mut naive = Naive { rule: &rule, seen: Vec::new() };
        let (mut now, mut was_firing) = (0, None);
        for Seen { after, what } in series {
            now += after;
            let changes = see(&mut engine, &rules, moment(now), "pool", &what);
            let since = if what == What::Gone {
                naive.seen.clear();
                None
            } else {
                naive.seen.push((now, Naive::value(&rule, &what)));
                naive.firing_since(naive.seen.len() - 1)
            };
            let firing = engine.firing();
            let started = firing.first().map(|alert| alert.started);
            prop_assert_eq!(started, since.map(|since| moment(since).wall));
            let value = firing.first().map(|alert| alert.value);
            prop_assert_eq!(value, since.map(|_| naive.last_beyond()));
            let told: Vec<_> = changes.iter().map(|alert| (alert.started, alert.resolved)).collect();
            let expected: Vec<_> = match (was_firing, since) {
                (None, Some(since)) => vec![(moment(since).wall, None)],
                (Some(since), None) => vec![(moment(since).wall, Some(moment(now).wall))],
                _ => vec![],
            };
            prop_assert_eq!(told, expected);
            was_firing = since;
        }
    }
}

/// Two rules and three pools, each seen at every step.
fn rounds() -> impl Strategy<Value = Vec<(u64, [What; 3])>> {
    vec((0_u64..4, [what(), what(), what()]), 1..40)
}

const POOLS: [&str; 3] = ["a", "b", "c"];

/// A receiver that believes what it is told.
#[derive(Default)]
struct Believer {
    firing: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    told: BTreeMap<Arc<str>, u64>,
}

impl Believer {
    fn believes(&self, rule: &str) -> BTreeSet<Arc<str>> {
        self.firing.get(rule).cloned().unwrap_or_default()
    }

    fn is_told(&mut self, now: u64, alerts: &[Alert]) {
        let rule = &alerts[0].rule;
        self.told.insert(Arc::clone(rule), now);
        let pools = self.firing.entry(Arc::clone(rule)).or_default();
        for alert in alerts {
            if alert.is_firing() {
                pools.insert(Arc::clone(&alert.pool));
            } else {
                pools.remove(&alert.pool);
            }
        }
    }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn whoever_is_told_knows_what_fires_soon_and_is_not_told_twice(
        rounds in rounds(),
        group_wait in 0_u64..5,
        repeat in 5_u64..20,
    ) {
        let other = Rule {
            severity: Severity::Critical,
            ..Rule::new("other", Signal::InUse, Bound::Above(5.0))
        };
        let quiet = Rule {
            severity: Severity::Info,
            ..Rule::new("quiet", Signal::InUse, Bound::Above(5.0))
        };
        let rule = Rule::new("rule", Signal::InUse, Bound::Above(10.0));
        let rules = Arc::new(WatchedRules::new(Rules(vec![rule, other, quiet])));
        let mut engine = Engine::new(Arc::clone(&rules));
        let mut grouping = Grouping::new(Manner {
            minimum_severity: Severity::Warning,
            send_resolved: true,
            group_wait: Duration::from_secs(group_wait),
            repeat: Duration::from_secs(repeat),
        });
        let mut believer = Believer::default();
        // Since when the receiver has believed something that is not so.
        let mut wrong_since: BTreeMap<&str, u64> = BTreeMap::new();
        let mut now = 0;
        for (after, seen) in rounds {
            now += after;
            let at = moment(now);
            for (pool, what) in POOLS.iter().zip(&seen) {
                for change in see(&mut engine, &rules, at, pool, what) {
                    grouping.change(at.now, &change);
                    for rule in ["rule", "other"] {
                        let truth = firing(&engine, rule);
                        if truth == believer.believes(rule) {
                            wrong_since.remove(rule);
                        } else {
                            wrong_since.entry(rule).or_insert(now);
                        }
                    }
                }
            }
            for alerts in grouping.due(at.now, &engine) {
                let rule = &*alerts[0].rule;
                prop_assert_ne!(rule, "quiet");
                prop_assert!(alerts.iter().all(|alert| *alert.rule == *rule), "one rule a group");
                let (before, last) = (believer.believes(rule), believer.told.get(rule).copied());
                believer.is_told(now, &alerts);
                let is_repeated = last.is_some_and(|last| now - last >= repeat);
                prop_assert!(believer.believes(rule) != before || is_repeated, "said twice");
                prop_assert_eq!(believer.believes(rule), firing(&engine, rule), "all of the truth");
                wrong_since.retain(|wrong, _| *wrong != rule);
            }
            for rule in ["rule", "other"] {
                let late = wrong_since.get(rule).is_some_and(|since| now - since >= group_wait);
                prop_assert!(!late, "{} was not told in time", rule);
                let is_silent = believer.told.get(rule).is_some_and(|last| now - last >= repeat);
                // What is over is told in its time; before that it is not repeated.
                let is_so = !firing(&engine, rule).is_empty();
                let is_believed = !believer.believes(rule).is_empty();
                prop_assert!(!(is_silent && is_so && is_believed), "not repeated");
            }
        }
    }
}

fn firing(engine: &Engine, rule: &str) -> BTreeSet<Arc<str>> {
    let of_rule = engine.firing().into_iter().filter(|alert| *alert.rule == *rule);
    of_rule.map(|alert| alert.pool).collect()
}

/// A grouping of one rule, which one pool makes fire.
struct Rig {
    rules: Arc<WatchedRules>,
    engine: Engine,
    grouping: Grouping,
}

impl Rig {
    fn new(send_resolved: bool, group_wait: u64, repeat: u64) -> Self {
        let rule = Rule::new("rule", Signal::InUse, Bound::Above(10.0));
        let rules = Arc::new(WatchedRules::new(Rules(vec![rule])));
        let grouping = Grouping::new(Manner {
            minimum_severity: Severity::Info,
            send_resolved,
            group_wait: Duration::from_secs(group_wait),
            repeat: Duration::from_secs(repeat),
        });
        Self { engine: Engine::new(Arc::clone(&rules)), rules, grouping }
    }

    /// What is told at that time, when a pool is seen like this.
    fn see(&mut self, seconds: u64, pool: &str, value: f64) -> Vec<Vec<Alert>> {
        let seen = What::Value { value: Some(value), traffic: 0.0 };
        for change in see(&mut self.engine, &self.rules, moment(seconds), pool, &seen) {
            self.grouping.change(moment(seconds).now, &change);
        }
        self.grouping.due(moment(seconds).now, &self.engine)
    }

    /// What was told turns out to be lost.
    fn lose(&mut self, seconds: u64, mut told: Vec<Vec<Alert>>) {
        let alerts = told.pop().expect("something was told");
        self.grouping.lost(moment(seconds).now, notification(alerts));
    }
}

fn notification(alerts: Vec<Alert>) -> Notification {
    Notification {
        id: "any".to_owned(),
        rule: Arc::clone(&alerts[0].rule),
        severity: alerts[0].severity,
        alerts,
        at: SystemTime::UNIX_EPOCH,
        repeat: Duration::from_hours(4),
        labels: Arc::default(),
    }
}

const HOURS: u64 = 3600;

/// Rounds in which a pool is full, then is not, and is full again.
fn tell(send_resolved: bool, group_wait: u64) -> Vec<Vec<Vec<Alert>>> {
    let mut rig = Rig::new(send_resolved, group_wait, 4 * HOURS);
    let rounds = [(0, 20.0), (5, 0.0), (60, 20.0), (120, 20.0)];
    rounds.into_iter().map(|(seconds, value)| rig.see(seconds, "pool", value)).collect()
}

#[test]
fn whoever_does_not_want_to_know_that_it_is_over_is_told_when_it_begins_again() {
    let firing: Vec<_> = tell(false, 0).into_iter().map(|groups| groups.len()).collect();
    assert_eq!(firing, [1, 0, 1, 0]);
    let both: Vec<_> = tell(true, 0).into_iter().map(|groups| groups.len()).collect();
    assert_eq!(both, [1, 1, 1, 0]);
}

#[test]
fn what_came_and_went_while_it_was_gathered_is_not_told() {
    let told: Vec<_> = tell(true, 10).into_iter().map(|groups| groups.len()).collect();
    assert_eq!(told, [0, 0, 0, 1]);
}

#[test]
fn the_message_of_a_resolved_alert_holds_the_last_value_beyond_the_threshold() {
    let told = tell(true, 0);
    let resolved = &told[1][0][0];
    assert_eq!((resolved.value, resolved.is_firing()), (20.0, false));
    assert_eq!(&*resolved.summary, "in_use of the pool pool is 20 connections");
}
