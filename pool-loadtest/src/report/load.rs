//! What kind of load a run was.

use serde::{Deserialize, Serialize};

/// What kind of load a run was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LoadReport {
    /// `closed`: a task asks again only after it has its answer. `open`: arrivals do not wait for
    /// each other, and each is timed from the moment it was meant to start.
    pub model: LoadModel,
    /// The arrivals in words that the command line reads, such as `poisson 2000/s`; of a closed loop
    /// the think time, if there is one.
    pub arrivals: String,
    /// Tasks of a closed loop.
    pub tasks: Option<usize>,
    /// Most operations under way at once of an open loop; an arrival beyond them is dropped.
    pub in_flight_limit: Option<usize>,
    /// How long the load ran before it was measured, in seconds.
    pub warm_up_seconds: f64,
}

/// Whether arrivals wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoadModel {
    /// A task asks again only after it has its answer.
    Closed,
    /// Arrivals do not wait for each other.
    Open,
}
