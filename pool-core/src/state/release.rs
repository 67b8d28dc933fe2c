//! Release: where a connection goes next, decided in one place.

use super::command::Command;
use super::slots::Phase;
use super::{Effects, Event, State};
use crate::runtime::Instant;
use crate::stats::{CloseReason, PoolState};

/// How a connection was left, after panics and the user's word are taken into account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// By nobody yet: just opened.
    New,
    /// Ready for the next user.
    Clean,
    /// To be reset first.
    Dirty,
    /// Not to be used again.
    Broken,
}

impl<C> State<C> {
    /// A guard was dropped. Returns since when it held the connection.
    #[inline]
    pub(crate) fn release(
        &mut self,
        slot: u32,
        connection: C,
        left: Left,
        recent: Instant,
        effects: &mut Effects<C>,
    ) -> Instant {
        let since = self.slots.get(slot).since;
        let held = recent.nanos_since(since);
        self.counters.hold_time += u128::from(held);
        if self.hold.add(held) {
            // Now the figures can say whether those who wait need more connections.
            self.wake_worker(effects);
        }
        self.last_release = recent;
        self.settle(slot, connection, left, recent, effects);
        since
    }

    /// Where a connection that is not idle goes next: closed if it may not be used again, reset if
    /// it is dirty, else to the oldest waiter, else idle. The only place that decides this.
    #[inline]
    pub(super) fn settle(
        &mut self,
        slot: u32,
        connection: C,
        left: Left,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        let retire = match left {
            Left::Broken => Some(CloseReason::Broken),
            Left::New | Left::Clean | Left::Dirty => self.retire_reason(slot, now),
        };
        if let Some(reason) = retire
            && let Some(reason) = self.renew_returned(slot, reason, now, effects)
        {
            return self.retire(slot, connection, reason, now, effects);
        }
        if left == Left::Dirty {
            return self.start_reset(slot, connection, now, effects);
        }
        let connection = if self.gate == PoolState::Open && !self.waiters.is_empty() {
            match self.deliver(slot, connection, left == Left::New, now, effects) {
                Ok(()) => return,
                Err(connection) => connection,
            }
        } else {
            connection
        };
        if self.is_surplus_at_once() {
            return self.retire(slot, connection, CloseReason::Surplus, now, effects);
        }
        self.slots.put_idle(slot, connection, now);
        self.note_surplus(now);
        self.wake_worker_by(now.after_nanos(self.limits.shortest_rest), effects);
    }

    /// Whether one more idle connection is closed now: `max_idle = 0` and a zero grace keep no
    /// surplus for a moment.
    #[inline]
    pub(super) fn is_surplus_at_once(&self) -> bool {
        self.limits.no_grace && self.slots.idle() >= self.limits.max_idle
    }

    /// Notes since when there is surplus, after a connection was put to rest.
    #[inline]
    pub(super) fn note_surplus(&mut self, now: Instant) {
        if self.slots.idle() == self.limits.max_idle.saturating_add(1) {
            self.surplus_since = now;
        }
    }

    /// Why a connection may not be used again, whatever its user did to it.
    #[inline]
    pub(super) fn retire_reason(&self, slot: u32, now: Instant) -> Option<CloseReason> {
        let slot = self.slots.get(slot);
        if self.gate == PoolState::Closed {
            Some(CloseReason::PoolClosed)
        } else if slot.retire_at <= now {
            Some(slot.age_reason())
        } else if self.slots.open() > self.limits.max_open {
            Some(CloseReason::Surplus)
        } else {
            None
        }
    }

    /// Takes a connection out of the pool: the worker says goodbye, or, if there is none or enough
    /// goodbyes are being said, it is let go of at once.
    pub(super) fn retire(
        &mut self,
        slot: u32,
        connection: C,
        reason: CloseReason,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        let (connection_id, age) = self.leave(slot, reason, now);
        effects.tell(Event::Closed { connection_id, reason, age, error: None });
        let bounded = self.slots.count(Phase::Closing) <= self.limits.max_open;
        if bounded && !self.needs_worker() {
            self.start_close(slot, connection, now);
        } else {
            self.slots.vacate(slot);
            effects.abort(connection);
        }
        self.wake_worker(effects);
        self.wake_watchers_without_worker(effects);
    }

    /// Counts a connection out. Its slot is left in the closing phase.
    pub(super) fn leave(
        &mut self,
        slot: u32,
        reason: CloseReason,
        now: Instant,
    ) -> (u64, std::time::Duration) {
        debug_assert_ne!(self.slots.phase(slot), Phase::Idle, "an idle connection is taken first");
        self.slots.set_phase(slot, Phase::Closing);
        self.lifetimes.remove(self.slots.get(slot).due);
        self.counters.closed.count(reason);
        let slot = self.slots.get(slot);
        (slot.id, now.since(slot.born))
    }

    /// Takes an idle connection out of the pool.
    pub(super) fn retire_idle(
        &mut self,
        slot: u32,
        reason: CloseReason,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        let connection = self.slots.take_idle(slot, Phase::InUse);
        self.retire(slot, connection, reason, now, effects);
    }

    /// A user keeps the connection: it leaves the pool without a goodbye.
    /// Returns since when it was held.
    pub(crate) fn detach(&mut self, slot: u32, now: Instant, effects: &mut Effects<C>) -> Instant {
        let since = self.slots.get(slot).since;
        self.counters.hold_time += u128::from(now.nanos_since(since));
        let reason = CloseReason::Detached;
        let (connection_id, age) = self.leave(slot, reason, now);
        self.slots.vacate(slot);
        effects.tell(Event::Closed { connection_id, reason, age, error: None });
        self.wake_worker(effects);
        self.wake_watchers_without_worker(effects);
        since
    }

    fn start_reset(&mut self, slot: u32, connection: C, now: Instant, effects: &mut Effects<C>) {
        if self.needs_worker() {
            return self.retire(slot, connection, CloseReason::Broken, now, effects);
        }
        self.slots.set_phase(slot, Phase::Resetting);
        self.slots.get_mut(slot).since = now;
        self.calls.set(slot, now.after(self.config.check_timeout));
        self.commands.push(Command::Reset { slot, connection });
        self.wake_worker(effects);
    }

    fn start_close(&mut self, slot: u32, connection: C, now: Instant) {
        self.slots.get_mut(slot).since = now;
        self.calls.set(slot, now.after(self.config.check_timeout));
        self.commands.push(Command::Close { slot, connection });
    }
}
