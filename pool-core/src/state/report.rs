//! What a pool says of itself: statistics, holders, failures.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use super::State;
use super::slots::Phase;
use super::waiters::Reason;
use crate::error::{AcquireErrorKind, AcquireFailure, AcquirePhase, CallSite};
use crate::error::{Circumstances, ConnectFailures, Holder, SharedError};
use crate::runtime::Instant;
use crate::stats::{AcquireCounts, PoolStats};

/// How many call sites a failure names.
const NAMED_HOLDERS: usize = 3;
/// Holders are computed for failures at most this often, and shared between them.
const HOLDERS_FRESH: Duration = Duration::from_millis(100);

impl<C> State<C> {
    pub(crate) fn stats(&self, now: Instant) -> PoolStats {
        let counters = &self.counters;
        let acquires = counters.acquires;
        let ended = acquires.succeeded() + acquires.failed() + acquires.cancelled;
        PoolStats {
            state: self.gate,
            circuit: self.circuit(),
            max_open: self.limits.max_open,
            opening_ceiling: self.opening_ceiling(now),
            max_idle: self.limits.max_idle,
            open: self.slots.open(),
            idle: self.slots.idle(),
            in_use: self.slots.in_use(),
            checking: self.slots.count(Phase::Checking),
            resetting: self.slots.count(Phase::Resetting),
            opening: self.slots.count(Phase::Opening),
            closing: self.slots.count(Phase::Closing),
            probes: counters.probes,
            waiting: self.waiters.queued(),
            oldest_wait: self.waiters.oldest_since().map_or(Duration::ZERO, |s| now.since(s)),
            peak_in_use: counters.peak_in_use,
            acquires: AcquireCounts { started: ended + self.waiters.pending() as u64, ..acquires },
            wait_count: counters.wait_count,
            wait_time: from_nanos(counters.wait_time),
            hold_time: from_nanos(counters.hold_time),
            opened: counters.opened,
            open_failed: counters.open_failed,
            closed: counters.closed,
            generation: self.generation,
        }
    }

    /// Counts a probe connection in.
    pub(crate) fn probe_opened(&mut self) {
        self.counters.probes += 1;
    }

    /// Counts a probe connection out.
    pub(crate) fn probe_closed(&mut self) {
        self.counters.probes -= 1;
    }

    /// Every call site that holds connections, longest first.
    pub(crate) fn all_holders(&self, now: Instant) -> Vec<Holder> {
        let mut holders: Vec<Holder> = Vec::new();
        for (_, slot) in self.slots.occupied() {
            let (Phase::InUse, Some(site)) = (slot.phase(), slot.site) else { continue };
            let held = now.since(slot.since);
            match holders.iter_mut().find(|holder| holder.site == site) {
                Some(holder) => {
                    holder.count += 1;
                    holder.longest = holder.longest.max(held);
                }
                None => holders.push(Holder { site, count: 1, longest: held }),
            }
        }
        holders.sort_by_key(|holder| Reverse(holder.longest));
        holders
    }

    /// Why acquires fail at `now`.
    pub(super) fn reason(
        &mut self,
        kind: AcquireErrorKind,
        phase: AcquirePhase,
        now: Instant,
    ) -> Reason {
        let circumstances = Circumstances {
            stats: self.stats(now),
            holders: self.longest_holders(now),
            connects: self.connect_failures(now),
        };
        Reason { kind, at: now, phase, no_runtime: None, circumstances: Arc::new(circumstances) }
    }

    /// Everything an acquire is told that began at `since` and failed.
    pub(super) fn failure(&self, reason: Reason, since: Instant, site: CallSite) -> AcquireFailure {
        let Reason { kind, at, phase, no_runtime, circumstances } = reason;
        let waited = at.since(since);
        let pool = Arc::clone(&self.name);
        AcquireFailure { kind, phase, waited, site, pool, circumstances, no_runtime }
    }

    fn longest_holders(&mut self, now: Instant) -> Arc<[Holder]> {
        if let Some((at, longest)) = &self.holders
            && now.since(*at) < HOLDERS_FRESH
        {
            return Arc::clone(longest);
        }
        let mut holders = self.all_holders(now);
        holders.truncate(NAMED_HOLDERS);
        let longest: Arc<[Holder]> = holders.into();
        self.holders = Some((now, Arc::clone(&longest)));
        longest
    }

    fn connect_failures(&self, now: Instant) -> Option<ConnectFailures> {
        self.outage.failures().map(|failures| ConnectFailures {
            error: SharedError::clone(&failures.error),
            class: failures.class,
            attempts: failures.attempts,
            lasting: now.since(failures.first),
            ago: now.since(failures.last),
        })
    }
}

fn from_nanos(nanos: u128) -> Duration {
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    Duration::new(seconds, (nanos % 1_000_000_000) as u32)
}
