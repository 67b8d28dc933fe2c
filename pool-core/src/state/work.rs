//! The worker's side: its seat, its plan, and what it makes of the calls that ended.

use std::sync::Arc;
use std::task::Waker;

use super::command::{Command, Failure, Finished};
use super::release::Left;
use super::slots::Phase;
use super::waiters::Reason;
use super::{Effects, Event, State, WorkerSeat};
use crate::error::{AcquireErrorKind, DriverFault, SharedError};
use crate::runtime::{Instant, NoRuntime};
use crate::stats::{CloseReason, PoolState};

/// What the worker does until it is woken again.
#[derive(Debug)]
pub(crate) struct Plan {
    /// When to wake by itself.
    pub(crate) wake_at: Instant,
    /// Whether nothing is left to do, ever.
    pub(crate) done: bool,
}

impl<C> State<C> {
    /// Takes the seat for a new worker on a runtime that is `driven`; `None` if it is taken.
    pub(crate) fn take_seat(&mut self, driven: Option<u64>) -> Option<u64> {
        if !self.needs_worker() {
            return None;
        }
        let seat = self.next_seat;
        self.next_seat += 1;
        let wakes_at = Instant::EPOCH;
        self.worker = WorkerSeat::Taken { seat, driven, rounds: 0, waker: None, wakes_at };
        self.update_serving();
        Some(seat)
    }

    /// The runtime that has to be driven for the worker to run.
    pub(crate) const fn worker_driven(&self) -> Option<u64> {
        match self.worker {
            WorkerSeat::Taken { driven, .. } => driven,
            WorkerSeat::Empty => None,
        }
    }

    /// Which worker there is, how many rounds it has done, and whether it has one to do.
    pub(crate) fn worker_rounds(&self, now: Instant) -> (u64, u64, bool) {
        match self.worker {
            WorkerSeat::Taken { seat, rounds, wakes_at, .. } => (seat, rounds, wakes_at <= now),
            WorkerSeat::Empty => (0, 0, false),
        }
    }

    /// Everything that is due at `now`. The worker then makes the calls in `commands`, and sleeps
    /// until `wake_at` or until `waker` is woken.
    pub(crate) fn work(
        &mut self,
        own_seat: u64,
        now: Instant,
        waker: Waker,
        commands: &mut Vec<Command<C>>,
        effects: &mut Effects<C>,
    ) -> Plan {
        if !matches!(self.worker, WorkerSeat::Taken { seat, .. } if seat == own_seat) {
            effects.drop_waker(Some(waker));
            return Plan { wake_at: Instant::NEVER, done: true };
        }
        self.cut_overdue_calls(now);
        self.expire_waiters(now, effects);
        self.replace_old(now, effects);
        self.retire_surplus(now, effects);
        self.keep_alive(now);
        self.report_leaks(now, effects);
        self.meet_demand(now, effects);
        self.wake_watchers(now, effects);
        self.tell_circuit(effects);
        commands.append(&mut self.commands);
        let nothing_out = self.slots.occupied().next().is_none();
        if self.gate == PoolState::Closed && nothing_out && self.watchers.is_empty() {
            self.vacate_seat(effects);
            effects.drop_waker(Some(waker));
            return Plan { wake_at: Instant::NEVER, done: true };
        }
        let wake_at = self.next_due(now);
        if let WorkerSeat::Taken { rounds, waker: sleeping, wakes_at, .. } = &mut self.worker {
            *rounds += 1;
            *wakes_at = wake_at;
            effects.drop_waker(sleeping.replace(waker));
        }
        Plan { wake_at, done: false }
    }

    fn vacate_seat(&mut self, effects: &mut Effects<C>) {
        let old = std::mem::replace(&mut self.worker, WorkerSeat::Empty);
        self.update_serving();
        if let WorkerSeat::Taken { waker, .. } = old {
            effects.drop_waker(waker);
        }
    }

    /// When something is due next.
    fn next_due(&self, now: Instant) -> Instant {
        [
            self.calls.soonest(),
            self.waiters.soonest_deadline(),
            self.next_fail_fast(),
            self.next_expiry(),
            self.next_keepalive(),
            self.leak_scan_at,
            self.next_open(now),
            self.next_watch(),
        ]
        .into_iter()
        .fold(Instant::NEVER, Instant::min)
        .max(now)
    }

