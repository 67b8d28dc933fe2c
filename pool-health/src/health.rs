//! What is known of a pool's health: a snapshot, and how it came about.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use pool_core::HealthState;
use pool_core::{Circuit, PoolState, Role};

use crate::check::Finding;

/// What one check found last.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// The check.
    pub check: Arc<str>,
    /// What it found.
    pub finding: Finding,
    /// When.
    pub at: SystemTime,
    /// How long it took.
    pub took: Duration,
}

/// The health of a pool, as of the latest look at it. Nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The pool's name.
    pub pool: Arc<str>,
    /// How well it can serve.
    pub state: HealthState,
    /// Since when that is so.
    pub since: SystemTime,
    /// Why it is not healthy; empty if it is.
    pub reasons: Vec<String>,
    /// What each check found last; one that was not run yet is not there.
    pub checks: Vec<CheckReport>,
    /// What the server said of its role last, if it is asked for
    /// ([`HealthOptions::learn_role`](crate::HealthOptions::learn_role)), until it is down.
    pub role: Option<Role>,
    /// Whether the pool serves acquires.
    pub pool_state: PoolState,
    /// Whether the pool's connects succeed.
    pub circuit: Circuit,
    /// Whether probes succeed: open from the probe on that made it unhealthy, also for a server that
    /// accepts connections and cannot serve; half open while it seems to come back.
    pub probe_circuit: Circuit,
    /// Whether the latest probe spoke against the state, or none has ended yet: a few more decide.
    pub is_in_doubt: bool,
    /// When the latest probe ended, and how long it took.
    pub probed: Option<(SystemTime, Duration)>,
    /// When this was looked at.
    pub at: SystemTime,
}

/// A line: `orders: degraded: saturated for 12.0 s: ...`.
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pool, self.state)?;
        if !self.reasons.is_empty() {
            write!(f, ": {}", self.reasons.join("; "))?;
        }
        Ok(())
    }
}

/// One change of a pool's state of health.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthChange {
    /// Its place among all changes that the checker has seen, counted from 1: what comes later has a
    /// greater one, whatever the clock says.
    pub number: u64,
    /// When.
    pub at: SystemTime,
    /// What it was before.
    pub from: HealthState,
    /// What it became.
    pub to: HealthState,
    /// Why it is not healthy; empty if it is.
    pub reasons: Vec<String>,
}

impl fmt::Display for HealthChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.to)?;
        if !self.reasons.is_empty() {
            write!(f, ": {}", self.reasons.join("; "))?;
        }
        Ok(())
    }
}
