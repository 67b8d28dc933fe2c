//! A look at the worker, for those who wait on another runtime than its own.
//!
//! A single-threaded runtime runs only while somebody drives it. If the worker lives on one that
//! nobody drives any more, nothing would ever end a wait on another runtime: neither a connect nor
//! a deadline. Those who wait there keep a timer of their own, and replace a worker that had
//! something to do and did not do it.

use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use crate::driver::Driver;
use crate::runtime::Timer;
use crate::shared::Shared;

/// A worker that is due and has not run for this long is given up.
const PATIENCE: Duration = Duration::from_millis(100);

pub(crate) struct Watchdog {
    timer: Box<dyn Timer>,
    /// The worker's rounds at the last look.
    rounds: u64,
}

impl Watchdog {
    /// A watchdog, if the worker's runtime has to be driven and is not the one around the caller.
    pub(crate) fn new<D: Driver>(
        shared: &Arc<Shared<D>>,
        worker_driven: Option<u64>,
    ) -> Option<Box<Self>> {
        if worker_driven.is_none() || shared.runtime.driven() == worker_driven {
            return None;
        }
        // Without a timer here there is no looking; the wait then ends as the worker ends it.
        let mut timer = shared.runtime.timer().ok()?;
        let now = shared.now();
        timer.reset(now.after(PATIENCE));
        let (rounds, _) = shared.lock().worker_rounds(now);
        Some(Box::new(Self { timer, rounds }))
    }

    /// Gives up a worker that does not run, and itself with it; otherwise registers the task for
    /// the next look.
    pub(crate) fn look<D: Driver>(
        this: &mut Option<Box<Self>>,
        shared: &Arc<Shared<D>>,
        cx: &mut Context<'_>,
    ) {
        while let Some(watchdog) = this
            && watchdog.timer.poll_expired(cx).is_ready()
        {
            let now = shared.now();
            let (rounds, stalled) = shared.transition(|state, effects| {
                let (rounds, due) = state.worker_rounds(now);
                let stalled = due && rounds == watchdog.rounds;
                if stalled {
                    state.evict_worker(None, now, effects);
                }
                (rounds, stalled)
            });
            watchdog.rounds = rounds;
            watchdog.timer.reset(now.after(PATIENCE));
            if stalled {
                *this = None;
            }
        }
    }
}
