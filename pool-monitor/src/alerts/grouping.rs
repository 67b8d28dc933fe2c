//! What one sink is told, and when: alerts grouped by their rule.
//!
//! By rule and not by pool, since there are few rules and may be a thousand pools: when a database goes
//! down, each rule is one message that lists the pools. And all alerts of a group are equally bad, so
//! that whom it is for does not depend on what else is in it.
//!
//! A group waits for a moment after its first change, so that what comes together is told together.
//! What came and went in that moment is not told at all, and a group that fires is told again from time
//! to time, and soon if the last time was in vain.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pool_core::runtime::Instant;

use super::alert::{Alert, Notification};
use super::engine::Engine;
use super::rule::Severity;

/// After how long a group is told again of which a notification was lost: as Alertmanager's default
/// `group_interval`, after which that tries again what it could not deliver.
const AFTER_LOSS: Duration = Duration::from_mins(5);

/// What decides whether and when a sink is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) minimum_severity: Severity,
    pub(crate) send_resolved: bool,
    pub(crate) group_wait: Duration,
    pub(crate) repeat: Duration,
}

/// The groups of one sink.
#[derive(Debug)]
pub(crate) struct Grouping {
    manner: Manner,
    groups: BTreeMap<Arc<str>, Group>,
}

/// The alerts of one rule.
#[derive(Debug, Default)]
struct Group {
    /// By pool: those that fire, and those that are over and of which the sink was told that they
    /// fire.
    alerts: BTreeMap<Arc<str>, Told>,
    /// When what has changed is told.
    due: Option<Instant>,
    /// When it was told last; none before the first time, and if that was lost.
    told: Option<Instant>,
}

#[derive(Debug)]
struct Told {
    alert: Alert,
    /// Whether the sink believes that it fires.
    is_told: bool,
}

impl Grouping {
    pub(crate) fn new(manner: Manner) -> Self {
        Self { manner, groups: BTreeMap::new() }
    }

    /// Takes note of an alert that began to fire or is resolved.
    pub(crate) fn change(&mut self, now: Instant, alert: &Alert) {
        if alert.severity < self.manner.minimum_severity {
            return;
        }
        let group = self.groups.entry(Arc::clone(&alert.rule)).or_default();
        let is_told = group.alerts.get(&alert.pool).is_some_and(|known| known.is_told);
        if alert.is_firing() || (is_told && self.manner.send_resolved) {
            let told = Told { alert: alert.clone(), is_told };
            group.alerts.insert(Arc::clone(&alert.pool), told);
            group.is_due_by(now.after(self.manner.group_wait));
        } else {
            group.alerts.remove(&alert.pool);
        }
        group.due = group.due.filter(|_| group.has_news());
        self.forget_empty();
    }

    /// Takes note of what the sink was not told after all. It is told again, with the rest of its group,
    /// if it is still so, or was to say that it is over.
    pub(crate) fn lost(&mut self, now: Instant, lost: Notification) {
        let Manner { group_wait, repeat, .. } = self.manner;
        let group = self.groups.entry(lost.rule).or_default();
        let mut is_missed = false;
        for alert in lost.alerts {
            let pool = Arc::clone(&alert.pool);
            if !alert.is_firing() {
                group.alerts.entry(Arc::clone(&pool)).or_insert(Told { alert, is_told: true });
            }
            is_missed |= group.alerts.contains_key(&pool);
        }
        if is_missed {
            group.told = None;
            group.is_due_by(now.after(AFTER_LOSS.max(group_wait).min(repeat)));
        }
        self.forget_empty();
    }

    /// What is to be told by now, with the values as they are now.
    pub(crate) fn due(&mut self, now: Instant, engine: &Engine) -> Vec<Vec<Alert>> {
        let repeat = self.manner.repeat;
        self.tell(now, engine, |group| {
            group.due.is_some_and(|due| due <= now) || group.is_to_be_repeated(now, repeat)
        })
    }

    /// What has not been told yet, however short it has waited.
    pub(crate) fn rest(&mut self, engine: &Engine) -> Vec<Vec<Alert>> {
        self.tell(Instant::NEVER, engine, |group| group.due.is_some())
    }

    fn tell(
        &mut self,
        now: Instant,
        engine: &Engine,
        is_due: impl Fn(&Group) -> bool,
    ) -> Vec<Vec<Alert>> {
        let due = self.groups.values_mut().filter(|group| is_due(group));
        let told = due.map(|group| group.tell(now, engine)).collect();
        self.forget_empty();
        told
    }

    fn forget_empty(&mut self) {
        self.groups.retain(|_, group| !group.alerts.is_empty());
    }
}

impl Group {
    /// Whether the sink believes something that is not so, or may, since it was told in vain.
    fn has_news(&self) -> bool {
        self.told.is_none() || self.alerts.values().any(|it| it.alert.is_firing() != it.is_told)
    }

    fn is_due_by(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    fn is_to_be_repeated(&self, now: Instant, repeat: Duration) -> bool {
        let is_firing = || self.alerts.values().any(|it| it.alert.is_firing());
        self.told.is_some_and(|told| now.since(told) >= repeat) && is_firing()
    }

    fn tell(&mut self, now: Instant, engine: &Engine) -> Vec<Alert> {
        (self.due, self.told) = (None, Some(now));
        // One that is over is none of the engine's any more.
        let latest = |it: &Told| engine.current(&it.alert).unwrap_or(&it.alert).clone();
        let alerts = self.alerts.values().map(latest).collect();
        self.alerts.retain(|_, it| it.alert.is_firing());
        self.alerts.values_mut().for_each(|it| it.is_told = true);
        alerts
    }
}
