//! Opening: who needs a connection, whether one may be opened, and what a failed connect means.

use std::time::Duration;

use super::command::Command;
use super::release::Left;
use super::slots::Phase;
use super::{Effects, Event, State};
use crate::error::{AcquireErrorKind, ErrorClass, SharedError};
use crate::runtime::Instant;
use crate::stats::PoolState;

/// The first retry comes soon: one refused connect is often a restart that is already over.
const FIRST_RETRY: Duration = Duration::from_millis(50);
/// Then a probe every 250 to 300 ms, drawn anew each time, so that many pools do not probe in step.
const RETRY_MILLIS: std::ops::Range<u64> = 250..300;
/// After this long, probes become rarer, doubling up to `LONGEST_RETRY`.
const LONG_OUTAGE: Duration = Duration::from_secs(30);
const LONGEST_RETRY: Duration = Duration::from_secs(2);

/// The connects that failed since the last success.
#[derive(Debug, Default)]
pub(super) struct Outage {
    failures: Option<Failures>,
}

#[derive(Debug)]
pub(super) struct Failures {
    pub(super) attempts: u32,
    pub(super) first: Instant,
    pub(super) last: Instant,
    pub(super) class: ErrorClass,
    pub(super) error: SharedError,
    retry_at: Instant,
    /// The pause before `retry_at`, once the outage is long.
    pause: Duration,
}

impl Outage {
    pub(super) const fn is_on(&self) -> bool {
        self.failures.is_some()
    }

    pub(super) const fn failures(&self) -> Option<&Failures> {
        self.failures.as_ref()
    }

    /// When the next connect may start.
    fn retry_at(&self) -> Instant {
        self.failures.as_ref().map_or(Instant::EPOCH, |failures| failures.retry_at)
    }

    /// Notes a failed connect that was started at `started`.
    fn fail(
        &mut self,
        started: Instant,
        now: Instant,
        class: ErrorClass,
        error: SharedError,
        rng: &mut fastrand::Rng,
    ) -> u32 {
        let probe = Duration::from_millis(rng.u64(RETRY_MILLIS));
        let Some(failures) = &mut self.failures else {
            let retry_at = now.after(FIRST_RETRY);
            let (first, last, attempts, pause) = (now, now, 1, probe);
            self.failures = Some(Failures { attempts, first, last, class, error, retry_at, pause });
            return 1;
        };
        failures.attempts = failures.attempts.saturating_add(1);
        failures.last = now;
        failures.class = class;
        failures.error = error;
        // One that was under way when the outage began says nothing new.
        if started > failures.first {
            let long = now.since(failures.first) > LONG_OUTAGE;
            failures.pause = if long { (failures.pause * 2).min(LONGEST_RETRY) } else { probe };
            failures.retry_at = now.after(failures.pause);
        }
        failures.attempts
    }
}

impl<C> State<C> {
    /// Whether a connect may start, but for the pause after a failed one.
    pub(super) fn has_room(&self) -> bool {
        let opening = self.slots.count(Phase::Opening);
        let most = if self.outage.is_on() { 1 } else { self.config.max_opening };
        opening < most && self.slots.open() < self.limits.max_open.min(self.opening_ceiling)
    }

    fn may_open(&self, now: Instant) -> bool {
        self.has_room() && now >= self.outage.retry_at()
    }

    /// When the worker can next do something for those who wait.
    pub(super) fn next_demand(&self, now: Instant) -> Instant {
        if self.gate != PoolState::Open {
            Instant::NEVER
        } else if self.slots.idle() > 0 {
            now
        } else if self.has_room() {
            self.outage.retry_at().max(now)
        } else {
            Instant::NEVER
        }
    }

    /// Starts what those who wait, `min_idle` and warm-ups need.
    pub(super) fn meet_demand(&mut self, now: Instant, effects: &mut Effects<C>) {
        if self.gate != PoolState::Open {
            return;
        }
        while self.waiters.queued() > self.coming() {
            let room = self.may_open(now);
            match self.slots.newest_idle() {
                // A dead connection was just found: a new one is surer than the next idle one.
                Some(_) if room && self.idle_suspect => self.start_open(now),
                Some(slot) => self.use_idle(slot, now, effects),
                None if room => self.start_open(now),
                None => break,
            }
        }
        while self.wants_spare() && self.may_open(now) {
            self.start_open(now);
        }
    }

    /// Connections on their way to those who wait.
    fn coming(&self) -> usize {
        self.slots.count(Phase::Opening) + self.slots.count(Phase::Checking)
    }

    /// Whether `min_idle` or a warm-up asks for one more connection.
    fn wants_spare(&self) -> bool {
        let spare = (self.slots.idle() + self.coming()).saturating_sub(self.waiters.queued());
        spare < self.limits.min_idle || self.slots.open() < self.warm_up_target()
    }

