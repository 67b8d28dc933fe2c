//! Which alerts fire: a state machine that is told the time.
//!
//! As in Prometheus, an alert of a rule for a pool goes from inactive to pending, when the signal is
//! beyond the threshold, to firing, when it has been so for long enough, and back to inactive, when it
//! is no longer beyond the threshold to clear at and has not been for `keep_firing`. A signal without a
//! value is not beyond anything, nor is one of a pool with too little traffic.
//!
//! Who is told what of it, and how often, is decided in `grouping.rs`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pool_core::runtime::Instant;

use super::alert::{Alert, Moment};
use super::rule::{Rule, Rules};
use crate::signal::Signal;

/// The value of a signal of a pool over the last so long; none if there is nothing to tell it from.
pub(crate) type Look<'a> = &'a dyn Fn(Signal, Duration) -> Option<f64>;

/// The rules that are watched. They do not change, so pools are looked at without a lock.
#[derive(Debug)]
pub(crate) struct WatchedRules(Vec<WatchedRule>);

#[derive(Debug)]
struct WatchedRule {
    rule: Rule,
    name: Arc<str>,
}

/// What was seen of a pool, for each rule: the signal, if there is one and enough traffic for it to
/// mean something.
#[derive(Debug)]
pub(crate) struct Sight(Vec<Option<f64>>);

impl WatchedRules {
    pub(crate) fn new(rules: Rules) -> Self {
        let watched = |rule: Rule| WatchedRule { name: rule.name.as_str().into(), rule };
        Self(rules.0.into_iter().map(watched).collect())
    }

    pub(crate) fn look(&self, pool: &str, look: Look<'_>) -> Sight {
        let value = |WatchedRule { rule, .. }: &WatchedRule| {
            let is_idle = || {
                let traffic = look(Signal::Acquires, rule.over);
                traffic.is_none_or(|traffic| traffic < rule.minimum_traffic)
            };
            if !rule.is_for(pool) || (rule.minimum_traffic > 0.0 && is_idle()) {
                return None;
            }
            look(rule.signal, rule.over).filter(|value| !value.is_nan())
        };
        Sight(self.0.iter().map(value).collect())
    }
}

/// Every alert that is not inactive.
#[derive(Debug)]
pub(crate) struct Engine {
    rules: Arc<WatchedRules>,
    pools: HashMap<Arc<str>, Vec<State>>,
}

/// One rule for one pool.
#[derive(Debug)]
enum State {
    Inactive,
    Pending { since: Moment },
    Firing { alert: Alert, better_since: Option<Instant> },
}

impl Engine {
    pub(crate) fn new(rules: Arc<WatchedRules>) -> Self {
        Self { rules, pools: HashMap::new() }
    }

    /// Takes note of what was seen of a pool, and returns the alerts that began to fire and those that
    /// are resolved.
    pub(crate) fn observe(&mut self, at: Moment, pool: &str, sight: &Sight) -> Vec<Alert> {
        if !self.pools.contains_key(pool) {
            let states = self.rules.0.iter().map(|_| State::Inactive).collect();
            self.pools.insert(pool.into(), states);
        }
        let (name, _) = self.pools.get_key_value(pool).expect("bug: just put there");
        let name = Arc::clone(name);
        let states = self.pools.get_mut(pool).expect("bug: just put there");
        let steps = self.rules.0.iter().zip(&sight.0).zip(states);
        steps.filter_map(|((rule, value), state)| rule.step(at, &name, state, *value)).collect()
    }

    /// Forgets a pool that is closed or gone, and returns its alerts as resolved: there is nothing
    /// left to be done about them.
    pub(crate) fn withdraw(&mut self, at: Moment, pool: &str) -> Vec<Alert> {
        let states = self.pools.remove(pool).unwrap_or_default();
        states.into_iter().filter_map(|state| state.resolve(at.wall)).collect()
    }

    /// Whether there is no pool.
    pub(crate) fn is_idle(&self) -> bool {
        self.pools.is_empty()
    }

    /// The alert of the same rule and pool as it is now, if it fires.
    pub(crate) fn current(&self, alert: &Alert) -> Option<&Alert> {
        let mut firing = self.pools.get(&alert.pool)?.iter().filter_map(State::firing);
        firing.find(|it| it.rule == alert.rule)
    }

    /// The alerts that fire, by rule and pool.
    pub(crate) fn firing(&self) -> Vec<Alert> {
        let firing = self.pools.values().flatten().filter_map(State::firing);
        let mut firing: Vec<_> = firing.cloned().collect();
        firing.sort_by(|a, b| (&a.rule, &a.pool).cmp(&(&b.rule, &b.pool)));
        firing
    }
}

impl WatchedRule {
    /// The one transition of an alert. Returns it if it began to fire or is resolved.
    fn step(
        &self,
        at: Moment,
        pool: &Arc<str>,
        state: &mut State,
        value: Option<f64>,
    ) -> Option<Alert> {
        let rule = &self.rule;
        match state {
            State::Inactive | State::Pending { .. } => {
                let Some(value) = value.filter(|value| rule.bound.is_passed_by(*value)) else {
                    *state = State::Inactive;
                    return None;
                };
                let since = match state {
                    State::Pending { since } => *since,
                    State::Inactive | State::Firing { .. } => at,
                };
                if at.now.since(since.now) < rule.lasting {
                    *state = State::Pending { since };
                    return None;
                }
                let alert = self.alert(pool, since.wall, value);
                *state = State::Firing { alert: alert.clone(), better_since: None };
                Some(alert)
            }
            State::Firing { alert, better_since } => {
                if let Some(value) = value.filter(|value| rule.clear_bound().is_passed_by(*value)) {
                    *better_since = None;
                    // What made it fire stays in the message, not the value on its way back.
                    if rule.bound.is_passed_by(value) {
                        *alert = self.alert(pool, alert.started, value);
                    }
                    return None;
                }
                let better = *better_since.get_or_insert(at.now);
                if at.now.since(better) < rule.keep_firing {
                    return None;
                }
                std::mem::replace(state, State::Inactive).resolve(at.wall)
            }
        }
    }

    fn alert(&self, pool: &Arc<str>, started: SystemTime, value: f64) -> Alert {
        Alert {
            rule: Arc::clone(&self.name),
            pool: Arc::clone(pool),
            severity: self.rule.severity,
            summary: self.rule.summary_of(pool, value),
            value,
            started,
            resolved: None,
        }
    }
}

impl State {
    /// Its alert, if it fires.
    const fn firing(&self) -> Option<&Alert> {
        match self {
            Self::Firing { alert, .. } => Some(alert),
            Self::Inactive | Self::Pending { .. } => None,
        }
    }

    /// Its alert, now resolved, if it fired.
    fn resolve(self, at: SystemTime) -> Option<Alert> {
        match self {
            Self::Firing { alert, .. } => Some(Alert { resolved: Some(at), ..alert }),
            Self::Inactive | Self::Pending { .. } => None,
        }
    }
}
