//! What happened to a pool in a stretch of time. Two that follow each other add up to one.

use std::time::Duration;

use pool_core::{AcquireCounts, CloseReason, ClosedCounts, PoolConfig, PoolStats};

use crate::histogram::Distribution;
use crate::recorder::{Ages, Sample};

/// At most this part of it in use, a pool is calm.
pub(crate) const CALM: f64 = 0.7;

/// What happened to a pool in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Window {
    /// How long the stretch is.
    pub span: Duration,
    /// Acquires that ended in it, by how.
    pub acquires: AcquireCounts,
    /// Acquires that began to wait.
    pub wait_count: u64,
    /// Time that acquires spent waiting, in sum.
    pub wait_time: Duration,
    /// Time that connections were held, in sum over those released.
    pub hold_time: Duration,
    /// Connections opened.
    pub opened: u64,
    /// Connects that failed.
    pub open_failed: u64,
    /// Connections closed, by reason.
    pub closed: ClosedCounts,
    /// Checkouts that came to be held for longer than `leak_after`.
    pub leaks_suspected: u64,
    /// Configurations that were refused.
    pub configurations_refused: u64,
    /// How old the connections were that a check found dead.
    pub died: Option<Ages>,
    /// The shortest time that one of them had been idle.
    pub died_idle: Option<Duration>,
    /// How long acquires waited, whatever became of them; those that were refused at once are not among
    /// them.
    pub wait: Distribution,
    /// How long connections were held.
    pub held: Distribution,
    /// How long connects took that succeeded.
    pub connect: Distribution,
    /// Connections in use.
    pub in_use: Extent,
    /// Idle connections.
    pub idle: Extent,
    /// Acquires waiting.
    pub waiting: Extent,
    /// The longest that a waiting acquire was seen to have waited.
    pub oldest_wait: Duration,
    /// For how much of the span the pool was full when it was looked at.
    pub full: Duration,
    /// How many connections might be open, at its end.
    pub max_open: usize,
}

impl Window {
    pub(crate) fn between(before: &Sample, after: &Sample) -> Self {
        let (then, now) = (&before.stats, &after.stats);
        let span = after.at.since(before.at);
        let in_use = Extent { max: after.most_in_use, ..Extent::of(now.in_use, span) };
        Self {
            span,
            acquires: now.acquires.since(&then.acquires),
            wait_count: now.wait_count.saturating_sub(then.wait_count),
            wait_time: now.wait_time.saturating_sub(then.wait_time),
            hold_time: now.hold_time.saturating_sub(then.hold_time),
            opened: now.opened.saturating_sub(then.opened),
            open_failed: now.open_failed.saturating_sub(then.open_failed),
            closed: now.closed.since(&then.closed),
            leaks_suspected: after.leaks.saturating_sub(before.leaks),
            configurations_refused: after.refused.saturating_sub(before.refused),
            died: after.died,
            died_idle: after.died_idle,
            wait: after.wait.since(&before.wait),
            held: after.held.since(&before.held),
            connect: after.connect.since(&before.connect),
            in_use,
            idle: Extent::of(now.idle, span),
            waiting: Extent::of(now.waiting, span),
            oldest_wait: now.oldest_wait,
            full: if is_full(now) { span } else { Duration::ZERO },
            max_open: now.max_open,
        }
    }

