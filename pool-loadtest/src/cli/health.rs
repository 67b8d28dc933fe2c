//! The health of a run's pool: of a database that is asked on a connection of its own. For the live
//! line, and for the report.

use std::fmt::{self, Display, Formatter};
use std::iter::once;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use pool_core::ControlHandle;
use pool_health::{HealthChange, HealthChecker, HealthOptions, HealthState};
use serde::Serialize;

use crate::words::paragraph;

/// Asks how the pool of a run is.
pub(super) struct HealthWatch {
    checker: HealthChecker,
    /// When the load began, and how the pool was then.
    start: Option<(SystemTime, HealthEvent)>,
    /// Up to when changes were told.
    told: SystemTime,
}

/// How the pool was from some time on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct HealthEvent {
    /// Seconds since the load began.
    pub(super) at_seconds: f64,
    state: &'static str,
    /// Why it was not healthy.
    reasons: Vec<String>,
}

/// The state and why, without the time.
impl Display for HealthEvent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.state)?;
        if self.reasons.is_empty() { Ok(()) } else { write!(f, ": {}", self.reasons.join("; ")) }
    }
}

impl HealthWatch {
    /// Begins to ask, so often that a run of seconds shows something. Needs a tokio runtime around it.
    pub(super) fn start(pool: &ControlHandle) -> anyhow::Result<Self> {
        let options = HealthOptions {
            interval: Duration::from_secs(1),
            doubt_interval: Duration::from_millis(200),
            timeout: Duration::from_secs(1),
            ..HealthOptions::default()
        };
        let checker = HealthChecker::start(pool, options).context("cannot watch its health")?;
        Ok(Self { checker, start: None, told: SystemTime::UNIX_EPOCH })
    }

    pub(super) fn state(&self) -> HealthState {
        self.checker.health().state
    }

    /// What is worth telling and was not told yet, in a load that began `elapsed` ago.
    pub(super) fn news(&mut self, elapsed: Duration) -> Vec<HealthEvent> {
        let Some((began, _)) = self.start else { return self.begin(elapsed) };
        let mut news = self.checker.changes();
        news.retain(|change| change.at > self.told);
        self.told = news.last().map_or(self.told, |change| change.at);
        // That a pool is found to be as it should be says nothing.
        let first_answer = (HealthState::Unknown, HealthState::Healthy);
        news.retain(|change| (change.from, change.to) != first_answer);
        news.iter().map(|change| event(change, began)).collect()
    }

    /// The load has begun; how the pool is, if that is worth telling.
    fn begin(&mut self, elapsed: Duration) -> Vec<HealthEvent> {
        let (health, now) = (self.checker.health(), SystemTime::now());
        self.told = health.at;
        let reasons = health.reasons.clone();
        let start = HealthEvent { at_seconds: 0.0, state: health.state.name(), reasons };
        self.start = Some((now.checked_sub(elapsed).unwrap_or(now), start.clone()));
        let is_news = !matches!(health.state, HealthState::Healthy | HealthState::Unknown);
        if is_news { vec![start] } else { Vec::new() }
    }

    /// Asks no more. How the pool was when the load began, and the latest hundred changes since then.
    pub(super) fn end(self) -> HealthSeen {
        let Some((began, start)) = self.start else { return HealthSeen(Vec::new()) };
        let changes = self.checker.changes();
        let since = changes.iter().filter(|change| change.at > began);
        let later = since.map(|change| event(change, began));
        HealthSeen(once(start).chain(later).collect())
    }
}

fn event(change: &HealthChange, began: SystemTime) -> HealthEvent {
    let at = change.at.duration_since(began).unwrap_or_default();
    let reasons = change.reasons.clone();
    HealthEvent { at_seconds: at.as_secs_f64(), state: change.to.name(), reasons }
}

/// What is added to the report.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct HealthSeen(Vec<HealthEvent>);

impl Display for HealthSeen {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let [only] = &self.0[..] {
            return paragraph(f, "health", &only.to_string());
        }
        for (number, event) in self.0.iter().enumerate() {
            let label = if number == 0 { "health" } else { "" };
            paragraph(f, label, &format!("{:.1} s: {event}", event.at_seconds))?;
        }
        Ok(())
    }
}
