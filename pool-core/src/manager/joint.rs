//! What several pools come to together: their statistics, and how they closed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::brief::Brief;
use crate::error::CloseReport;
use crate::stats::{AcquireCounts, Circuit, PoolState, PoolStats};

/// A snapshot of every pool. Each is consistent in itself; they were taken one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JointStats {
    /// Every pool's name and snapshot, in the order of the file.
    pub pools: Vec<(Arc<str>, PoolStats)>,
    /// Their sums.
    pub total: Totals,
}

/// Sums over several pools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Pools that serve acquires: neither paused nor closed.
    pub serving: usize,
    /// Pools whose last connect failed.
    pub failing: usize,
    /// Hard cap on connections; [`PoolConfig::UNLIMITED`](crate::PoolConfig::UNLIMITED) if a pool
    /// has none.
    pub max_open: usize,
    /// Connections idle, in use and being opened.
    pub open: usize,
    /// Connections ready to be handed out.
    pub idle: usize,
    /// Connections handed out, being checked or being reset.
    pub in_use: usize,
    /// Connects in flight.
    pub opening: usize,
    /// Acquires waiting.
    pub waiting: usize,
    /// How acquires ended.
    pub acquires: AcquireCounts,
    /// Connections opened.
    pub opened: u64,
    /// Connects failed.
    pub open_failed: u64,
    /// Connections closed, for whatever reason.
    pub closed: u64,
}

impl JointStats {
    pub(super) fn new(pools: Vec<(Arc<str>, PoolStats)>) -> Self {
        let mut total = Totals::default();
        for (_, stats) in &pools {
            total.add(stats);
        }
        Self { pools, total }
    }
}

impl Totals {
    fn add(&mut self, stats: &PoolStats) {
        self.serving += usize::from(stats.state == PoolState::Open);
        self.failing += usize::from(stats.circuit != Circuit::Closed);
        self.max_open = self.max_open.saturating_add(stats.max_open);
        self.open += stats.open;
        self.idle += stats.idle;
        self.in_use += stats.in_use;
        self.opening += stats.opening;
        self.waiting += stats.waiting;
        self.acquires += stats.acquires;
        self.opened += stats.opened;
        self.open_failed += stats.open_failed;
        self.closed += stats.closed.total();
    }
}

/// What [`ConnectionManager::close`](crate::ConnectionManager::close) found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct ManagerCloseReport {
    /// How long closing all of them took.
    pub took: Duration,
    /// Every pool's name and report, in the order of the file.
    pub pools: Vec<(Arc<str>, CloseReport)>,
}

impl ManagerCloseReport {
    /// Whether every connection of every pool was back and closed before the deadline.
    #[must_use]
    pub fn drained(&self) -> bool {
        self.pools.iter().all(|(_, report)| report.drained)
    }
}

impl fmt::Display for ManagerCloseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drained = self.pools.iter().filter(|(_, report)| report.drained).count();
        let (took, all) = (Brief(self.took), self.pools.len());
        let pools = if all == 1 { "pool" } else { "pools" };
        write!(f, "closed {all} {pools} after {took}; every connection was back in {drained}")?;
        let undrained = self.pools.iter().filter(|(_, report)| !report.drained);
        for (pool, report) in undrained {
            write!(f, "\n  {pool}: {report}")?;
        }
        Ok(())
    }
}
