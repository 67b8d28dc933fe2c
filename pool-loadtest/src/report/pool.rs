//! What the pool did during a run, as numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use pool_core::{AcquireCounts, CloseReason, PoolConfig, PoolStats};
use serde::{Deserialize, Serialize};

use super::Loaded;
use crate::words::grouped;

/// What a pool did during the load; see [`PoolStats`]. Its first four fields are how it was at the
/// end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PoolReport {
    /// Connections idle, in use and being opened.
    pub open: usize,
    /// Idle connections.
    pub idle: usize,
    /// Connections in use.
    pub in_use: usize,
    /// Acquires waiting.
    pub waiting: usize,
    /// Most connections in use at once during the load.
    pub peak_in_use: usize,
    /// Whether `peak_in_use` is exact. Otherwise there were as many at some time before the load, so
    /// that the pool's own statistics cannot tell, and it is the most that was seen now and then: at
    /// least so many.
    pub peak_is_exact: bool,
    /// Average share of `max_open` in use during the run, 0 to 1; of the largest if it was changed
    /// meanwhile, of the peak if it was unlimited.
    pub utilisation: f64,
    /// How acquires ended.
    pub acquires: AcquireReport,
    /// Acquires that had to wait.
    pub wait_count: u64,
    /// Time spent waiting, in sum, in seconds.
    pub wait_seconds: f64,
    /// Connections opened.
    pub opened: u64,
    /// Time that opening them took, in sum, in seconds.
    pub opening_seconds: f64,
    /// Connects that failed.
    pub open_failed: u64,
    /// Connections closed, by reason.
    pub closed: BTreeMap<String, u64>,
}

/// How acquires ended; see [`pool_core::AcquireCounts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields of AcquireCounts, documented there")]
pub struct AcquireReport {
    pub started: u64,
    pub immediate: u64,
    pub waited: u64,
    pub opened: u64,
    pub timed_out: u64,
    pub queue_full: u64,
    pub closed: u64,
    pub connect_failed: u64,
    pub no_runtime: u64,
    pub cancelled: u64,
}

impl PoolReport {
    /// What the load brought about, and how things were at the `end`.
    pub(crate) fn new(loaded: &Loaded, end: &PoolStats) -> Self {
        let Loaded { before, after, opening, elapsed, most_open, most_in_use, .. } = loaded;
        let peak_is_exact =
            after.peak_in_use > before.peak_in_use || *most_in_use >= after.peak_in_use;
        let had_any = after.acquires.since(&before.acquires).succeeded() > 0;
        let seen = (*most_in_use).max(usize::from(had_any));
        let peak_in_use = if peak_is_exact { after.peak_in_use } else { seen };
        let closed = CloseReason::ALL.map(|reason| {
            (reason.name().to_owned(), after.closed.of(reason) - before.closed.of(reason))
        });
        Self {
            open: end.open,
            idle: end.idle,
            in_use: held(end),
            waiting: end.waiting,
            peak_in_use,
            peak_is_exact,
            utilisation: utilisation(before, after, *elapsed, *most_open, peak_in_use),
            acquires: AcquireReport::new(&before.acquires, &after.acquires),
            wait_count: after.wait_count - before.wait_count,
            wait_seconds: after.wait_time.saturating_sub(before.wait_time).as_secs_f64(),
            opened: after.opened - before.opened,
            opening_seconds: opening.as_secs_f64(),
            open_failed: after.open_failed - before.open_failed,
            closed: closed.into_iter().collect(),
        }
    }

    /// Most connections in use at once: `at most 4 at once`, as far as that is known.
    pub(crate) fn peak_in_words(&self) -> String {
        let most = if self.peak_is_exact { "at most" } else { "at least" };
        format!("{most} {} at once", grouped(self.peak_in_use as u64))
    }
}

impl AcquireReport {
    fn new(before: &AcquireCounts, after: &AcquireCounts) -> Self {
        let since = |count: fn(&AcquireCounts) -> u64| count(after) - count(before);
        Self {
            started: since(|it| it.started),
            immediate: since(|it| it.immediate),
            waited: since(|it| it.waited),
            opened: since(|it| it.opened),
            timed_out: since(|it| it.timed_out),
            queue_full: since(|it| it.queue_full),
            closed: since(|it| it.closed),
            connect_failed: since(|it| it.connect_failed),
            no_runtime: since(|it| it.no_runtime),
            cancelled: since(|it| it.cancelled),
        }
    }
}

/// Connections in the hands of users.
fn held(stats: &PoolStats) -> usize {
    stats.in_use - stats.checking - stats.resetting
}

fn utilisation(
    before: &PoolStats,
    after: &PoolStats,
    elapsed: Duration,
    most_open: usize,
    peak_in_use: usize,
) -> f64 {
    let held = after.hold_time.saturating_sub(before.hold_time).as_secs_f64();
    let most = match most_open {
        PoolConfig::UNLIMITED => peak_in_use.max(1),
        most => most,
    };
    (held / elapsed.as_secs_f64().max(1e-9) / most as f64).min(1.0)
}
