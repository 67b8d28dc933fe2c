//! What the monitor shows of one pool.

use std::sync::Arc;
use std::time::Duration;

use pool_core::runtime::Instant;
use pool_core::{Holder, Metadata, PoolConfig, PoolStats, Sizing, ToldHealth};

use crate::history::History;
use crate::recorder::Leak;
use crate::window::{Window, utilisation};

/// One pool at one moment: its numbers, and what happened since the moment before.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The pool's name.
    pub pool: Arc<str>,
    /// When it was taken, by the runtime's clock.
    pub at: Instant,
    /// The pool's numbers, counted since it was made.
    pub stats: PoolStats,
    /// What happened since the snapshot before.
    pub since_last: Window,
    /// For how long the pool has been full without a break, as often as it was looked at; `None` if it
    /// is not. An unlimited pool never is.
    pub full_for: Option<Duration>,
    /// How long ago the pool was last seen full; `None` if it never was.
    pub last_full: Option<Duration>,
    /// Who holds connections, longest first.
    pub holders: Vec<Holder>,
    /// The latest checkout that was held for longer than `leak_after`.
    pub last_leak: Option<Leak>,
    /// What the latest connect failed with, and that with, and so on; `None` if none ever did.
    pub last_connect_error: Option<Arc<str>>,
    /// What whoever checks the pool has told of its health; `None` if nobody has, or it is closed.
    pub health: Option<ToldHealth>,
    /// What whoever adapts the pool has told of its size; `None` if nobody has, or it is closed.
    pub sizing: Option<Sizing>,
}

impl Snapshot {
    /// The part of `max_open` that is in use or being opened; 0 for an unlimited pool.
    #[must_use]
    pub fn utilisation(&self) -> f64 {
        utilisation(&self.stats)
    }

    /// Acquires that ended a second, since the snapshot before.
    #[must_use]
    pub fn acquires_per_second(&self) -> f64 {
        self.since_last.per_second(self.since_last.ended())
    }

    /// The wait that half of the acquires did not exceed; zero if there were none.
    #[must_use]
    pub fn wait_p50(&self) -> Duration {
        self.since_last.wait.quantile(0.5).unwrap_or_default()
    }

    /// The wait that 99 of 100 acquires did not exceed; zero if there were none. From the histogram, not
    /// estimated from an average.
    #[must_use]
    pub fn wait_p99(&self) -> Duration {
        self.since_last.wait.quantile(0.99).unwrap_or_default()
    }

    /// Acquires that failed and connects that failed, since the snapshot before.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.since_last.acquires.failed() + self.since_last.open_failed
    }

    /// Idle connections found dead by a check, since the snapshot before.
    #[must_use]
    pub fn check_failures(&self) -> u64 {
        self.since_last.closed.of(pool_core::CloseReason::CheckFailed)
    }
}

/// All that is known of one pool: its latest snapshot, its history and its settings.
///
/// Cheap to clone; it does not change when the monitor takes the next snapshot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PoolView {
    /// The latest snapshot.
    pub snapshot: Arc<Snapshot>,
    /// The last quarter of an hour.
    pub history: Arc<History>,
    /// The configuration in force.
    pub config: Arc<PoolConfig>,
    /// What is known of the database. Nothing secret.
    pub metadata: Arc<Metadata>,
}
