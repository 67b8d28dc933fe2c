//! A line on each pool now and then, for those who look at logs.

use std::time::Duration;

use pool_core::runtime::Instant;

use crate::view::PoolView;

/// When lines are written.
pub(super) struct LogLines {
    every: Option<Duration>,
    next: Instant,
}

impl LogLines {
    pub(super) fn new(every: Option<Duration>) -> Self {
        Self { every, next: Instant::EPOCH }
    }

    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let Some(every) = self.every.filter(|_| now >= self.next) else { return false };
        self.next = now.after(every);
        true
    }
}

/// Writes the line. Durations are in milliseconds.
pub(super) fn write(view: &PoolView) {
    let snapshot = &*view.snapshot;
    let stats = &snapshot.stats;
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    tracing::info!(
        target: "pool_monitor",
        pool = &*snapshot.pool,
        open = stats.open,
        in_use = stats.in_use,
        idle = stats.idle,
        opening = stats.opening,
        waiting = stats.waiting,
        max_open = stats.max_open,
        peak_in_use = stats.peak_in_use,
        utilisation = snapshot.utilisation(),
        acquires_per_second = snapshot.acquires_per_second(),
        wait_p50_ms = milliseconds(snapshot.wait_p50()),
        wait_p99_ms = milliseconds(snapshot.wait_p99()),
        oldest_wait_ms = milliseconds(stats.oldest_wait),
        errors = snapshot.errors(),
        check_failures = snapshot.check_failures(),
        circuit = stats.circuit.name(),
        "pool statistics"
    );
}
