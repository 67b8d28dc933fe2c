//! How the load generator itself fared.

use serde::{Deserialize, Serialize};

use super::latency::Latency;

/// How the load generator itself fared. If it is saturated, the figures say more of it than of the
/// pool, and nothing is recommended from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct GeneratorReport {
    /// Whether the generator could not keep up with what it was asked for.
    pub saturated: bool,
    /// Why, in plain words; how it fared otherwise.
    pub detail: String,
    /// Arrivals that were due; of a closed loop the operations begun.
    pub arrivals: u64,
    /// Arrivals dropped: because the limit of operations under way was reached, or because no
    /// connection was asked for when the time was up.
    pub dropped: u64,
    /// From the moment an arrival was due to the moment the generator asked for a connection; `None`
    /// in a closed loop. It is part of `wait` and of `response`.
    pub lateness: Option<Latency>,
    /// Processor time this process used during the load, in cores; `None` where it cannot be read.
    pub cores_used: Option<f64>,
}
