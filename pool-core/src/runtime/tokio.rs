//! Tokio as the pool's runtime.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::panic::catch_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::{Instant as TokioInstant, Sleep, sleep_until};

use super::clock;
use super::{Instant, NoRuntime, Runtime, Task, Timer};

/// Longest single sleep; a later point in time is reached by several (tokio's wheel spans about
/// two years).
const LONGEST_SLEEP: Duration = Duration::from_hours(24);

/// The tokio runtime around the call: `spawn` and `timer` use the one the calling thread is in.
///
/// Under `tokio::time::pause` the exact clock and the timer are tokio's virtual ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioRuntime(());

impl TokioRuntime {
    /// The tokio runtime that each call finds around it.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl Runtime for TokioRuntime {
    fn spawn(&self, task: Task) -> Result<(), NoRuntime> {
        let handle = Handle::try_current().map_err(|_| {
            NoRuntime::new("this thread is not inside a tokio runtime; await the pool inside one")
        })?;
        drop(handle.spawn(task));
        Ok(())
    }

    fn timer(&self) -> Result<Box<dyn Timer>, NoRuntime> {
        if Handle::try_current().is_err() {
            return Err(NoRuntime::new("this thread is not inside a tokio runtime"));
        }
        // Tokio has no way to ask whether its timer is on, other than this panic.
        let sleep = catch_unwind(|| Box::pin(sleep_until(TokioInstant::now()))).map_err(|_| {
            NoRuntime::new("tokio's timer is off; build the runtime with enable_time")
        })?;
        Ok(Box::new(TokioTimer { sleep, at: Instant::NEVER }))
    }

    fn driven(&self) -> Option<u64> {
        let handle = Handle::try_current().ok()?;
        match handle.runtime_flavor() {
            RuntimeFlavor::MultiThread => None,
            _ => Some(BuildHasherDefault::<DefaultHasher>::new().hash_one(handle.id())),
        }
    }

    fn now(&self) -> Instant {
        clock::from_std(TokioInstant::now().into_std())
    }

    #[cfg(target_os = "linux")]
    fn cheap_clock(&self) -> Option<fn() -> Instant> {
        (!is_paused()).then_some(clock::coarse)
    }
}

#[derive(Debug)]
struct TokioTimer {
    sleep: Pin<Box<Sleep>>,
    at: Instant,
}

impl Timer for TokioTimer {
    fn reset(&mut self, at: Instant) {
        if at == self.at {
            return;
        }
        self.at = at;
        if at != Instant::NEVER {
            self.sleep.as_mut().reset(to_tokio(at));
        }
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.at == Instant::NEVER {
            return Poll::Pending;
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if TokioRuntime::new().now() >= self.at {
                self.at = Instant::NEVER;
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(to_tokio(self.at));
        }
    }
}

/// Whether tokio's clock stands still around the caller, as `tokio::time::pause` has it. The cheap
/// clock cannot be paused, so it must not be mixed with one that is.
fn is_paused() -> bool {
    let (before, started) = (TokioInstant::now(), std::time::Instant::now());
    while started == std::time::Instant::now() {
        std::hint::spin_loop();
    }
    TokioInstant::now() == before
}

/// Rounded up to the next millisecond, tokio's own resolution, by tokio.
fn to_tokio(at: Instant) -> TokioInstant {
    let now = TokioInstant::now();
    let epoch = clock::epoch();
    let due = epoch.std + at.since(epoch.instant).min(Duration::from_secs(u32::MAX.into()));
    TokioInstant::from_std(due).min(now + LONGEST_SLEEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_runtime_spawn_and_timer_say_so() {
        let runtime = TokioRuntime::new();
        let spawned = runtime.spawn(Box::pin(async {})).expect_err("no runtime around");
        assert!(spawned.to_string().contains("not inside a tokio runtime"), "{spawned}");
        assert!(runtime.timer().is_err_and(|error| error.reason.contains("tokio runtime")));
    }
}
