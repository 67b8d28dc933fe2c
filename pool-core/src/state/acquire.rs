//! Acquire: take an idle connection, or wait for one.

use std::task::Waker;
use std::time::Duration;

use super::demand::SlowStart;
use super::release::Left;
use super::slots::Phase;
use super::waiters::{Moment, Reason, Settled};
use super::{Effects, State};
use crate::error::{AcquireErrorKind, AcquireFailure, AcquirePhase, CallSite};
use crate::observer::Served;
use crate::runtime::Instant;
use crate::stats::PoolState;

/// A connection on its way to a guard.
#[derive(Debug)]
pub(crate) struct Checkout<C> {
    pub(crate) slot: u32,
    pub(crate) connection: C,
}

/// How an acquire that could not be served on the fast path goes on.
#[derive(Debug)]
pub(crate) enum Entry<C> {
    /// Served after all.
    Acquired(Checkout<C>),
    /// It waits, under this key.
    Waiting { key: u32, waiting: usize },
    /// It failed at once.
    Refused(Box<AcquireFailure>),
}

/// What a settled acquire finds.
#[derive(Debug)]
pub(crate) enum Collected<C> {
    Acquired { checkout: Checkout<C>, served: Served, since: Instant },
    Failed(Box<AcquireFailure>),
}

impl<C> State<C> {
    /// Hands out the connection released last, if it needs no check and nobody waits, whether or
    /// not there is a worker. For those who do not wait.
    pub(crate) fn try_take_idle(
        &mut self,
        recent: Instant,
        site: CallSite,
        effects: &mut Effects<C>,
    ) -> Option<Checkout<C>> {
        if self.gate != PoolState::Open || !self.waiters.is_empty() {
            return None;
        }
        self.take_fresh(recent, site, effects)
    }

    /// The fast path: hands out the connection released last, if it needs no check and nobody
    /// waits. `recent` comes from the cheap clock.
    #[inline]
    pub(crate) fn take_idle(
        &mut self,
        recent: Instant,
        site: CallSite,
        effects: &mut Effects<C>,
    ) -> Option<Checkout<C>> {
        if !self.serving || !self.waiters.is_empty() {
            return None;
        }
        self.take_fresh(recent, site, effects)
    }

    /// Like [`take_idle`](Self::take_idle), whoever waits and whether or not there is a worker.
    #[inline]
    fn take_fresh(
        &mut self,
        recent: Instant,
        site: CallSite,
        effects: &mut Effects<C>,
    ) -> Option<Checkout<C>> {
        let slot = self.slots.newest_idle()?;
        if !self.is_fresh(slot, recent) {
            return None;
        }
        let connection = self.slots.take_idle(slot, Phase::InUse);
        self.start_use(slot, recent, site, effects);
        self.counters.acquires.immediate += 1;
        if self.slots.idle() < self.limits.min_idle && self.has_room(recent) {
            self.wake_worker(effects);
        }
        Some(Checkout { slot, connection })
    }

    /// Whether an idle connection may be handed out as it is.
    #[inline]
    pub(super) fn is_fresh(&self, slot: u32, now: Instant) -> bool {
        let slot = self.slots.get(slot);
        now < slot.retire_at && now.nanos_since(slot.since) < self.limits.check_after_idle
    }

    /// Notes who has the connection, and since when.
    #[inline]
    pub(super) fn start_use(
        &mut self,
        slot: u32,
        now: Instant,
        site: CallSite,
        effects: &mut Effects<C>,
    ) {
        let slot = self.slots.get_mut(slot);
        slot.since = now;
        slot.site = Some(site);
        slot.leak_reported = false;
        let out = self.slots.count(Phase::InUse);
        self.counters.peak_in_use = self.counters.peak_in_use.max(out);
        if self.limits.leak_after != u64::MAX {
            let due = now.after_nanos(self.limits.leak_after);
            if due < self.leak_scan_at {
                self.leak_scan_at = due;
                self.wake_worker_by(due, effects);
            }
        }
    }

    /// The slow path: serves at once if that has become possible, else queues `waker` for
    /// `timeout`, by default `acquire_timeout`.
    pub(crate) fn enter(
        &mut self,
        moment: Moment,
        timeout: Option<Duration>,
        site: CallSite,
        waker: Waker,
        effects: &mut Effects<C>,
    ) -> Entry<C> {
        let now = moment.exact;
        if self.gate == PoolState::Open
            && self.waiters.is_empty()
            && let Some(checkout) = self.take_fresh(now, site, effects)
        {
            effects.drop_waker(Some(waker));
            return Entry::Acquired(checkout);
        }
        if let Some(kind) = self.refusal(now) {
            self.count_failure(kind);
            effects.drop_waker(Some(waker));
            let reason = self.reason(kind, AcquirePhase::Start, now);
            return Entry::Refused(Box::new(self.failure(reason, now, site)));
        }
        self.counters.wait_count += 1;
        if self.waiters.is_empty() {
            self.slow_start = SlowStart::new(now);
        }
        let deadline = now.after(timeout.unwrap_or(self.config.acquire_timeout));
        let key = self.waiters.push(site, moment, deadline, waker);
        let wanted = self.next_demand(now).min(deadline);
        self.wake_worker_by(wanted, effects);
        Entry::Waiting { key, waiting: self.waiters.queued() }
    }

