//! The pool as a whole: pause, invalidate, close, warm up.

use std::task::Waker;
use std::time::Duration;

use super::slots::Phase;
use super::{Effects, State};
use crate::error::{AcquireErrorKind, CloseReport, SharedError};
use crate::runtime::{Instant, NoRuntime};
use crate::stats::{CloseReason, PoolState};

/// Somebody who waits for the pool as a whole.
#[derive(Debug)]
pub(super) struct Watcher {
    id: u64,
    what: Watch,
    deadline: Instant,
    waker: Option<Waker>,
    /// What the runtime lacks, once that is known: nobody will do the work.
    missing: Option<NoRuntime>,
}

#[derive(Clone, Copy, Debug)]
enum Watch {
    /// Until everything is back and gone.
    Closed,
    /// Until this many connections are open.
    WarmedUp(usize),
}

/// What a watcher finds.
#[derive(Debug)]
pub(crate) enum WatchOutcome {
    /// What it waited for has come.
    Reached,
    /// The deadline has.
    TimedOut,
    /// Nothing will: the runtime lacks something.
    NoRuntime(NoRuntime),
}

impl<C> State<C> {
    /// Acquires wait from now on; connections in use are untouched.
    pub(crate) fn pause(&mut self) {
        if self.gate == PoolState::Open {
            self.set_gate(PoolState::Paused);
        }
    }

    /// Serves again, those who waited first.
    pub(crate) fn resume(&mut self, now: Instant, effects: &mut Effects<C>) {
        if self.gate == PoolState::Paused {
            self.outage.ask_again(now);
            self.set_gate(PoolState::Open);
            self.wake_worker(effects);
        }
    }

    /// Retires every connection there is: idle ones now, others when they come back.
    pub(crate) fn invalidate(&mut self, now: Instant, effects: &mut Effects<C>) -> usize {
        let all: Vec<_> = self.slots.occupied().map(|(slot, _)| slot).collect();
        let mut retired = 0;
        for slot in all {
            if self.slots.phase(slot) == Phase::Closing {
                continue;
            }
            retired += 1;
            let outdated = self.slots.get_mut(slot);
            outdated.outdated = true;
            outdated.retire_at = Instant::EPOCH;
            self.lifetimes.remove(outdated.due);
            outdated.due = Instant::NEVER;
            if self.slots.phase(slot) == Phase::Idle {
                self.retire_idle(slot, CloseReason::Invalidated, now, effects);
            }
        }
        retired
    }

    /// Closes the pool for good: those who wait fail, idle connections are closed, calls under way
    /// are cut short. Does nothing the second time.
    pub(crate) fn begin_close(&mut self, now: Instant, effects: &mut Effects<C>) {
        if self.gate == PoolState::Closed {
            return;
        }
        self.fail_waiters(AcquireErrorKind::Closed, now, effects);
        self.set_gate(PoolState::Closed);
        while let Some(slot) = self.slots.oldest_idle() {
            self.retire_idle(slot, CloseReason::PoolClosed, now, effects);
        }
        self.cut_calls(false);
        self.wake_worker(effects);
    }

    /// Begins to wait until every connection is back and gone.
    pub(crate) fn watch_closed(&mut self, deadline: Instant, effects: &mut Effects<C>) -> u64 {
        self.watch(Watch::Closed, deadline, effects)
    }

    /// Begins to wait until `target` connections are open, and has them opened.
    pub(crate) fn watch_warm_up(
        &mut self,
        target: usize,
        deadline: Instant,
        effects: &mut Effects<C>,
    ) -> u64 {
        self.watch(Watch::WarmedUp(target), deadline, effects)
    }

    fn watch(&mut self, what: Watch, deadline: Instant, effects: &mut Effects<C>) -> u64 {
        let id = self.next_watcher;
        self.next_watcher += 1;
        self.watchers.push(Watcher { id, what, deadline, waker: None, missing: None });
        self.wake_worker(effects);
        id
    }

