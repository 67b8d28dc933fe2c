//! What is told: an alert, and a notification of several.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pool_core::runtime::Instant;

use super::rule::Severity;

/// Now, on both clocks: durations are measured on the steady one, people and receivers are told the
/// time on the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The runtime's clock.
    pub(crate) now: Instant,
    /// The time of day.
    pub(crate) wall: SystemTime,
}

/// One rule that holds for one pool.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Alert {
    /// The rule.
    pub rule: Arc<str>,
    /// The pool.
    pub pool: Arc<str>,
    /// How bad it is.
    pub severity: Severity,
    /// The rule's sentence for this pool.
    pub summary: String,
    /// The value when it was last looked at and beyond the threshold.
    pub value: f64,
    /// Since when it was so: with a rule's `for`, that long before the alert fired.
    pub started: SystemTime,
    /// When it was over, if it is.
    pub resolved: Option<SystemTime>,
}

impl Alert {
    /// Whether it is still so.
    #[must_use]
    pub const fn is_firing(&self) -> bool {
        self.resolved.is_none()
    }
}

/// What one rule has to say to one sink: an alert for each pool that it holds for, and for each for
/// which it is over since the last time.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Notification {
    /// Unlike any other's; the same each time that delivery is tried.
    pub id: String,
    /// The rule.
    pub rule: Arc<str>,
    /// How bad it is.
    pub severity: Severity,
    /// The alerts by their pools; at least one.
    pub alerts: Vec<Alert>,
    /// When it was made.
    pub at: SystemTime,
    /// When it is said again, if it does not change before that.
    pub repeat: Duration,
    /// What the program says of itself, see [`AlertOptions::labels`](super::AlertOptions::labels).
    pub labels: Arc<BTreeMap<String, String>>,
}

impl Notification {
    /// Whether one of its alerts fires; it is over for all of them, else.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        self.alerts.iter().any(Alert::is_firing)
    }

    /// Such as `CRITICAL wait: firing for 2 pools`.
    #[must_use]
    pub fn title(&self) -> String {
        let severity = self.severity.name().to_uppercase();
        let firing = self.alerts.iter().filter(|alert| alert.is_firing()).count();
        let (state, count) =
            if firing > 0 { ("firing", firing) } else { ("resolved", self.alerts.len()) };
        let of_which = match self.alerts.iter().find(|alert| alert.is_firing() == (firing > 0)) {
            Some(alert) if count == 1 => format!("the pool {}", alert.pool),
            _ => format!("{count} pools"),
        };
        format!("{severity} {}: {state} for {of_which}", self.rule)
    }

    /// Whether there is anything to tell: alerts may be over, and forgotten, before it is delivered.
    pub(crate) fn has_alerts(&self) -> bool {
        !self.alerts.is_empty()
    }

    /// Takes over what an older one of the same rule would have told that this one does not: what is
    /// over. An older one's alert that fires and is not in this one fires no more.
    pub(crate) fn supersede(&mut self, older: Self) {
        for alert in older.alerts.into_iter().filter(|alert| !alert.is_firing()) {
            if !self.alerts.iter().any(|newer| newer.pool == alert.pool) {
                self.alerts.push(alert);
            }
        }
        self.alerts.sort_by(|a, b| a.pool.cmp(&b.pool));
    }
}
