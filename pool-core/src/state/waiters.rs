//! The acquires that wait: strictly first in, first out, in memory that is reused.

use std::sync::Arc;
use std::task::Waker;

use super::chain::{Chain, Link, Linked, NIL, Stack};
use super::timer_queue::TimerQueue;
use crate::error::{AcquireErrorKind, AcquirePhase, CallSite, Circumstances};
use crate::runtime::{Instant, NoRuntime};

/// What became of a waiting acquire. It belongs to the queue, not to the future: if the future is
/// gone, the queue still has the connection.
#[derive(Debug)]
pub(super) enum Settled<C> {
    /// A connection is its.
    Delivered {
        /// The connection's slot.
        slot: u32,
        /// The connection.
        connection: C,
        /// Whether it was opened for this.
        opened: bool,
    },
    /// It failed.
    Failed(Reason),
}

/// Why waiting acquires failed; the same for all that failed at the same moment.
#[derive(Clone, Debug)]
pub(super) struct Reason {
    pub(super) kind: AcquireErrorKind,
    /// When they failed.
    pub(super) at: Instant,
    /// What they were waiting for.
    pub(super) phase: AcquirePhase,
    /// What is missing, if it was the runtime.
    pub(super) no_runtime: Option<NoRuntime>,
    pub(super) circumstances: Arc<Circumstances>,
}

/// One moment by both clocks: a time is the difference of two readings of the same one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// For deadlines, and for what one acquire is told.
    pub(crate) exact: Instant,
    /// For sums over many, in which what a tick adds to one it takes from another.
    pub(crate) cheap: Instant,
}

#[derive(Debug)]
struct Waiter<C> {
    /// In `Waiters::queue` until settled, in `Waiters::vacant` while vacant.
    link: Link,
    queued: bool,
    /// Whether its deadline is in `Waiters::deadlines`.
    filed: bool,
    waker: Option<Waker>,
    site: Option<CallSite>,
    since: Moment,
    deadline: Instant,
    settled: Option<Settled<C>>,
}

impl<C> Linked for Waiter<C> {
    fn link(&self) -> Link {
        self.link
    }
    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

/// Every waiting acquire. A waiter's key stays its own from `push` to `remove`.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Waiters<C> {
    items: Vec<Waiter<C>>,
    /// Longest waiting first.
    queue: Chain,
    vacant: Stack,
    /// The first in `queue` whose deadline is not filed yet, like all behind it. Most acquires are
    /// served long before their deadline: they never pay for its place among the others.
    unfiled: u32,
    /// No later than any deadline that is not filed.
    soonest_unfiled: Instant,
    /// The deadlines of the longest waiting.
    deadlines: TimerQueue,
}

/// Memory for this many waiters is kept for reuse when none is left.
const KEPT: usize = 4096;

impl<C> Waiters<C> {
    pub(super) fn new() -> Self {
        Self {
            items: Vec::new(),
            queue: Chain::new(),
            vacant: Stack::new(),
            deadlines: TimerQueue::default(),
            unfiled: NIL,
            soonest_unfiled: Instant::NEVER,
        }
    }