    /// When a connect that demand asks for can start, if it has to be waited for.
    pub(super) fn next_open(&self) -> Instant {
        let wanted = self.waiters.queued() > self.coming() || self.wants_spare();
        if self.gate == PoolState::Open && wanted && self.has_room() {
            self.outage.retry_at()
        } else {
            Instant::NEVER
        }
    }

    /// Hands the idle connection to the oldest waiter, after a check if it needs one.
    fn use_idle(&mut self, slot: u32, now: Instant, effects: &mut Effects<C>) {
        let fresh = self.is_fresh(slot, now);
        let connection = self.slots.take_idle(slot, Phase::InUse);
        if let Some(reason) = self.retire_reason(slot, now) {
            self.retire(slot, connection, reason, now, effects);
        } else if fresh {
            let delivered = self.deliver(slot, connection, false, now, effects);
            assert!(delivered.is_ok(), "bug: demand without a waiter");
        } else {
            self.start_check(slot, connection, now);
        }
    }

    pub(super) fn start_check(&mut self, slot: u32, connection: C, now: Instant) {
        self.slots.set_phase(slot, Phase::Checking);
        self.calls.set(slot, now.after(self.config.check_timeout));
        self.commands.push(Command::Check { slot, connection });
    }

    fn start_open(&mut self, now: Instant) {
        let id = self.next_connection;
        self.next_connection += 1;
        let slot = self.slots.open_new(id, self.rng.u16(..), now);
        self.calls.set(slot, now.after(self.config.connect_timeout));
        self.commands.push(Command::Open { slot, id });
    }

    /// Takes in a connection that is open: one the worker opened, or one brought by `Pool::open`.
    pub(super) fn opened(
        &mut self,
        slot: u32,
        connection: C,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        self.outage = Outage::default();
        self.idle_suspect = false;
        self.counters.opened += 1;
        let took = now.since(self.slots.get(slot).since);
        let born = self.slots.get_mut(slot);
        born.born = now;
        effects.tell(Event::Opened { connection_id: born.id, took });
        self.set_lifetime(slot);
        self.settle(slot, connection, Left::New, now, effects);
    }

    /// Takes in a connection opened outside; gives it back if there is no room.
    ///
    /// # Errors
    ///
    /// The connection, if the pool is closed or full.
    pub(crate) fn adopt(
        &mut self,
        connection: C,
        id: u64,
        now: Instant,
        effects: &mut Effects<C>,
    ) -> Result<(), C> {
        if self.gate == PoolState::Closed || self.slots.open() >= self.limits.max_open {
            return Err(connection);
        }
        let slot = self.slots.open_new(id, self.rng.u16(..), now);
        self.opened(slot, connection, now, effects);
        Ok(())
    }

    /// A number for a connection that is opened outside.
    pub(crate) fn take_connection_id(&mut self) -> u64 {
        let id = self.next_connection;
        self.next_connection += 1;
        id
    }

    pub(super) fn open_failed(
        &mut self,
        slot: u32,
        class: ErrorClass,
        error: SharedError,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        let started = self.slots.get(slot).since;
        let took = now.since(started);
        self.slots.vacate(slot);
        self.counters.open_failed += 1;
        let shared = SharedError::clone(&error);
        let attempts = self.outage.fail(started, now, class, shared, &mut self.rng);
        effects.tell(Event::OpenFailed { took, class, attempts, error });
        let hopeless = class == ErrorClass::Permanent && self.slots.open() == 0;
        if hopeless || self.unavailable(now) {
            self.fail_waiters(AcquireErrorKind::ConnectFailed, now, effects);
        }
    }

    /// Whether an acquire that would have to wait fails at once: connects keep failing, no
    /// connection circulates, and it is not yet time to try the next connect.
    pub(super) fn unavailable(&self, now: Instant) -> bool {
        let Some(failures) = self.outage.failures() else { return false };
        let probing = self.slots.count(Phase::Opening) == 0 && now >= failures.retry_at;
        !probing && self.slots.idle() == 0 && now >= self.fails_fast_at()
    }

    /// From when on waiting acquires fail during the present outage.
    pub(super) fn fails_fast_at(&self) -> Instant {
        let Some(failures) = self.outage.failures() else { return Instant::NEVER };
        let nothing_open = self.slots.established() == 0;
        if failures.class == ErrorClass::Permanent && nothing_open {
            return failures.first;
        }
        let Some(grace) = self.config.outage_grace else { return Instant::NEVER };
        let graced = failures.first.after(grace);
        if nothing_open { graced } else { graced.max(self.last_release.after(grace)) }
    }
}
