//! Smol as the pool's runtime: its global executor and its timers, which have threads of their own.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant as StdInstant};

use super::clock;
use super::{Instant, NoRuntime, Runtime, Task, Timer};

/// Longest single sleep; a later point in time is reached by several.
const LONGEST_SLEEP: Duration = Duration::from_hours(24);

/// Smol's global executor. It works from every thread: the pool's worker runs on the executor's own
/// threads, whoever waits and wherever.
///
/// A driver whose client needs tokio still needs a tokio runtime around each connect; it says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct SmolRuntime(());

impl SmolRuntime {
    /// Smol's global executor.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl Runtime for SmolRuntime {
    fn spawn(&self, task: Task) -> Result<(), NoRuntime> {
        smol::spawn(task).detach();
        Ok(())
    }

    fn timer(&self) -> Result<Box<dyn Timer>, NoRuntime> {
        Ok(Box::new(SmolTimer { timer: smol::Timer::never(), at: Instant::NEVER }))
    }

    fn now(&self) -> Instant {
        clock::from_std(StdInstant::now())
    }

    #[cfg(target_os = "linux")]
    fn cheap_clock(&self) -> Option<fn() -> Instant> {
        Some(clock::coarse)
    }
}

#[derive(Debug)]
struct SmolTimer {
    timer: smol::Timer,
    at: Instant,
}

impl SmolTimer {
    fn arm(&mut self) {
        let left = self.at.since(SmolRuntime::new().now());
        self.timer.set_after(left.min(LONGEST_SLEEP));
    }
}

impl Timer for SmolTimer {
    fn reset(&mut self, at: Instant) {
        if at == self.at {
            return;
        }
        self.at = at;
        if at == Instant::NEVER {
            self.timer = smol::Timer::never();
        } else {
            self.arm();
        }
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.at != Instant::NEVER {
            if Pin::new(&mut self.timer).poll(cx).is_pending() {
                return Poll::Pending;
            }
            if SmolRuntime::new().now() >= self.at {
                self.at = Instant::NEVER;
                return Poll::Ready(());
            }
            self.arm();
        }
        Poll::Pending
    }
}
