//! The health of a run's pool: of a database that is asked on a connection of its own. For the live
//! line, and for the report.

use std::fmt::{self, Display, Formatter};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use pool_core::ControlHandle;
use pool_health::{Health, HealthChange, HealthChecker, HealthOptions, HealthState};
use schemars::JsonSchema;
use serde::Serialize;

use crate::tester::Progress;
use crate::words::paragraph;

/// Asks how the pool of a run is, until the load is over.
pub(super) struct HealthWatch {
    /// Absent then: its connection is to be gone before the pool is closed, lest it be the last one that
    /// a program on its way out should have closed.
    checker: Option<HealthChecker>,
    /// As it was when progress was last told.
    state: HealthState,
    /// When the load began.
    began: Option<SystemTime>,
    /// The latest change before the load.
    before: u64,
    /// The latest change that was told.
    told: u64,
    /// How the pool was when the load began; from its end on also what became of it.
    seen: Vec<HealthEvent>,
}

/// How the pool was from some time on.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(super) struct HealthEvent {
    /// Seconds since the load began.
    pub(super) at_seconds: f64,
    /// `healthy`, `degraded` ...
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
        Ok(Self {
            checker: Some(checker),
            state: HealthState::Unknown,
            began: None,
            before: 0,
            told: 0,
            seen: Vec::new(),
        })
    }

    pub(super) fn state(&self) -> HealthState {
        self.state
    }

    /// What is worth telling and was not told yet.
    pub(super) fn news(&mut self, progress: &Progress) -> Vec<HealthEvent> {
        let Some(checker) = self.checker.take() else { return Vec::new() };
        // Before the state: what changes in between is told, twice rather than not at all.
        let mut changes = checker.changes();
        let health = checker.health();
        self.state = health.state;
        let latest = changes.last().map_or(0, |change| change.number);
        let Some(began) = self.began else {
            self.checker = Some(checker);
            self.before = latest;
            self.told = latest;
            return self.begin(&health, progress.elapsed);
        };
        changes.retain(|change| change.number > self.before);
        if progress.ended {
            self.seen.extend(changes.iter().map(|change| event(change, began)));
        } else {
            self.checker = Some(checker);
        }
        changes.retain(|change| change.number > self.told);
        self.told = latest;
        // That a pool is found to be as it should be says nothing.
        let first_answer = (HealthState::Unknown, HealthState::Healthy);
        changes.retain(|change| (change.from, change.to) != first_answer);
        changes.iter().map(|change| event(change, began)).collect()
    }

    /// The load has begun; how the pool is, if that is worth telling.
    fn begin(&mut self, health: &Health, elapsed: Duration) -> Vec<HealthEvent> {
        let (now, state) = (SystemTime::now(), health.state.name());
        self.began = Some(now.checked_sub(elapsed).unwrap_or(now));
        let start = HealthEvent { at_seconds: 0.0, state, reasons: health.reasons.clone() };
        self.seen.push(start.clone());
        let is_news = !matches!(health.state, HealthState::Healthy | HealthState::Unknown);
        if is_news { vec![start] } else { Vec::new() }
    }

    /// How the pool was when the load began, and the latest hundred changes until its end.
    pub(super) fn seen(self) -> HealthSeen {
        HealthSeen(self.seen)
    }
}

fn event(change: &HealthChange, began: SystemTime) -> HealthEvent {
    let at = change.at.duration_since(began).unwrap_or_default();
    let reasons = change.reasons.clone();
    HealthEvent { at_seconds: at.as_secs_f64(), state: change.to.name(), reasons }
}

/// What is added to the report.
#[derive(JsonSchema, Serialize)]
#[serde(transparent)]
pub(super) struct HealthSeen(Vec<HealthEvent>);

impl HealthSeen {
    /// When, in seconds since the load began, and how the pool was from then on.
    pub(super) fn happenings(&self) -> Vec<(f64, String)> {
        self.0.iter().map(|event| (event.at_seconds, event.to_string())).collect()
    }
}

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