    /// Acquires that still wait.
    #[inline]
    pub(super) const fn queued(&self) -> usize {
        self.queue.len()
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Acquires that still wait, or are settled and have not looked yet.
    pub(super) fn pending(&self) -> usize {
        self.items.len() - self.vacant.len()
    }

    /// The longest waiting.
    pub(super) const fn oldest(&self) -> Option<u32> {
        self.queue.first()
    }

    pub(super) fn oldest_since(&self) -> Option<Instant> {
        self.oldest().map(|key| self.since(key).exact)
    }

    /// No later than the soonest deadline.
    pub(super) fn soonest_deadline(&self) -> Instant {
        self.deadlines.soonest().min(self.soonest_unfiled)
    }

    pub(super) fn since(&self, key: u32) -> Moment {
        self.items[key as usize].since
    }

    pub(super) fn site(&self, key: u32) -> CallSite {
        self.items[key as usize].site.expect("bug: a waiter without its call site")
    }

    pub(super) fn push(
        &mut self,
        site: CallSite,
        since: Moment,
        deadline: Instant,
        waker: Waker,
    ) -> u32 {
        let waiter = Waiter {
            link: Link::new(),
            queued: true,
            filed: false,
            waker: Some(waker),
            site: Some(site),
            since,
            deadline,
            settled: None,
        };
        let key = if let Some(key) = self.vacant.pop(&self.items) {
            self.items[key as usize] = waiter;
            key
        } else {
            let key = u32::try_from(self.items.len()).ok().filter(|key| *key != NIL);
            self.items.push(waiter);
            key.expect("bug: four thousand million waiters")
        };
        self.queue.push_last(&mut self.items, key);
        if self.unfiled == NIL {
            self.unfiled = key;
        }
        self.soonest_unfiled = self.soonest_unfiled.min(deadline);
        key
    }

    /// Settles a waiting acquire; the waker is to be woken outside the lock.
    pub(super) fn settle(&mut self, key: u32, settled: Settled<C>) -> Option<Waker> {
        self.leave_queue(key);
        let waiter = &mut self.items[key as usize];
        waiter.settled = Some(settled);
        waiter.waker.take()
    }

    /// The next waiter past its deadline.
    pub(super) fn next_expired(&mut self, now: Instant) -> Option<u32> {
        if self.soonest_unfiled <= now {
            self.file_deadlines();
        }
        self.deadlines.due(now)
    }

    fn file_deadlines(&mut self) {
        while self.unfiled != NIL {
            let waiter = &mut self.items[self.unfiled as usize];
            waiter.filed = true;
            self.deadlines.set(self.unfiled, waiter.deadline);
            self.unfiled = waiter.link.next();
        }
        self.soonest_unfiled = Instant::NEVER;
    }

    /// Frees a settled waiter's place; `None` if it still waits.
    pub(super) fn collect(&mut self, key: u32) -> Option<Settled<C>> {
        let settled = self.items[key as usize].settled.take()?;
        self.vacate(key);
        Some(settled)
    }

    /// Frees the place of a waiter whose future is gone. What it had is to be dealt with, its waker
    /// to be dropped outside the lock.
    pub(super) fn remove(&mut self, key: u32) -> (Option<Settled<C>>, Option<Waker>) {
        self.leave_queue(key);
        let waiter = &mut self.items[key as usize];
        let left = (waiter.settled.take(), waiter.waker.take());
        self.vacate(key);
        left
    }

    /// Whether waking what is stored wakes the task of `waker`.
    pub(super) fn will_wake(&self, key: u32, waker: &Waker) -> bool {
        self.items[key as usize].waker.as_ref().is_some_and(|stored| stored.will_wake(waker))
    }

    /// Replaces the waker of a waiter; the old one is to be dropped outside the lock.
    pub(super) fn set_waker(&mut self, key: u32, waker: Waker) -> Option<Waker> {
        self.items[key as usize].waker.replace(waker)
    }

    /// Takes the wakers of all that wait, which then look again.
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        let waiting = self.items.iter_mut().filter(|waiter| waiter.queued);
        waiting.filter_map(|waiter| waiter.waker.take()).collect()
    }

    fn leave_queue(&mut self, key: u32) {
        let waiter = &mut self.items[key as usize];
        if !std::mem::take(&mut waiter.queued) {
            return;
        }
        if waiter.filed {
            self.deadlines.remove(key);
        } else if self.unfiled == key {
            self.unfiled = waiter.link.next();
        }
        self.queue.remove(&mut self.items, key);
    }

    fn vacate(&mut self, key: u32) {
        self.vacant.push(&mut self.items, key);
        if self.pending() == 0 && self.items.capacity() > KEPT {
            *self = Self::new();
        }
    }
}
