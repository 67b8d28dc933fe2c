//! What a pool has counted: one consistent snapshot, and the same in the words of Go.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

/// Why a connection left the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// Idle for longer than `max_idle_time`.
    Idle,
    /// Older than `max_lifetime`, less its jitter.
    Lifetime,
    /// More idle connections than `max_idle`, or more open ones than `max_open`.
    Surplus,
    /// Left broken by its user, by a panic, or by a reset that failed.
    Broken,
    /// Found dead by a check.
    CheckFailed,
    /// Older than the last `invalidate`.
    Invalidated,
    /// The pool was closed.
    PoolClosed,
    /// Taken out of the pool by its user.
    Detached,
}

impl CloseReason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Idle,
        Self::Lifetime,
        Self::Surplus,
        Self::Broken,
        Self::CheckFailed,
        Self::Invalidated,
        Self::PoolClosed,
        Self::Detached,
    ];

    /// The name used in metrics and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Lifetime => "lifetime",
            Self::Surplus => "surplus",
            Self::Broken => "broken",
            Self::CheckFailed => "check_failed",
            Self::Invalidated => "invalidated",
            Self::PoolClosed => "pool_closed",
            Self::Detached => "detached",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Connections closed since the pool was made, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClosedCounts([u64; CloseReason::ALL.len()]);

impl ClosedCounts {
    /// How many were closed for `reason`.
    #[must_use]
    pub fn of(&self, reason: CloseReason) -> u64 {
        self.0[reason as usize]
    }

    /// How many were closed.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Every reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (CloseReason, u64)> + '_ {
        CloseReason::ALL.into_iter().map(|reason| (reason, self.of(reason)))
    }

    /// What was counted since the same pool's `earlier` counts.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = *self;
        for (count, before) in since.0.iter_mut().zip(earlier.0) {
            *count = count.saturating_sub(before);
        }
        since
    }

    pub(crate) fn count(&mut self, reason: CloseReason) {
        self.0[reason as usize] += 1;
    }
}

impl AddAssign for ClosedCounts {
    fn add_assign(&mut self, other: Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

/// How acquires ended since the pool was made.
///
/// `started` is the sum of all others, of the acquires waiting now, and of those that have their
/// answer and have not looked at it yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcquireCounts {
    /// Acquires that were polled at least once.
    pub started: u64,
    /// Served at once by an idle connection.
    pub immediate: u64,
    /// Served after waiting, by a connection that was open already.
    pub waited: u64,
    /// Served after waiting, by a newly opened connection.
    pub opened: u64,
    /// Failed at their deadline.
    pub timed_out: u64,
    /// Failed at once, with `max_waiters` acquires waiting.
    pub queue_full: u64,
    /// Failed because the pool was closed.
    pub closed: u64,
    /// Failed before their deadline, because no connection can be opened.
    pub connect_failed: u64,
    /// Failed because they would have had to wait outside an async runtime.
    pub no_runtime: u64,
    /// Dropped by the caller before they were served.
    pub cancelled: u64,
}

impl AcquireCounts {
    /// Acquires that got a connection.
    #[must_use]
    pub const fn succeeded(&self) -> u64 {
        self.immediate + self.waited + self.opened
    }

    /// Acquires that ended in an error.
    #[must_use]
    pub const fn failed(&self) -> u64 {
        self.timed_out + self.queue_full + self.closed + self.connect_failed + self.no_runtime
    }
}

impl AcquireCounts {
    /// What was counted since the same pool's `earlier` counts.
    #[must_use]
    pub fn since(mut self, earlier: &Self) -> Self {
        for (count, before) in self.counts().into_iter().zip({ *earlier }.counts()) {
            *count = count.saturating_sub(*before);
        }
        self
    }

    fn counts(&mut self) -> [&mut u64; 10] {
        let Self {
            started,
            immediate,
            waited,
            opened,
            timed_out,
            queue_full,
            closed,
            connect_failed,
            no_runtime,
            cancelled,
        } = self;
        [
            started,
            immediate,
            waited,
            opened,
            timed_out,
            queue_full,
            closed,
            connect_failed,
            no_runtime,
            cancelled,
        ]
    }
}

impl AddAssign for AcquireCounts {
    fn add_assign(&mut self, mut other: Self) {
        for (count, more) in self.counts().into_iter().zip(other.counts()) {
            *count += *more;
        }
    }
}

/// Whether a pool serves acquires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoolState {
    /// Serving.
    Open,
    /// Acquires wait until the pool is resumed.
    Paused,
    /// Closed for good; acquires fail.
    Closed,
}

/// Whether connects succeed: the state of the circuit breaker that keeps an outage from turning
/// into a storm of connects.
///
/// It is about opening only. Connections that are open are handed out whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Circuit {
    /// The last connect succeeded, or there was none yet: connects start as they are needed.
    Closed,
    /// The last connect failed: none starts until the pause is over.
    Open,
    /// The last connect failed, and one is being tried.
    HalfOpen,
}