    fn cut_overdue_calls(&mut self, now: Instant) {
        while let Some(slot) = self.calls.pop_due(now) {
            self.commands.push(Command::Cut { slot });
        }
    }

    fn expire_waiters(&mut self, now: Instant, effects: &mut Effects<C>) {
        if let Some(first) = self.waiters.next_expired(now) {
            let reason = self.reason(AcquireErrorKind::Timeout, self.waiting_phase(), now);
            let mut next = Some(first);
            while let Some(key) = next {
                self.fail_waiter(key, &reason, effects);
                next = self.waiters.next_expired(now);
            }
        }
        if now >= self.next_fail_fast() {
            let reason = self.reason(AcquireErrorKind::ConnectFailed, self.waiting_phase(), now);
            while let Some(key) = self.waiters.oldest() {
                if !self.felt_the_outage(self.waiters.since(key).exact) {
                    break;
                }
                self.fail_waiter(key, &reason, effects);
            }
        }
    }

    /// When acquires that wait already are to fail because of the outage.
    fn next_fail_fast(&self) -> Instant {
        match self.waiters.oldest_since() {
            Some(since) if self.gate == PoolState::Open && self.felt_the_outage(since) => {
                self.fails_fast_at()
            }
            _ => Instant::NEVER,
        }
    }

    /// Whether a connect has failed since an acquire came. One that came later waits for the
    /// connect that it started, however old the outage is.
    fn felt_the_outage(&self, since: Instant) -> bool {
        self.outage.failures().is_some_and(|failures| failures.last >= since)
    }

    /// A call has ended. What comes from a worker that was given up meanwhile is nobody's.
    pub(crate) fn finish(
        &mut self,
        own_seat: u64,
        slot: u32,
        finished: Finished<C>,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        if !matches!(self.worker, WorkerSeat::Taken { seat, .. } if seat == own_seat) {
            return match finished {
                Finished::Good(connection) => effects.abort(connection),
                Finished::Failed(failure) => effects.drop_error(failure.error),
                Finished::Gone | Finished::Cut => {}
            };
        }
        self.calls.remove(slot);
        if self.keeping_alive == Some(slot) {
            self.keeping_alive = None;
        }
        match (self.slots.phase(slot), finished) {
            (Phase::Opening, Finished::Good(connection)) => {
                self.opened(slot, connection, now, effects);
            }
            (Phase::Opening, Finished::Failed(failure)) => {
                self.open_failed(slot, failure, now, effects);
            }
            (Phase::Opening, _) if self.gate == PoolState::Closed => self.slots.vacate(slot),
            (Phase::Opening, _) => {
                let limit = now.since(self.slots.get(slot).since).min(self.config.connect_timeout);
                let failure = Failure::transient(DriverFault::TimedOut { call: "connect", limit });
                self.open_failed(slot, failure, now, effects);
            }
            (Phase::Checking, Finished::Good(connection)) => {
                self.checked(slot, connection, now, effects);
            }
            (Phase::Resetting, Finished::Good(connection)) => {
                self.settle(slot, connection, Left::Clean, now, effects);
            }
            // It says nothing of the connection.
            (Phase::Checking, Finished::Cut) if self.gate == PoolState::Closed => {
                self.lost(slot, CloseReason::PoolClosed, None, now, effects);
            }
            (Phase::Checking, failed) => self.check_failed(slot, failed, now, effects),
            (Phase::Resetting, failed) => {
                self.lost(slot, CloseReason::Broken, failed.into_error(), now, effects);
            }
            (Phase::Closing, _) => self.slots.vacate(slot),
            (phase @ (Phase::Vacant | Phase::Idle | Phase::InUse), _) => {
                unreachable!("bug: a call ended for a slot that is {phase:?}")
            }
        }
        self.tell_circuit(effects);
    }

    fn check_failed(
        &mut self,
        slot: u32,
        failed: Finished<C>,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        self.idle_suspect = true;
        let limit = self.config.check_timeout;
        let cut = || Arc::new(DriverFault::TimedOut { call: "check", limit }) as SharedError;
        let error = failed.into_error().unwrap_or_else(cut);
        self.tell_checked(slot, Some(SharedError::clone(&error)), now, effects);
        self.lost(slot, CloseReason::CheckFailed, Some(error), now, effects);
    }

    fn tell_checked(
        &self,
        slot: u32,
        error: Option<SharedError>,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        let checked = self.slots.get(slot);
        let (connection_id, took) = (checked.id, now.since(checked.checked));
        let idle = checked.checked.since(checked.since);
        effects.tell(Event::Checked { connection_id, idle, took, error });
    }

