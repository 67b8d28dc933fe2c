//! A line on each pool now and then, and what must not wait for it, for those who look at logs.

use std::time::Duration;

use pool_core::PoolConfig;
use pool_core::runtime::Instant;

use crate::view::PoolView;
use crate::window::Window;

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

/// Writes the line, about what happened in `window`. Durations are in milliseconds.
pub(super) fn write(view: &PoolView, window: &Window) {
    let stats = &view.snapshot.stats;
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    let wait = |part| window.wait.quantile(part).map(milliseconds);
    tracing::info!(
        target: "pool_monitor",
        pool = &*view.snapshot.pool,
        open = stats.open,
        in_use = stats.in_use,
        idle = stats.idle,
        opening = stats.opening,
        waiting = stats.waiting,
        max_open = (stats.max_open != PoolConfig::UNLIMITED).then_some(stats.max_open),
        utilisation = view.snapshot.utilisation(),
        most_in_use = window.in_use.max,
        acquires_per_second = window.per_second(window.ended()),
        wait_p50_ms = wait(0.5),
        wait_p99_ms = wait(0.99),
        oldest_wait_ms = milliseconds(stats.oldest_wait),
        failed_acquires = window.acquires.failed(),
        failed_connects = window.open_failed,
        failed_checks = window.closed.of(pool_core::CloseReason::CheckFailed),
        connects = window.opened,
        circuit = stats.circuit.name(),
        "pool statistics"
    );
}

/// Says what must be known at once, where it happened since the last look.
pub(super) fn warn(view: &PoolView) {
    let snapshot = &*view.snapshot;
    let (pool, window) = (&*snapshot.pool, &snapshot.since_last);
    if window.open_failed > 0 {
        let error = snapshot.last_connect_error.as_deref();
        let circuit = snapshot.stats.circuit.name();
        tracing::warn!(target: "pool_monitor", pool, failed = window.open_failed, circuit, error, "connects fail");
    }
    if window.leaks_suspected > 0
        && let Some(leak) = snapshot.last_leak
    {
        let (site, held) = (leak.site, leak.held);
        let leaks = window.leaks_suspected;
        tracing::warn!(target: "pool_monitor", pool, leaks, %site, ?held, "connections are held suspiciously long");
    }
}
