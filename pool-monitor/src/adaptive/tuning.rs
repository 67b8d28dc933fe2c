//! The tuner's task: reads the pool, asks the controller, and has the governor do it.

#[cfg(test)]
mod tests;
mod tuner;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::task::AtomicWaker;
use pool_core::runtime::{Runtime, Timer};
use pool_core::{PoolState, Subscription};

use self::tuner::Tuner;
use super::governor::Governor;
use super::meter::Meter;
use super::options::{AdaptiveError, TunerOptions};

/// Tunes a pool until it is dropped, or the pool is closed.
pub(super) struct Tuning {
    shared: Arc<Shared>,
    /// What the meter counts from.
    _events: Subscription,
}

struct Shared {
    governor: Arc<Governor>,
    has_ended: AtomicBool,
    task: AtomicWaker,
}

impl Tuning {
    pub(super) fn start(
        governor: &Arc<Governor>,
        options: TunerOptions,
        runtime: &Arc<dyn Runtime>,
    ) -> Result<Self, AdaptiveError> {
        options.check(&governor.pool().config())?;
        let timer = runtime.timer()?;
        let shared = Arc::new(Shared {
            governor: Arc::clone(governor),
            has_ended: AtomicBool::new(false),
            task: AtomicWaker::new(),
        });
        let meter = Arc::new(Meter::new(runtime));
        let events = governor.pool().observe(meter.clone());
        let tuner = Tuner::new(Arc::clone(governor), options, meter, runtime.now(), runtime.seed());
        runtime.spawn(Box::pin(run(Arc::clone(&shared), tuner, Arc::clone(runtime), timer)))?;
        Ok(Self { shared, _events: events })
    }
}

impl Drop for Tuning {
    fn drop(&mut self) {
        // Before the sizes are taken back: a step that gives others afterwards sees it.
        self.shared.has_ended.store(true, Ordering::Release);
        self.shared.take_back();
        self.shared.task.wake();
    }
}

impl Shared {
    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    fn take_back(&self) {
        self.governor.size(None);
        self.governor.say_recommended(None);
    }
}

async fn run(
    shared: Arc<Shared>,
    mut tuner: Tuner,
    runtime: Arc<dyn Runtime>,
    mut timer: Box<dyn Timer>,
) {
    let mut due = tuner.first_due();
    loop {
        timer.reset(due);
        let is_due = poll_fn(|cx| {
            shared.task.register(cx.waker());
            if shared.has_ended() {
                return Poll::Ready(false);
            }
            timer.poll_expired(cx).map(|()| true)
        });
        if !is_due.await || shared.governor.pool().state() == PoolState::Closed {
            return;
        }
        let now = runtime.now();
        // What logs are written to is foreign code; it does not end the tuner.
        if catch_unwind(AssertUnwindSafe(|| tuner.step(now))).is_err() {
            tracing::error!(target: "pool_monitor", "a step of the tuner panicked");
        }
        // Whoever dropped it meanwhile may have taken back what was there before this step.
        if shared.has_ended() {
            return shared.take_back();
        }
        due = now.after(tuner.period());
    }
}