    fn checked(&mut self, slot: u32, connection: C, now: Instant, effects: &mut Effects<C>) {
        self.tell_checked(slot, None, now, effects);
        self.idle_suspect = false;
        self.slots.get_mut(slot).checked = now;
        let wanted = self.gate == PoolState::Open && !self.waiters.is_empty();
        if wanted || self.retire_reason(slot, now).is_some() || self.is_surplus_at_once() {
            self.settle(slot, connection, Left::Clean, now, effects);
        } else {
            // Checking is not using: the connection keeps its idle time.
            self.slots.put_back_idle(slot, connection);
            self.note_surplus(now);
        }
    }

    /// A connection is gone, dropped in or by the driver.
    fn lost(
        &mut self,
        slot: u32,
        reason: CloseReason,
        error: Option<SharedError>,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        let reason = if self.gate == PoolState::Closed { CloseReason::PoolClosed } else { reason };
        let (connection_id, age) = self.leave(slot, reason, now);
        self.slots.vacate(slot);
        effects.tell(Event::Closed { connection_id, reason, age, error });
    }

    /// The worker in `own_seat` is gone, and with it what it was doing: its runtime was shut down,
    /// or lacks what is `missing`. Without anything missing, those who wait look again and start
    /// another worker.
    pub(crate) fn worker_lost(
        &mut self,
        own_seat: u64,
        missing: Option<&NoRuntime>,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        if matches!(self.worker, WorkerSeat::Taken { seat, .. } if seat == own_seat) {
            self.lost_seat = own_seat;
            self.evict_worker(missing, now, effects);
        }
    }

    /// Whether there is no worker because the one in `seat` was lost, not given up by others.
    pub(crate) fn lacks_worker_since_lost(&self, seat: u64) -> bool {
        self.needs_worker() && self.lost_seat == seat
    }

    /// Gives the worker up, whether it is gone or its runtime no longer runs.
    pub(crate) fn evict_worker(
        &mut self,
        missing: Option<&NoRuntime>,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        self.vacate_seat(effects);
        for command in std::mem::take(&mut self.commands) {
            match command {
                Command::Check { connection, .. }
                | Command::Reset { connection, .. }
                | Command::Close { connection, .. } => effects.abort(connection),
                Command::Open { .. } | Command::Cut { .. } => {}
            }
        }
        let slots: Vec<_> = self.slots.occupied().map(|(slot, _)| slot).collect();
        for slot in slots {
            match self.slots.phase(slot) {
                Phase::Opening | Phase::Closing => {
                    self.calls.remove(slot);
                    self.slots.vacate(slot);
                }
                Phase::Checking | Phase::Resetting => {
                    self.keeping_alive = None;
                    self.calls.remove(slot);
                    self.lost(slot, CloseReason::Broken, None, now, effects);
                }
                Phase::Vacant | Phase::Idle | Phase::InUse => {}
            }
        }
        self.tell_circuit(effects);
        match missing {
            None => effects.wake_all(self.waiters.take_wakers()),
            Some(missing) => {
                while let Some(key) = self.waiters.oldest() {
                    self.no_runtime(key, missing.clone(), now, effects);
                }
            }
        }
        self.tell_watchers_of_missing(missing);
        self.wake_watchers_without_worker(effects);
    }

    /// There can be no worker: a waiting acquire fails.
    pub(crate) fn no_runtime(
        &mut self,
        key: u32,
        missing: NoRuntime,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        let reason = self.reason(AcquireErrorKind::NoRuntime, self.waiting_phase(), now);
        let reason = Reason { no_runtime: Some(missing), ..reason };
        self.fail_waiter(key, &reason, effects);
    }

    /// Cuts every call short but the goodbyes.
    pub(super) fn cut_calls(&mut self, closing_too: bool) {
        let under_way = self.slots.occupied().filter(|(_, slot)| match slot.phase() {
            Phase::Opening | Phase::Checking | Phase::Resetting => true,
            Phase::Closing => closing_too,
            Phase::Vacant | Phase::Idle | Phase::InUse => false,
        });
        let slots: Vec<_> = under_way.map(|(slot, _)| slot).collect();
        for slot in slots {
            self.calls.set(slot, Instant::EPOCH);
        }
    }
}
