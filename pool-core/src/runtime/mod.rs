//! The seam to an async runtime: a clock, a way to spawn, and one resettable timer.
//!
//! Nothing else in the crate reads a clock, sleeps or spawns. The pool's state takes the time as
//! an argument, so tests run it in virtual time.

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

#[cfg(any(feature = "tokio", feature = "smol"))]
mod clock;
#[cfg(feature = "smol")]
mod smol;
#[cfg(feature = "tokio")]
mod tokio;

#[cfg(feature = "smol")]
pub use self::smol::SmolRuntime;
#[cfg(feature = "tokio")]
pub use self::tokio::TokioRuntime;

/// A point in time of a runtime's monotonic clock, in nanoseconds since an epoch of its own.
///
/// All arithmetic saturates: a clock that stands still or steps back yields zero durations, and
/// [`Duration::MAX`] from now is simply never reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// A point in time that never comes.
    pub const NEVER: Self = Self(u64::MAX);
    /// The epoch.
    pub const EPOCH: Self = Self(0);

    /// The point in time `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The point in time `duration` after `self`, or [`Instant::NEVER`].
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        self.after_nanos(saturating_nanos(duration))
    }

    /// The point in time `duration` before `self`, or the epoch.
    pub(crate) const fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_nanos(duration)))
    }

    /// The same in nanoseconds, for the hot path.
    pub(crate) const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The same in nanoseconds, for the hot path.
    pub(crate) const fn after_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}

/// A duration in nanoseconds; the longest ones all become `u64::MAX`, 584 years.
pub(crate) const fn saturating_nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}

/// A task for [`Runtime::spawn`].
pub type Task = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// What the pool asks of an async runtime.
///
/// The pool spawns one task (its worker) from the first acquire that has to wait, so `spawn` and
/// `timer` are called where an acquire is polled, or inside that task.
pub trait Runtime: fmt::Debug + Send + Sync + 'static {
    /// Runs `task` in the background.
    ///
    /// # Errors
    ///
    /// [`NoRuntime`] if the calling thread is not inside a runtime that can run it. Must not panic.
    fn spawn(&self, task: Task) -> Result<(), NoRuntime>;

    /// A timer, created on the runtime that polls it.
    ///
    /// # Errors
    ///
    /// [`NoRuntime`] if the calling thread is not inside a runtime that has timers. Must not panic.
    fn timer(&self) -> Result<Box<dyn Timer>, NoRuntime>;

    /// Which runtime is around the caller, if it makes progress only while somebody drives it;
    /// `None` if it has threads of its own. Those who wait on another one than the worker's look
    /// from time to time whether that one still runs.
    fn driven(&self) -> Option<u64> {
        None
    }

    /// The exact time; read only where someone waits or opens.
    fn now(&self) -> Instant;

    /// A cheap clock for hold and idle times, if there is one. May lag behind [`now`](Self::now)
    /// by some milliseconds, must not run ahead of it. A plain function: it is called twice for
    /// every connection handed out.
    fn cheap_clock(&self) -> Option<fn() -> Instant> {
        None
    }

    /// A seed for jitter. A simulated runtime returns a fixed one, so that a run replays.
    fn seed(&self) -> u64 {
        RandomState::new().hash_one(0_u8)
    }
}

/// One timer, reset rather than created anew.
pub trait Timer: Send + 'static {
    /// Fires at `at` instead of what was set before; [`Instant::NEVER`] disarms.
    fn reset(&mut self, at: Instant);

    /// Ready once the time set has come; otherwise wakes the task when it has.
    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// The calling thread is not inside a runtime that can do what the pool needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no usable async runtime here: {reason}")]
#[non_exhaustive]
pub struct NoRuntime {
    /// What is missing and how to mend it.
    pub reason: &'static str,
}

impl NoRuntime {
    /// Says what is missing.
    #[must_use]
    pub const fn new(reason: &'static str) -> Self {
        Self { reason }
    }
}

/// The runtime that a pool uses when none is named: tokio, if that feature is on, otherwise smol, if
/// that one is.
///
/// # Errors
///
/// [`NoRuntime`] if the features `tokio` and `smol` are off.
pub fn default_runtime() -> Result<Arc<dyn Runtime>, NoRuntime> {
    #[cfg(feature = "tokio")]
    {
        Ok(Arc::new(TokioRuntime::new()))
    }
    #[cfg(all(feature = "smol", not(feature = "tokio")))]
    {
        Ok(Arc::new(SmolRuntime::new()))
    }
    #[cfg(not(any(feature = "tokio", feature = "smol")))]
    {
        let reason = "no runtime was named, and the features `tokio` and `smol` are off";
        Err(NoRuntime::new(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_too_long_to_count_never_comes() {
        let now = Instant::from_nanos(5);
        assert_eq!(now.after(Duration::MAX), Instant::NEVER);
        assert_eq!(Instant::NEVER.after(Duration::from_secs(1)), Instant::NEVER);
    }

    #[test]
    fn an_earlier_instant_is_zero_time_after_a_later_one() {
        let (early, late) = (Instant::from_nanos(5), Instant::from_nanos(9));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late.since(early), Duration::from_nanos(4));
    }
}
