//! Demand: when those who wait are worth another connection.
//!
//! A connection that comes back serves a waiter sooner than one that has yet to be opened, if it
//! comes back soon enough. So the pool compares how long the waiting would last with how long a
//! connect takes, and opens for the difference. A queue that stays although
//! the figures say it should not gets more connections little by little: the figures may be wrong.

use std::time::Duration;

use super::slots::Phase;
use super::{Effects, State};
use crate::runtime::Instant;
use crate::stats::PoolState;

/// What a hold and a connect are taken to last at least, before there are samples.
const UNKNOWN_NANOS: u64 = 10_000_000;

/// An average that follows its samples, in nanoseconds: each new one counts an eighth, as for round
/// trips in TCP (RFC 6298).
#[derive(Debug, Default)]
pub(super) struct Smoothed(Option<u64>);

impl Smoothed {
    /// Adds a sample. Returns whether it was the first.
    #[inline]
    pub(super) fn add(&mut self, nanos: u64) -> bool {
        let first = self.0.is_none();
        self.0 = Some(self.0.map_or(nanos, |average| average - average / 8 + nanos / 8));
        first
    }
}

/// The steps by which a queue that stays gets connections: 1, 2, 4 ... every half connect time.
#[derive(Debug)]
pub(super) struct SlowStart {
    /// Connects of the next step.
    step: usize,
    /// When the last step was made, or the queue began.
    since: Instant,
    /// Connects of the steps made so far for which there was no room yet.
    owed: usize,
}

impl SlowStart {
    /// For a queue that begins at `now`.
    pub(super) const fn new(now: Instant) -> Self {
        Self { step: 1, since: now, owed: 0 }
    }

    /// Makes the steps that are due. No more than `most` connects are ever owed.
    fn advance(&mut self, now: Instant, pause: Duration, most: usize) {
        while self.since.after(pause) <= now {
            if self.owed >= most {
                self.since = now;
                return;
            }
            self.owed = self.owed.saturating_add(self.step).min(most);
            self.step = self.step.saturating_mul(2).min(most);
            self.since = self.since.after(pause);
        }
    }
}

impl<C> State<C> {
    /// When the worker can next do something for those who wait.
    pub(super) fn next_demand(&self, now: Instant) -> Instant {
        if self.gate != PoolState::Open {
            Instant::NEVER
        } else if self.slots.idle() > 0 {
            now
        } else {
            self.next_open_for_waiters(now)
        }
    }

    /// When a connect that demand asks for can start, if it has to be waited for.
    pub(super) fn next_open(&self, now: Instant) -> Instant {
        if self.gate != PoolState::Open {
            Instant::NEVER
        } else if self.wants_spare() && self.has_room(now) {
            self.outage.retry_at()
        } else {
            self.next_open_for_waiters(now)
        }
    }

    fn next_open_for_waiters(&self, now: Instant) -> Instant {
        let uncovered = self.uncovered();
        if uncovered == 0 || !self.has_room(now) {
            return Instant::NEVER;
        }
        let at = if self.slow_start.owed > 0 || self.wanted_at_once(uncovered, now) > 0 {
            now
        } else {
            self.slow_start.since.after(self.slow_start_pause(now)).max(now)
        };
        at.max(self.outage.retry_at())
    }

    /// Starts what those who wait, `min_idle` and warm-ups need.
    pub(super) fn meet_demand(&mut self, now: Instant, effects: &mut Effects<C>) {
        if self.gate != PoolState::Open {
            return;
        }
        // A connect in flight is no reason to leave an idle connection lying: whichever is there
        // first serves. But a dead one was just found: the next ones are tried one at a time.
        while let Some(slot) = self.slots.newest_idle() {
            let most = if self.idle_suspect { 1 } else { usize::MAX };
            if self.checking_for_waiters() >= self.waiters.queued().min(most) {
                break;
            }
            self.use_idle(slot, now, effects);
        }
        for _ in 0..self.take_wanted(now) {
            self.start_open(now);
        }
        while self.wants_spare() && self.may_open(now) {
            self.start_open(now);
        }
    }

    /// How many connects to start now for those who wait.
    fn take_wanted(&mut self, now: Instant) -> usize {
        let uncovered = self.uncovered();
        if uncovered == 0 || !self.may_open(now) {
            return 0;
        }
        let pause = self.slow_start_pause(now);
        self.slow_start.advance(now, pause, self.config.max_opening);
        let wanted = self.wanted_at_once(uncovered, now).max(self.slow_start.owed);
        let taken = wanted.min(uncovered).min(self.room(now));
        self.slow_start.owed = self.slow_start.owed.saturating_sub(taken);
        taken
    }

    /// How many connects are wanted without delay: all, if there is nothing to come back; otherwise
    /// as many as it takes for the waiting to last no longer than a connect, if it would.
    fn wanted_at_once(&self, uncovered: usize, now: Instant) -> usize {
        let established = self.slots.established();
        if established == 0 {
            return uncovered;
        }
        let (hold, connect) = (self.hold_time(now), self.connect_time(now));
        // How long all connections together are busy with those who wait.
        let busy = uncovered as u128 * u128::from(hold);
        if busy <= u128::from(connect) * established as u128 {
            return 0;
        }
        let enough = busy.div_ceil(u128::from(connect.max(1)));
        let there = established + self.slots.count(Phase::Opening);
        usize::try_from(enough).unwrap_or(usize::MAX).saturating_sub(there)
    }

    /// Acquires that wait and for which no connection is on its way.
    fn uncovered(&self) -> usize {
        self.waiters.queued().saturating_sub(self.coming())
    }

    /// Connections on their way to those who wait. Idle ones being checked count only while there
    /// is reason to believe that they are alive.
    fn coming(&self) -> usize {
        let checking = if self.idle_suspect { 0 } else { self.checking_for_waiters() };
        self.slots.count(Phase::Opening) + checking
    }

    /// Idle connections being checked for those who wait, not to keep them alive.
    fn checking_for_waiters(&self) -> usize {
        self.slots.count(Phase::Checking) - usize::from(self.keeping_alive.is_some())
    }

    /// Whether `min_idle` or a warm-up asks for one more connection.
    fn wants_spare(&self) -> bool {
        let there = self.slots.idle() + self.slots.count(Phase::Checking);
        let coming = self.slots.count(Phase::Opening);
        let spare = (there + coming).saturating_sub(self.waiters.queued());
        spare < self.limits.min_idle || self.slots.open() < self.warm_up_target()
    }

    fn slow_start_pause(&self, now: Instant) -> Duration {
        Duration::from_nanos(self.connect_time(now) / 2)
    }

    /// How long a connection is held, in nanoseconds.
    fn hold_time(&self, now: Instant) -> u64 {
        self.hold.0.unwrap_or_else(|| self.longest_in(Phase::InUse, now).max(UNKNOWN_NANOS))
    }

    /// How long a connect takes, in nanoseconds.
    fn connect_time(&self, now: Instant) -> u64 {
        self.connect.0.unwrap_or_else(|| self.longest_in(Phase::Opening, now).max(UNKNOWN_NANOS))
    }

    /// How long the slot that is in this phase for longest has been, in nanoseconds.
    fn longest_in(&self, phase: Phase, now: Instant) -> u64 {
        let slots = self.slots.occupied().filter(|(_, slot)| slot.phase() == phase);
        slots.map(|(_, slot)| now.nanos_since(slot.since)).max().unwrap_or(0)
    }
}
