//! A snapshot, made of the latest probes and the pool's own figures.

use std::time::SystemTime;

use pool_core::{Brief, Circuit, ControlHandle, PoolState, PoolStats, ShareState};

use super::prober::Prober;
use crate::health::{Health, HealthChange, HealthState};
use crate::judge::Verdict;

/// Why one that is closed does not serve.
pub(super) const CLOSED: &str = "the pool is closed";

/// What is known before the first probe.
pub(super) fn unknown(pool: &ControlHandle) -> Health {
    let now = SystemTime::now();
    Health {
        pool: pool.name().into(),
        state: HealthState::Unknown,
        since: now,
        reasons: vec!["no probe has ended yet".to_owned()],
        checks: Vec::new(),
        role: None,
        pool_state: pool.state(),
        circuit: pool.circuit(),
        probe_circuit: Circuit::Closed,
        is_in_doubt: true,
        probed: None,
        at: now,
    }
}

impl Prober {
    /// The snapshot as of now.
    pub(super) fn look(&mut self) -> Health {
        let figures = self.inner.pool.stats();
        let saturated = self.saturation(&figures);
        let (state, reasons) = self.judged(&figures, saturated);
        let now = SystemTime::now();
        Health {
            pool: self.inner.pool.name().into(),
            state,
            since: now,
            reasons,
            checks: self.reports(),
            role: self.role,
            pool_state: figures.state,
            circuit: figures.circuit,
            probe_circuit: self.judge.circuit(),
            is_in_doubt: self.judge.is_in_doubt(),
            probed: self.probed,
            at: now,
        }
    }

    fn judged(&self, stats: &PoolStats, saturated: Option<String>) -> (HealthState, Vec<String>) {
        if stats.state == PoolState::Closed {
            return (HealthState::Unhealthy, vec![CLOSED.to_owned()]);
        }
        let withheld = self.withheld();
        match self.judge.verdict() {
            Verdict::Unknown => (HealthState::Unknown, self.doubts()),
            Verdict::Down => {
                let reasons = self.why_down().into_iter().chain(withheld).collect();
                (HealthState::Unhealthy, reasons)
            }
            Verdict::Up => {
                let cannot_serve = withheld.is_some() && stats.idle + stats.in_use == 0;
                let mut reasons = self.doubts();
                reasons.extend(withheld);
                reasons.extend(saturated);
                if stats.state == PoolState::Paused {
                    reasons.push(format!("the pool is paused, {} acquires wait", stats.waiting));
                }
                // One that nobody asks finds out nothing by itself.
                if stats.circuit != Circuit::Closed && !self.has_connected {
                    reasons.push("the pool's latest connect failed".to_owned());
                }
                reasons.extend(self.complaints(self.inner.runtime.now()));
                let found = match reasons.is_empty() {
                    _ if cannot_serve => HealthState::Unhealthy,
                    true => HealthState::Healthy,
                    false => HealthState::Degraded,
                };
                (found, reasons)
            }
        }
    }

    /// Why the pool may open nothing, as a member of a fleet. What it has may serve all the same.
    fn withheld(&self) -> Option<String> {
        let share = self.inner.pool.sizing()?.share?;
        let is_withheld = share.state != ShareState::Granted;
        is_withheld.then(|| format!("fleet {}: {}", share.fleet.as_str(), share.reason))
    }

    /// What the latest probe failed by although that is not enough to be sure.
    fn doubts(&self) -> Vec<String> {
        let (against, needed) = self.judge.doubt();
        let failures = self.failures().into_iter();
        failures.map(|why| format!("{why} (probe {against} of {needed} to fail)")).collect()
    }

    /// While it seems to come back, nothing fails any more.
    fn why_down(&self) -> Vec<String> {
        let failures = self.failures();
        if failures.is_empty() {
            let (against, needed) = self.judge.doubt();
            return vec![format!("back for {against} of {needed} probes")];
        }
        failures
    }

    /// Whether acquires have waited for long for a pool that is full, or cannot grow. A pool is not
    /// unhealthy for it: more programs would only ask more of the same database.
    fn saturation(&mut self, stats: &PoolStats) -> Option<String> {
        let now = self.inner.runtime.now();
        if !is_full(stats) {
            self.full_since = None;
            return None;
        }
        let full_for = now.since(*self.full_since.get_or_insert(now));
        let PoolStats { in_use, open, max_open, waiting, .. } = *stats;
        let used = if open >= max_open {
            format!("{in_use} of {max_open} connections are in use")
        } else {
            format!("{in_use} connections are in use, no more can be opened")
        };
        (full_for >= self.inner.options.saturated_after)
            .then(|| format!("saturated for {}: {used}, {waiting} acquires wait", Brief(full_for)))
    }
}

/// Whether acquires wait for nothing but each other: no connection is idle, and none can be opened, for a
/// limit or because the server turns connects away.
fn is_full(stats: &PoolStats) -> bool {
    let is_at_limit = stats.open >= stats.opening_ceiling || stats.circuit != Circuit::Closed;
    stats.state == PoolState::Open && stats.waiting > 0 && stats.idle == 0 && is_at_limit
}

/// A line in the log for a change of state. That a pool was closed is what its program wanted.
pub(super) fn tell(health: &Health, change: &HealthChange) {
    let (pool, HealthChange { from, to, reasons, .. }) = (&*health.pool, change);
    let reasons = reasons.join("; ");
    if (to.serves() && reasons.is_empty()) || health.pool_state == PoolState::Closed {
        tracing::info!(target: "pool_health", pool, %from, %to, reasons, "the pool's health has changed");
    } else {
        tracing::warn!(target: "pool_health", pool, %from, %to, reasons, "the pool's health has changed");
    }
}
