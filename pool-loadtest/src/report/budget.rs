//! What share of a server's connections a pool may have.

use serde::{Deserialize, Serialize};

/// What share of a server's connections each replica of an application may have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BudgetReport {
    /// Connections that the server allows this account in this database.
    pub limit: usize,
    /// What sets this limit, such as `max_connections`.
    pub limited_by: String,
    /// Of these, kept for administrators or by `--reserve`.
    pub reserved: usize,
    /// Connections of others, open when it was asked.
    pub others: usize,
    /// Replicas of the application, each with a pool of its own.
    pub replicas: usize,
    /// Further ones that a deployment starts before it stops others.
    pub surge: usize,
    /// The largest `max_open` with which all replicas fit.
    pub max_open_each: usize,
    /// The pool's `max_open`; `None` if unlimited.
    pub max_open: Option<usize>,
    /// Whether `replicas` times `max_open` fits.
    pub fits: bool,
    /// The same in words.
    pub detail: String,
}
