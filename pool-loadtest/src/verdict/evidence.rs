//! What a verdict is made from.

use std::time::Duration;

use pool_core::PoolConfig;

use crate::recorder::AcquireCause;

/// What a verdict is made from. Times are averages in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub(crate) tasks: usize,
    pub(crate) config: PoolConfig,
    /// Whether the figures are of a pool that was changed meanwhile.
    pub(crate) is_mixed: bool,
    /// Processor cores of this machine.
    pub(crate) cores: usize,
    /// Operations that succeeded.
    pub(crate) operations: u64,
    /// Operations that failed, and most of them how.
    pub(crate) errors: u64,
    pub(crate) most_errors: Option<MostErrors>,
    /// What was lost or done twice, if anything was.
    pub(crate) broken: Option<String>,
    /// Why the load generator could not keep up, if it could not.
    pub(crate) saturated: Option<String>,
    /// Operations per second.
    pub(crate) throughput: f64,
    /// For a connection, once it was asked for.
    pub(crate) wait: f64,
    pub(crate) service: f64,
    /// Half of the operations take no longer than this once they have a connection.
    pub(crate) median: f64,
    /// An operation while one task ran alone.
    pub(crate) alone: Option<f64>,
    /// Whether the load began without one, as was asked for.
    pub(crate) began_cold: bool,
    pub(crate) network: Network,
    /// Average share of the connections in use, 0 to 1.
    pub(crate) utilisation: f64,
    pub(crate) peak_in_use: usize,
    /// How long connections were in use, in sum.
    pub(crate) held: Duration,
    /// Acquires beyond one for each operation: by the operations themselves, or by other users of the
    /// pool.
    pub(crate) nested: u64,
    /// Acquires that timed out, or still waited when the time was up.
    pub(crate) unserved: u64,
    /// Operations dropped at work, because they went on for too long after the end.
    pub(crate) dropped: u64,
    /// Connections still out after the last operation, and who holds them.
    pub(crate) left_out: usize,
    pub(crate) holders: Vec<String>,
    pub(crate) churned: Churned,
}

/// The errors there were most of.
#[derive(Clone, Debug)]
pub(crate) struct MostErrors {
    pub(crate) kind: String,
    pub(crate) count: u64,
    pub(crate) acquire: Option<AcquireCause>,
}

/// The way to the database, measured before the load.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Network {
    /// There and back, with a statement that costs nothing, in microseconds.
    pub(crate) round_trip: Option<f64>,
    /// Statements of an operation; `None` if the driver does not tell of them.
    pub(crate) statements: Option<f64>,
}

/// Connections opened and closed during the load.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Churned {
    pub(crate) opened: u64,
    /// How long that took, in sum.
    pub(crate) opening: Duration,
    /// Closed because more were idle than are kept.
    pub(crate) surplus: u64,
    /// Closed because of their age.
    pub(crate) lifetime: u64,
    /// Closed because they were idle for too long.
    pub(crate) idle: u64,
    /// Closed because they were left broken, or found dead.
    pub(crate) broken: u64,
}
