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
    /// The worker's seat and its rounds at the last look.
    seen: (u64, u64),
}

impl Watchdog {
    /// Watches the worker on behalf of a task that waits, if the worker runs on a runtime that has
    /// to be `driven` and is not the one around the caller. Gives up a worker that does not run,
    /// which wakes all who wait; otherwise registers the task for the next look.
    ///
    /// To be called at each poll that ends in waiting: the worker may have moved meanwhile.
    pub(crate) fn watch<D: Driver>(
        this: &mut Option<Box<Self>>,
        shared: &Arc<Shared<D>>,
        driven: Option<u64>,
        cx: &mut Context<'_>,
    ) {
        if driven.is_none() || shared.runtime.driven() == driven {
            *this = None;
            return;
        }
        if this.is_none() {
            *this = Self::new(shared);
        }
        let Some(watchdog) = this else { return };
        while watchdog.timer.poll_expired(cx).is_ready() {
            let now = shared.now();
            watchdog.seen = shared.transition(|state, effects| {
                let (seat, rounds, due) = state.worker_rounds(now);
                if due && (seat, rounds) == watchdog.seen {
                    state.evict_worker(None, now, effects);
                }
                (seat, rounds)
            });
            watchdog.timer.reset(now.after(PATIENCE));
        }
    }

    fn new<D: Driver>(shared: &Arc<Shared<D>>) -> Option<Box<Self>> {
        // A thread without a runtime has no timer to look with: its wait ends as the worker ends it.
        let mut timer = shared.runtime.timer().ok()?;
        let now = shared.now();
        timer.reset(now.after(PATIENCE));
        let (seat, rounds, _) = shared.lock().worker_rounds(now);
        Some(Box::new(Self { timer, seen: (seat, rounds) }))
    }
}
