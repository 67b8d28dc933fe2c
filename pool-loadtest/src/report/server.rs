//! What the server itself counted during a run.

use serde::{Deserialize, Serialize};

/// What the server itself counted during a run, where the driver can ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ServerReport {
    /// What it calls itself, such as `PostgreSQL 15.8`.
    pub version: Option<String>,
    /// Counters and how much they grew during the load; what can be asked depends on the server.
    pub counters: Vec<ServerCounter>,
    /// What they say of operations that wait, in plain words; empty if nothing.
    pub findings: Vec<String>,
    /// What could not be asked, and why; empty if all could.
    pub missing: Vec<String>,
}

/// One counter of a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ServerCounter {
    /// Its name, such as `transactions committed`.
    pub name: String,
    /// How much it grew during the load, or, where it is a level, how high it was at most when it was
    /// looked at.
    pub value: f64,
    /// What it is counted in, such as `transactions`, `ms`, `bytes`.
    pub unit: String,
}