    /// All of `windows`, which follow each other, as one.
    pub(crate) fn merge<'a>(windows: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let mut all = Self::default();
        for window in windows.clone() {
            all.in_use = all.in_use.and(window.in_use, all.span.is_zero());
            all.idle = all.idle.and(window.idle, all.span.is_zero());
            all.waiting = all.waiting.and(window.waiting, all.span.is_zero());
            all.span += window.span;
            all.acquires += window.acquires;
            all.wait_count += window.wait_count;
            all.wait_time += window.wait_time;
            all.hold_time += window.hold_time;
            all.opened += window.opened;
            all.open_failed += window.open_failed;
            all.closed += window.closed;
            all.leaks_suspected += window.leaks_suspected;
            all.configurations_refused += window.configurations_refused;
            all.died = Ages::of_both(all.died, window.died);
            all.died_idle = [all.died_idle, window.died_idle].into_iter().flatten().min();
            all.oldest_wait = all.oldest_wait.max(window.oldest_wait);
            all.full += window.full;
            all.max_open = window.max_open;
        }
        all.wait = Distribution::merge(windows.clone().map(|window| &window.wait));
        all.held = Distribution::merge(windows.clone().map(|window| &window.held));
        all.connect = Distribution::merge(windows.map(|window| &window.connect));
        all
    }

    /// `count` of the window's events as a rate; 0 for an empty window.
    #[must_use]
    pub fn per_second(&self, count: u64) -> f64 {
        if self.span.is_zero() { 0.0 } else { count as f64 / self.span.as_secs_f64() }
    }

    /// The same, a minute.
    #[must_use]
    pub fn per_minute(&self, count: u64) -> f64 {
        self.per_second(count) * 60.0
    }

    /// Acquires that ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.acquires.succeeded() + self.acquires.failed() + self.acquires.cancelled
    }

    /// Connections that were opened only to take the place of closed ones: connects that a larger
    /// `max_idle` or a longer idle time would have spared. What closed for good or died is none, and neither
    /// is what had reached its lifetime.
    #[must_use]
    pub fn churned(&self) -> u64 {
        let spared = [CloseReason::Surplus, CloseReason::Idle];
        let closed: u64 = spared.iter().map(|reason| self.closed.of(*reason)).sum();
        closed.min(self.opened)
    }

    /// How long a connection was held on average; `None` if none was released.
    #[must_use]
    pub fn mean_hold(&self) -> Option<Duration> {
        let released = u32::try_from(self.held.count()).ok()?;
        self.hold_time.checked_div(released)
    }

    /// How many connections were in use on average: by Little's law, from how long they were held, where
    /// enough were released to say so, or as often as it was looked at, whichever is more. Looks miss a use
    /// that is as regular as they are; Little's law misses what is held for longer than the window.
    #[must_use]
    pub fn mean_in_use(&self) -> f64 {
        self.mean(self.held.count(), self.hold_time, self.in_use)
    }

    /// Whether the pool was far from its limit all the time.
    pub(crate) fn is_calm(&self) -> bool {
        self.full.is_zero() && self.mean_in_use() <= CALM * self.max_open as f64
    }

    /// How many acquires waited on average, likewise.
    #[must_use]
    pub fn mean_waiting(&self) -> f64 {
        self.mean(self.wait_count, self.wait_time, self.waiting)
    }

    fn mean(&self, count: u64, time: Duration, looked: Extent) -> f64 {
        const ENOUGH: u64 = 20;
        if count < ENOUGH || self.span.is_zero() {
            return looked.mean(self.span);
        }
        (time.as_secs_f64() / self.span.as_secs_f64()).max(looked.mean(self.span))
    }

    /// Bytes it takes beside its own size.
    #[cfg(test)]
    pub(crate) fn heap(&self) -> usize {
        self.wait.heap() + self.held.heap() + self.connect.heap()
    }
}

/// The part of `max_open` that is in use or being opened; 0 for an unlimited pool, which is never full.
#[must_use]
pub fn utilisation(stats: &PoolStats) -> f64 {
    match stats.max_open {
        PoolConfig::UNLIMITED => 0.0,
        max_open => (stats.in_use + stats.opening) as f64 / max_open as f64,
    }
}

/// Whether no connection is at hand and none more may be opened.
#[must_use]
pub(crate) fn is_full(stats: &PoolStats) -> bool {
    stats.in_use + stats.opening >= stats.max_open
}

/// The values of a gauge, as often as it was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Extent {
    /// The least.
    pub min: usize,
    /// The most. Of connections in use it is the peak also between two looks; it may be too high by as many
    /// as were given back in the very moment that others were acquired, but not above the pool's own
    /// `peak_in_use`.
    pub max: usize,
    /// Values times the time they were held for, in seconds.
    area: f64,
}

impl Extent {
    fn of(value: usize, span: Duration) -> Self {
        Self { min: value, max: value, area: value as f64 * span.as_secs_f64() }
    }

    fn and(self, later: Self, is_first: bool) -> Self {
        if is_first {
            return later;
        }
        Self {
            min: self.min.min(later.min),
            max: self.max.max(later.max),
            area: self.area + later.area,
        }
    }

    /// The average over a `span`, which is the window's.
    #[must_use]
    pub fn mean(&self, span: Duration) -> f64 {
        if span.is_zero() { self.max as f64 } else { self.area / span.as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::{Histogram, Totals};

    const SEC: Duration = Duration::from_secs(1);

    /// Ten seconds, in which 100 connections came back after 50 ms each.
    fn window(seen_in_use: usize) -> Window {
        let histogram = Histogram::new();
        (0..100).for_each(|_| histogram.record(SEC / 20));
        let held = histogram.totals().since(&Totals::zero());
        let in_use = Extent::of(seen_in_use, 10 * SEC);
        Window { span: 10 * SEC, held, hold_time: 5 * SEC, in_use, ..Window::default() }
    }

    #[test]
    fn what_does_not_come_back_in_the_window_is_in_use_too() {
        let mean = window(9).mean_in_use();
        assert!((mean - 9.0).abs() < 1e-9, "{mean}");
    }

    #[test]
    fn a_use_that_no_look_meets_counts() {
        let mean = window(0).mean_in_use();
        assert!((mean - 0.5).abs() < 1e-9, "{mean}");
    }
}
