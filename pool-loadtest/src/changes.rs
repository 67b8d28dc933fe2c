//! Changes of the pool as their time comes, and what came of them.

use std::collections::VecDeque;
use std::fmt;
use std::future::pending;

use pool_core::{ControlHandle, PoolState};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use crate::change::{Action, Change};

/// A change whose time came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ChangeReport {
    /// When, in seconds since the load was measured.
    pub at_seconds: f64,
    /// What was asked for.
    pub action: String,
    /// Whether it was done.
    pub outcome: ChangeOutcome,
    /// What came of it, or why it was refused.
    pub detail: String,
}

/// Whether a change was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeOutcome {
    /// It was.
    Applied,
    /// The pool did not take it, and is as it was.
    Refused,
}

/// What happened, without the time.
impl fmt::Display for ChangeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.outcome {
            ChangeOutcome::Applied => f.write_str(&self.detail),
            ChangeOutcome::Refused => write!(f, "{} was refused: {}", self.action, self.detail),
        }
    }
}

/// Makes the changes of a run as their time comes.
pub(crate) struct Changes {
    pool: ControlHandle,
    began: Instant,
    /// The next one first.
    left: VecDeque<Change>,
    /// Whether the pool waits for this run to resume it.
    has_paused: bool,
    made: Vec<ChangeReport>,
    /// How many of these were told.
    told: usize,
    most_open: usize,
}

impl Changes {
    /// Those of a load that is measured from then on, in whatever order.
    pub(crate) fn new(pool: ControlHandle, began: Instant, mut changes: Vec<Change>) -> Self {
        // Those of the same time stay in their order.
        changes.sort_by_key(|change| change.at);
        let most_open = pool.config().max_open;
        let (left, made) = (changes.into(), Vec::new());
        Self { pool, began, left, has_paused: false, made, told: 0, most_open }
    }

    /// Waits for the time of the next one, and makes it. Without a next one it waits for ever.
    pub(crate) async fn make_next(&mut self) {
        let next = self.left.front().and_then(|change| self.began.checked_add(change.at));
        match next {
            Some(time) => sleep_until(time).await,
            None => pending().await,
        }
        if let Some(Change { action, .. }) = self.left.pop_front() {
            self.make(&action);
        }
    }

    fn make(&mut self, action: &Action) {
        let done = action.apply(&self.pool);
        if [Action::PAUSE, Action::RESUME].contains(action) {
            self.has_paused = *action == Action::PAUSE;
        }
        self.most_open = self.most_open.max(self.pool.config().max_open);
        let (outcome, detail) = match done {
            Ok(detail) => (ChangeOutcome::Applied, detail),
            Err(error) => {
                let problems: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
                (ChangeOutcome::Refused, problems.join("; "))
            }
        };
        let at_seconds = self.began.elapsed().as_secs_f64();
        self.made.push(ChangeReport { at_seconds, action: action.to_string(), outcome, detail });
    }

    /// Those made since the last time this was asked.
    pub(crate) fn news(&mut self) -> Vec<ChangeReport> {
        let news = self.made[self.told..].to_vec();
        self.told = self.made.len();
        news
    }

    /// Those made so far, and the largest `max_open` there was.
    pub(crate) fn so_far(&self) -> (Vec<ChangeReport>, usize) {
        (self.made.clone(), self.most_open)
    }

    /// The load is over. A pool that it left paused is resumed: what follows needs connections, also if
    /// the load died.
    pub(crate) fn end(&mut self) {
        if self.has_paused && self.pool.state() == PoolState::Paused {
            self.make(&Action::RESUME);
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.end();
    }
}