    /// Why an acquire that would have to wait fails at once.
    fn refusal(&self, now: Instant) -> Option<AcquireErrorKind> {
        if self.gate == PoolState::Closed {
            Some(AcquireErrorKind::Closed)
        } else if self.waiters.queued() >= self.config.max_waiters {
            Some(AcquireErrorKind::QueueFull)
        } else if self.gate == PoolState::Open && self.unavailable(now) {
            Some(AcquireErrorKind::ConnectFailed)
        } else {
            None
        }
    }

    /// What has become of a waiting acquire; `None` if it still waits. `recent` comes from the cheap
    /// clock.
    pub(crate) fn collect(&mut self, key: u32, recent: Instant) -> Option<Collected<C>> {
        let (since, site) = (self.waiters.since(key), self.waiters.site(key));
        let settled = self.waiters.collect(key)?;
        self.counters.wait_time += u128::from(recent.nanos_since(since.cheap));
        let since = since.exact;
        Some(match settled {
            Settled::Delivered { slot, connection, opened } => {
                let acquires = &mut self.counters.acquires;
                let served = if opened { Served::Opened } else { Served::Waited };
                *(if opened { &mut acquires.opened } else { &mut acquires.waited }) += 1;
                Collected::Acquired { checkout: Checkout { slot, connection }, served, since }
            }
            Settled::Failed(reason) => {
                self.count_failure(reason.kind);
                Collected::Failed(Box::new(self.failure(reason, since, site)))
            }
        })
    }

    /// Whether the waiter's stored waker wakes the task of `waker`.
    pub(crate) fn will_wake(&self, key: u32, waker: &Waker) -> bool {
        self.waiters.will_wake(key, waker)
    }

    pub(crate) fn set_waker(&mut self, key: u32, waker: Waker, effects: &mut Effects<C>) {
        effects.drop_waker(self.waiters.set_waker(key, waker));
    }

    /// Gives up: the future was dropped. What it had been given goes to the next. `recent` comes from
    /// the cheap clock. Returns since when it had waited.
    pub(crate) fn cancel(
        &mut self,
        key: u32,
        recent: Instant,
        effects: &mut Effects<C>,
    ) -> Instant {
        let since = self.waiters.since(key);
        self.counters.acquires.cancelled += 1;
        self.counters.wait_time += u128::from(recent.nanos_since(since.cheap));
        let (settled, waker) = self.waiters.remove(key);
        effects.drop_waker(waker);
        match settled {
            Some(Settled::Delivered { slot, connection, .. }) => {
                self.settle(slot, connection, Left::Clean, recent, effects);
            }
            Some(Settled::Failed(reason)) => effects.drop_circumstances(reason.circumstances),
            None => {}
        }
        since.exact
    }

    /// Fails a waiting acquire.
    pub(super) fn fail_waiter(&mut self, key: u32, reason: &Reason, effects: &mut Effects<C>) {
        let waker = self.waiters.settle(key, Settled::Failed(reason.clone()));
        effects.wake(waker);
    }

    /// Fails every waiting acquire.
    pub(super) fn fail_waiters(
        &mut self,
        kind: AcquireErrorKind,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        if self.waiters.is_empty() {
            return;
        }
        let reason = self.reason(kind, self.waiting_phase(), now);
        while let Some(key) = self.waiters.oldest() {
            self.fail_waiter(key, &reason, effects);
        }
    }

    /// Hands a connection to the oldest waiter, if one waits.
    ///
    /// # Errors
    ///
    /// Gives the connection back if nobody waits.
    #[inline]
    pub(super) fn deliver(
        &mut self,
        slot: u32,
        connection: C,
        opened: bool,
        now: Instant,
        effects: &mut Effects<C>,
    ) -> Result<(), C> {
        let Some(key) = self.waiters.oldest() else { return Err(connection) };
        let site = self.waiters.site(key);
        self.slots.set_phase(slot, Phase::InUse);
        self.start_use(slot, now, site, effects);
        let waker = self.waiters.settle(key, Settled::Delivered { slot, connection, opened });
        effects.wake(waker);
        Ok(())
    }

    /// What those who wait are waiting for.
    pub(super) fn waiting_phase(&self) -> AcquirePhase {
        if self.gate == PoolState::Paused {
            AcquirePhase::Paused
        } else if self.slots.count(Phase::Opening) > 0 {
            AcquirePhase::Opening
        } else if self.slots.count(Phase::Checking) > 0 {
            AcquirePhase::Checking
        } else if self.slots.count(Phase::Resetting) > 0 {
            AcquirePhase::Resetting
        } else if self.outage.is_on() {
            AcquirePhase::BackingOff
        } else {
            AcquirePhase::Queued
        }
    }

    fn count_failure(&mut self, kind: AcquireErrorKind) {
        let acquires = &mut self.counters.acquires;
        *match kind {
            AcquireErrorKind::Timeout => &mut acquires.timed_out,
            AcquireErrorKind::QueueFull => &mut acquires.queue_full,
            AcquireErrorKind::Closed => &mut acquires.closed,
            AcquireErrorKind::ConnectFailed => &mut acquires.connect_failed,
            AcquireErrorKind::NoRuntime => &mut acquires.no_runtime,
        } += 1;
    }
}
