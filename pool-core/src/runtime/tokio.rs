//! Tokio as the pool's runtime, and the one file of the crate that reads a clock.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::panic::catch_unwind;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::{Instant as TokioInstant, Sleep, sleep_until};

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
        let epoch = epoch();
        epoch.instant.after(TokioInstant::now().into_std().saturating_duration_since(epoch.std))
    }

    #[cfg(target_os = "linux")]
    fn cheap_clock(&self) -> Option<fn() -> Instant> {
        (!is_paused()).then_some(coarse)
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

/// The same point in time on both clocks. Not tokio's, which may be paused and ahead where it is
/// first read.
#[derive(Debug)]
struct Epoch {
    std: std::time::Instant,
    instant: Instant,
}

fn epoch() -> &'static Epoch {
    static EPOCH: OnceLock<Epoch> = OnceLock::new();
    EPOCH.get_or_init(|| {
        let instant = monotonic();
        Epoch { std: std::time::Instant::now(), instant }
    })
}

/// Rounded up to the next millisecond, tokio's own resolution, by tokio.
fn to_tokio(at: Instant) -> TokioInstant {
    let now = TokioInstant::now();
    let epoch = epoch();
    let due = epoch.std + at.since(epoch.instant).min(Duration::from_secs(u32::MAX.into()));
    TokioInstant::from_std(due).min(now + LONGEST_SLEEP)
}

/// The kernel's tick (1 to 10 ms): 7 ns a read where the exact clock takes 23 ns, and 50 to
/// 115 ns on a busy virtual machine.
#[cfg(target_os = "linux")]
fn coarse() -> Instant {
    read(rustix::time::ClockId::MonotonicCoarse)
}

#[cfg(target_os = "linux")]
fn monotonic() -> Instant {
    read(rustix::time::ClockId::Monotonic)
}

#[cfg(target_os = "linux")]
fn read(clock: rustix::time::ClockId) -> Instant {
    let time = rustix::time::clock_gettime(clock);
    Instant::from_nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

#[cfg(not(target_os = "linux"))]
fn monotonic() -> Instant {
    Instant::from_nanos(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_cheap_clock_follows_the_exact_one_within_its_tick() {
        let runtime = TokioRuntime::new();
        for _ in 0..1000 {
            let recent = coarse();
            let now = runtime.now();
            assert!(recent <= now.after(Duration::from_micros(100)), "{recent:?} ahead of {now:?}");
            assert!(
                now.since(recent) < Duration::from_millis(500),
                "{recent:?} far behind {now:?}"
            );
        }
    }

    #[test]
    fn without_a_runtime_spawn_and_timer_say_so() {
        let runtime = TokioRuntime::new();
        let spawned = runtime.spawn(Box::pin(async {})).expect_err("no runtime around");
        assert!(spawned.to_string().contains("not inside a tokio runtime"), "{spawned}");
        assert!(runtime.timer().is_err_and(|error| error.reason.contains("tokio runtime")));
    }
}
