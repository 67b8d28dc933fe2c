//! Figures of one kind of operation.

use serde::{Deserialize, Serialize};

use super::latency::Latency;

/// What a run found of one kind of operation, such as `transfer`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct KindReport {
    /// Its name, as the workload calls it.
    pub name: String,
    /// Operations that succeeded.
    pub operations: u64,
    /// Operations that failed.
    pub errors: u64,
    /// From wanting a connection to having it.
    pub wait: Latency,
    /// From having it to having given it back.
    pub service: Latency,
    /// Both; in an open loop from the intended start.
    pub response: Latency,
}
