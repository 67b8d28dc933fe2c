//! How a checker works, and why it cannot.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pool_core::runtime::{NoRuntime, Runtime};

use crate::check::Check;

/// How a [`HealthChecker`](crate::HealthChecker) works.
///
/// A database that fails is found to be down within `fall` x `interval` + `timeout`, one that is back
/// within `rise` x `interval` + `timeout`.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use pool_health::{HealthOptions, RoleIs};
/// use pool_core::Role;
///
/// let options = HealthOptions {
///     interval: Duration::from_secs(5),
///     checks: vec![Arc::new(RoleIs(Role::ReadWrite))],
///     ..HealthOptions::default()
/// };
/// assert_eq!((options.rise, options.fall), (2, 3));
/// ```
#[derive(Clone)]
pub struct HealthOptions {
    /// From the beginning of one probe to that of the next, less up to a tenth of it, so that the
    /// programs of a fleet do not ask in step: from 10 ms to an hour. Default: 10 s.
    pub interval: Duration,
    /// The same while it is in doubt, because a probe spoke against what is held of the database; at most
    /// `interval`. Default: 1 s.
    pub doubt_interval: Duration,
    /// How long a probe may take, with its connect and all its checks; at most `interval`. Default: 3 s.
    pub timeout: Duration,
    /// How many good probes in a row make it up again; at least 1. Default: 2.
    pub rise: u32,
    /// How many bad ones make it down; at least 1. Default: 3.
    pub fall: u32,
    /// What a probe asks beside whether the server answers, in this order. Default: nothing.
    pub checks: Vec<Arc<dyn Check>>,
    /// Whether each probe also asks for the server's role, for [`Health::role`](crate::Health::role).
    /// Default: no.
    pub learn_role: bool,
    /// How old the checker's own connection gets before it is replaced, so that it is not the last one to
    /// a server which its name no longer means; it is kept, and the health degraded, while another cannot
    /// be opened. Default: a minute.
    pub fresh_after: Duration,
    /// How long acquires must have waited for a pool that is full, or cannot open what it may, until it is
    /// called saturated. Default: 5 s.
    pub saturated_after: Duration,
    /// Instead of the default one.
    pub runtime: Option<Arc<dyn Runtime>>,
}

impl Default for HealthOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            doubt_interval: Duration::from_secs(1),
            timeout: Duration::from_secs(3),
            rise: 2,
            fall: 3,
            checks: Vec::new(),
            learn_role: false,
            fresh_after: Duration::from_mins(1),
            saturated_after: Duration::from_secs(5),
            runtime: None,
        }
    }
}

impl fmt::Debug for HealthOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checks: Vec<_> = self.checks.iter().map(|check| check.name()).collect();
        f.debug_struct("HealthOptions")
            .field("interval", &self.interval)
            .field("doubt_interval", &self.doubt_interval)
            .field("timeout", &self.timeout)
            .field("rise", &self.rise)
            .field("fall", &self.fall)
            .field("checks", &checks)
            .field("learn_role", &self.learn_role)
            .field("fresh_after", &self.fresh_after)
            .field("saturated_after", &self.saturated_after)
            .finish_non_exhaustive()
    }
}

/// Why a checker could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HealthError {
    /// The options contradict themselves, or are out of their ranges.
    #[error("{}", .0.join("; "))]
    Options(Vec<String>),
    /// The calling thread is not inside an async runtime.
    #[error(transparent)]
    NoRuntime(#[from] NoRuntime),
}

/// The shortest and the longest interval.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_hours(1));

impl HealthOptions {
    /// Every problem at once.
    pub(crate) fn validate(&self) -> Result<(), HealthError> {
        let mut problems = Vec::new();
        let mut demand = |holds: bool, problem: String| {
            if !holds {
                problems.push(problem);
            }
        };
        let Self { interval, doubt_interval, timeout, rise, fall, .. } = self;
        demand(
            (INTERVALS.0..=INTERVALS.1).contains(interval),
            format!("interval = {interval:?} is out of its range: choose from 10ms to 1h"),
        );
        demand(
            (INTERVALS.0..=*interval).contains(doubt_interval),
            format!("doubt_interval = {doubt_interval:?} must be from 10ms to interval"),
        );
        demand(
            !timeout.is_zero() && timeout <= interval,
            format!("timeout = {timeout:?} must be more than nothing and at most interval"),
        );
        demand(*rise > 0, "rise = 0 must be at least 1".to_owned());
        demand(*fall > 0, "fall = 0 must be at least 1".to_owned());
        for check in &self.checks {
            let (every, name) = (check.every(), check.name());
            demand(
                every.is_none_or(|every| every >= Duration::from_secs(1)),
                format!("the check {name} is asked every {every:?}: choose 1s or more"),
            );
            demand(!check.limit().is_zero(), format!("the check {name} has no time: limit = 0"));
        }
        if problems.is_empty() { Ok(()) } else { Err(HealthError::Options(problems)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_at_once() {
        let options = HealthOptions {
            interval: Duration::from_millis(1),
            doubt_interval: Duration::from_secs(2),
            timeout: Duration::ZERO,
            rise: 0,
            fall: 0,
            ..HealthOptions::default()
        };
        let refused = options.validate().expect_err("nothing of it is right");
        assert_eq!(
            refused.to_string(),
            "interval = 1ms is out of its range: choose from 10ms to 1h; doubt_interval = 2s must be \
             from 10ms to interval; timeout = 0ns must be more than nothing and at most interval; rise \
             = 0 must be at least 1; fall = 0 must be at least 1"
        );
        assert_eq!(HealthOptions::default().validate(), Ok(()));
    }
}
