//! A run as a series of points, one for each second.

use serde::{Deserialize, Serialize};

/// One second of a run; the last may be shorter. Times are in microseconds.
///
/// There are at most 3 600 points: those of a run that is longer than an hour last longer. Of points
/// that were shorter once, the median is the average of their medians, and 99 % took no longer than
/// told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Point {
    /// When it ended, in seconds since the load was measured.
    pub at_seconds: f64,
    /// How long it lasted, in seconds.
    pub seconds: f64,
    /// Operations that succeeded in it.
    pub operations: u64,
    /// Operations that failed in it.
    pub errors: u64,
    /// Arrivals dropped in it, because too many operations were under way.
    pub dropped: u64,
    /// These operations' median response.
    pub response_p50: Option<f64>,
    /// 99 % of them took no longer.
    pub response_p99: Option<f64>,
    /// The longest of them.
    pub response_max: Option<f64>,
    /// Connections in use at its end.
    pub in_use: usize,
    /// Idle connections at its end.
    pub idle: usize,
    /// Connections being opened at its end.
    pub opening: usize,
    /// Acquires waiting at its end.
    pub waiting: usize,
    /// The pool's `max_open` at its end; `None` if unlimited.
    pub max_open: Option<usize>,
}
