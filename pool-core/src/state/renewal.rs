//! Renewal: every connection there is replaced by a new one, one at a time, without anybody noticing.
//!
//! A stale connection gets a turn by the schedule of lifetimes. Unlike one that is about to be too old
//! it may go on as it is, for as long as connects fail.

use super::schedule::APART;
use super::slots::Phase;
use super::{Effects, State};
use crate::runtime::Instant;
use crate::stats::{CloseReason, PoolState};

/// How a stale connection can be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Its replacement is opened, and then it is closed.
    OpenFirst,
    /// The pool is full: it is closed, and then its replacement is opened.
    CloseFirst,
    /// Not now.
    Later,
}

impl<C> State<C> {
    /// Has every connection there is replaced by a new one. Returns how many.
    pub(crate) fn renew(&mut self, now: Instant, effects: &mut Effects<C>) -> usize {
        let all = self.slots.occupied().filter(|(_, slot)| !slot.outdated);
        let all: Vec<_> = all.map(|(index, slot)| (index, slot.phase())).collect();
        let mut stale = 0;
        for (index, phase) in all {
            if phase == Phase::Closing {
                continue;
            }
            stale += 1;
            self.slots.get_mut(index).stale = true;
            // One that is being opened may have begun with what is not true any more; it gets its turn
            // once it is there.
            if phase.is_established() {
                self.set_lifetime(index, now);
            }
        }
        self.wake_worker(effects);
        stale
    }

    /// Gives a stale connection a turn of its own, not before `at`; where it will be too old by then,
    /// that is when it is looked at.
    pub(super) fn give_turn(&mut self, index: u32, at: Instant) {
        let slot = self.slots.get_mut(index);
        let turn = self.lifetimes.free_from(at).min(slot.retire_at);
        slot.due = self.lifetimes.file_from(index, turn);
    }

    /// It is a stale connection's turn. One in use is closed when it comes back, if there is no room
    /// for its replacement before.
    pub(super) fn renew_due(&mut self, index: u32, now: Instant, effects: &mut Effects<C>) {
        let slot = self.slots.get(index);
        let (id, idle) = (slot.id, slot.phase() == Phase::Idle);
        match self.way_to_renew(now) {
            Way::OpenFirst => {
                self.start_replacement(id, now);
                self.give_turn(index, now.after(APART));
            }
            Way::CloseFirst if idle => {
                self.replace_at_the_cap(id, now);
                self.retire_idle(index, CloseReason::Invalidated, now, effects);
            }
            Way::CloseFirst => self.slots.get_mut(index).retire_on_return(),
            Way::Later => self.give_turn(index, now.after(APART)),
        }
    }

    /// A connection has come back that is to be closed for `reason`. If that is because it is stale,
    /// it is closed only if now is the time, and else goes on: then there is no reason.
    #[cold]
    pub(super) fn renew_returned(
        &mut self,
        index: u32,
        reason: CloseReason,
        now: Instant,
        effects: &mut Effects<C>,
    ) -> Option<CloseReason> {
        let slot = self.slots.get(index);
        let (id, end) = (slot.id, self.lifetime_end(index));
        if reason != CloseReason::Lifetime || !slot.stale || end <= now {
            return Some(reason);
        }
        if self.way_to_renew(now) == Way::CloseFirst {
            self.replace_at_the_cap(id, now);
            return Some(CloseReason::Invalidated);
        }
        self.slots.get_mut(index).retire_at = end;
        self.give_turn(index, now.after(APART));
        self.wake_worker_by(self.slots.get(index).due, effects);
        None
    }

    /// The connect starts while the old connection says goodbye. Under a lease that would be one too many on
    /// the server: there is room once it is gone, for who needs it.
    fn replace_at_the_cap(&mut self, id: u64, now: Instant) {
        if self.steering.opening.is_none() {
            self.start_replacement(id, now);
        }
    }

    /// One at a time: whether connects succeed at all is known only after the one before.
    fn way_to_renew(&self, now: Instant) -> Way {
        if self.gate != PoolState::Open || self.needs_worker() || self.is_replacing() {
            Way::Later
        } else if self.may_open(now) {
            Way::OpenFirst
        } else if self.is_full(now)
            && self.slots.count(Phase::Opening) == 0
            && !self.outage.is_known(now)
        {
            Way::CloseFirst
        } else {
            Way::Later
        }
    }
}
