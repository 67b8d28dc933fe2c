//! Little's law as a check of a report's figures.

use serde::{Deserialize, Serialize};

/// Little's law: on average as many are under way as arrive per second, times the seconds each stays.
/// What the pool counted must agree with what the load tester timed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LittlesLaw {
    /// Connections in use on average, by the pool's own hold times.
    pub in_use: f64,
    /// Operations per second times their mean service time, which must be the same.
    pub rate_times_service: f64,
    /// By how much they differ, as a share of the larger, 0 to 1.
    pub difference: f64,
    /// Whether they agree within a few percent.
    pub holds: bool,
    /// In words: that they agree, or why they do not.
    pub detail: String,
}