    /// What a watcher finds; otherwise it waits on.
    pub(crate) fn poll_watch(
        &mut self,
        id: u64,
        now: Instant,
        waker: Waker,
        effects: &mut Effects<C>,
    ) -> Option<WatchOutcome> {
        let position = self.watchers.iter().position(|watcher| watcher.id == id);
        let position = position.expect("bug: polled after it was done");
        let Watcher { what, deadline, .. } = self.watchers[position];
        let outcome = if self.reached(what) {
            WatchOutcome::Reached
        } else if let Some(missing) = self.watchers[position].missing.take() {
            WatchOutcome::NoRuntime(missing)
        } else if now >= deadline {
            WatchOutcome::TimedOut
        } else {
            effects.drop_waker(self.watchers[position].waker.replace(waker));
            // The worker leaves out watchers without a waker: it has not planned for this deadline
            // if it ran before the first look, or if what this one was woken for is lost again.
            self.wake_worker_by(deadline, effects);
            return None;
        };
        effects.drop_waker(Some(waker));
        self.end_watch(id, effects);
        Some(outcome)
    }

    /// A watcher has its answer, or its future was dropped.
    pub(crate) fn end_watch(&mut self, id: u64, effects: &mut Effects<C>) {
        if let Some(position) = self.watchers.iter().position(|watcher| watcher.id == id) {
            let watcher = self.watchers.swap_remove(position);
            effects.drop_waker(watcher.waker);
            self.wake_worker(effects);
        }
    }

    fn reached(&self, what: Watch) -> bool {
        match what {
            Watch::Closed => self.slots.occupied().next().is_none(),
            Watch::WarmedUp(target) => {
                self.slots.established() >= target || self.gate == PoolState::Closed
            }
        }
    }

    pub(super) fn wake_watchers(&mut self, now: Instant, effects: &mut Effects<C>) {
        for position in 0..self.watchers.len() {
            let Watcher { what, deadline, .. } = self.watchers[position];
            if now >= deadline && matches!(what, Watch::Closed) {
                // The goodbyes have had their time.
                self.cut_calls(true);
            }
            if now >= deadline || self.reached(what) {
                effects.wake(self.watchers[position].waker.take());
            }
        }
    }

    /// There can be no worker: those who wait for the pool as a whole are told what is missing.
    pub(super) fn tell_watchers_of_missing(&mut self, missing: Option<&NoRuntime>) {
        for watcher in &mut self.watchers {
            watcher.missing = missing.cloned();
        }
    }

    /// With no worker to notice, a transition that may end a watch wakes the watchers itself.
    pub(super) fn wake_watchers_without_worker(&mut self, effects: &mut Effects<C>) {
        if self.needs_worker() {
            for watcher in &mut self.watchers {
                effects.wake(watcher.waker.take());
            }
        }
    }

    pub(super) fn next_watch(&self) -> Instant {
        let waiting = self.watchers.iter().filter(|watcher| watcher.waker.is_some());
        waiting.map(|watcher| watcher.deadline).min().unwrap_or(Instant::NEVER)
    }

    /// How many connections warm-ups want open; no more than stay open when idle.
    pub(super) fn warm_up_target(&self) -> usize {
        let targets = self.watchers.iter().map(|watcher| match watcher.what {
            Watch::WarmedUp(target) => target,
            Watch::Closed => 0,
        });
        targets.max().unwrap_or(0).min(self.limits.max_idle)
    }

    /// What closing came to.
    pub(crate) fn close_report(
        &self,
        took: Duration,
        no_runtime: Option<NoRuntime>,
        now: Instant,
    ) -> CloseReport {
        CloseReport {
            drained: self.slots.count(Phase::InUse) == 0,
            took,
            no_runtime,
            closed: self.counters.closed.total(),
            still_out: self.all_holders(now),
        }
    }

    /// The last connect error, and how many connections are open.
    pub(crate) fn warm_up_failure(&self) -> (usize, Option<SharedError>) {
        let error = self.outage.failures().map(|failures| SharedError::clone(&failures.error));
        (self.slots.established(), error)
    }
}