impl Circuit {
    /// The name used in metrics and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl fmt::Display for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One consistent snapshot of a pool.
///
/// `open = idle + in_use + opening` and `opened - closed.total() = idle + in_use` in every
/// snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Whether the pool serves acquires.
    pub state: PoolState,
    /// Whether connects succeed.
    pub circuit: Circuit,
    /// Hard cap on `open`, as configured or as [steered](crate::Control::steer), whichever is less;
    /// [`PoolConfig::UNLIMITED`](crate::PoolConfig::UNLIMITED) for none.
    pub max_open: usize,
    /// No connect starts at or above so many open ones: `max_open`, or the
    /// ceiling of an [opening lease](crate::Steering::opening), if that is less.
    pub opening_ceiling: usize,
    /// Idle connections kept at rest: the effective `max_idle`.
    pub max_idle: usize,
    /// Connections idle, in use and being opened.
    pub open: usize,
    /// Connections ready to be handed out.
    pub idle: usize,
    /// Connections handed out, being checked or being reset.
    pub in_use: usize,
    /// The part of `in_use` that is being checked.
    pub checking: usize,
    /// The part of `in_use` that is being reset.
    pub resetting: usize,
    /// Connects in flight.
    pub opening: usize,
    /// Connections that have left the pool and are saying goodbye; not part of `open`.
    pub closing: usize,
    /// Probe connections open outside the pool; not part of `open`.
    pub probes: usize,
    /// Acquires waiting.
    pub waiting: usize,
    /// Age of the oldest waiting acquire.
    pub oldest_wait: Duration,
    /// Most connections ever handed out at once.
    pub peak_in_use: usize,
    /// How acquires ended.
    pub acquires: AcquireCounts,
    /// Acquires that had to wait, whatever became of them.
    pub wait_count: u64,
    /// Time that acquires spent waiting, in sum.
    pub wait_time: Duration,
    /// Time that connections were held by users, in sum over those released, to the precision of
    /// the cheap clock (milliseconds).
    pub hold_time: Duration,
    /// Connections opened.
    pub opened: u64,
    /// Connects that failed.
    pub open_failed: u64,
    /// Connections closed, by reason.
    pub closed: ClosedCounts,
    /// Number of the configuration in force; grows with each reconfiguration.
    pub generation: u64,
}

impl PoolStats {
    /// The snapshot in the words of Go's `database/sql`.
    #[must_use]
    pub fn db_stats(&self) -> DbStats {
        DbStats {
            max_open_connections: self.max_open,
            open_connections: self.open,
            in_use: self.in_use + self.opening,
            idle: self.idle,
            wait_count: self.wait_count,
            wait_duration: self.wait_time,
            max_idle_closed: self.closed.of(CloseReason::Surplus),
            max_idle_time_closed: self.closed.of(CloseReason::Idle),
            max_lifetime_closed: self.closed.of(CloseReason::Lifetime),
        }
    }
}

/// The counters of `DBStats` in Go's `database/sql`, with its meanings: `in_use` counts
/// connections being opened.
///
/// Beyond Go's: `wait_count` also counts acquires that waited for a connect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DbStats {
    /// Hard cap on open connections.
    pub max_open_connections: usize,
    /// Connections in use and idle.
    pub open_connections: usize,
    /// Connections handed out, checked, reset or being opened.
    pub in_use: usize,
    /// Idle connections.
    pub idle: usize,
    /// Acquires that had to wait.
    pub wait_count: u64,
    /// Time spent waiting, in sum.
    pub wait_duration: Duration,
    /// Connections closed because of `max_idle` (or because `max_open` was lowered).
    pub max_idle_closed: u64,
    /// Connections closed because of `max_idle_time`.
    pub max_idle_time_closed: u64,
    /// Connections closed because of `max_lifetime`.
    pub max_lifetime_closed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_since_and_what_was_before_are_what_there_is() {
        let before = AcquireCounts { started: 3, immediate: 2, ..AcquireCounts::default() };
        let now = AcquireCounts { started: 9, immediate: 2, cancelled: 1, ..before };
        let mut sum = now.since(&before);
        assert_eq!(sum, AcquireCounts { started: 6, cancelled: 1, ..AcquireCounts::default() });
        sum += before;
        assert_eq!(sum, now);

        let mut before = ClosedCounts::default();
        before.count(CloseReason::Idle);
        let mut now = before;
        now.count(CloseReason::Lifetime);
        let mut sum = now.since(&before);
        assert_eq!((sum.total(), sum.of(CloseReason::Lifetime)), (1, 1));
        sum += before;
        assert_eq!(sum, now);
    }
}
