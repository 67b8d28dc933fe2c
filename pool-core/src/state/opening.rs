//! Opening: whether a connect may start, and what becomes of it. Who needs one is in `demand`, what
//! failed ones mean in `outage`.

use std::time::Duration;

use super::command::{Command, Failure};
use super::release::Left;
use super::slots::Phase;
use super::{Effects, Event, State};
use crate::error::{AcquireErrorKind, SharedError};
use crate::runtime::{Instant, saturating_nanos};
use crate::stats::PoolState;

impl<C> State<C> {
    /// How many more connects may be in flight, but for the pause after a failed one.
    pub(super) fn room(&self, now: Instant) -> usize {
        let opening = self.slots.count(Phase::Opening);
        let most = if self.outage.is_on() { 1 } else { self.config.max_opening.min(self.recovery) };
        most.saturating_sub(opening)
            .min(self.opening_ceiling(now).saturating_sub(self.slots.open() + self.going()))
    }

    /// Connections that say goodbye, where the server counts: under a lease, they are there until they are
    /// gone.
    fn going(&self) -> usize {
        if self.steering.opening.is_some() { self.slots.count(Phase::Closing) } else { 0 }
    }

    /// Whether a connect may start, but for the pause after a failed one.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        self.room(now) > 0
    }

    /// No connect starts at or above so many open connections.
    pub(super) fn opening_ceiling(&self, now: Instant) -> usize {
        self.limits.max_open.min(self.steering.opening_ceiling(now))
    }

    /// Whether only the closing of a connection makes room for another.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.slots.open() == self.opening_ceiling(now)
    }

    pub(super) fn may_open(&self, now: Instant) -> bool {
        self.has_room(now) && now >= self.outage.retry_at()
    }

    /// Hands the idle connection to the oldest waiter, after a check if it needs one.
    pub(super) fn use_idle(&mut self, slot: u32, now: Instant, effects: &mut Effects<C>) {
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

    /// Has a connection checked that is neither idle nor in use.
    pub(super) fn start_check(&mut self, slot: u32, connection: C, now: Instant) {
        self.slots.set_phase(slot, Phase::Checking);
        self.slots.get_mut(slot).checked = now;
        self.calls.set(slot, now.after(self.config.check_timeout));
        self.commands.push(Command::Check { slot, connection });
    }

    pub(super) fn start_replacement(&mut self, old: u64, now: Instant) {
        let slot = self.start_open(now);
        self.slots.get_mut(slot).replaces = old;
    }

    pub(super) fn start_open(&mut self, now: Instant) -> u32 {
        let id = self.next_connection;
        self.next_connection += 1;
        self.outage.ask_again(now);
        let slot = self.slots.open_new(id, self.rng.u16(..), now);
        // Whoever shares the server counts on it that after the lease, no connection comes to be.
        let lease_ends = self.steering.opening_until().unwrap_or(Instant::NEVER);
        self.calls.set(slot, now.after(self.config.connect_timeout).min(lease_ends));
        self.commands.push(Command::Open { slot, id });
        slot
    }

    /// Takes in a connection that the worker opened.
    pub(super) fn opened(
        &mut self,
        slot: u32,
        connection: C,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        let took = now.since(self.slots.get(slot).since);
        self.take_in(slot, connection, took, now, effects);
    }

    fn take_in(
        &mut self,
        slot: u32,
        connection: C,
        took: Duration,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        self.recovery = if self.outage.is_on() { 1 } else { self.recovery.saturating_add(1) };
        if let Some(error) = self.outage.end() {
            effects.drop_error(error);
        }
        self.idle_suspect = false;
        self.counters.opened += 1;
        self.connect.add(saturating_nanos(took));
        let born = self.slots.get_mut(slot);
        born.born = now;
        effects.tell(Event::Opened { connection_id: born.id, took });
        let replaces = std::mem::take(&mut self.slots.get_mut(slot).replaces);
        if replaces != 0 {
            self.replaced(replaces, now, effects);
        }
        self.set_lifetime(slot, now);
        self.settle(slot, connection, Left::New, now, effects);
    }

    /// Takes in a connection opened outside by `Pool::open`, which `took` as long; gives it back if
    /// there is no room.
    ///
    /// # Errors
    ///
    /// The connection, if the pool is closed or full.
    pub(crate) fn adopt(
        &mut self,
        connection: C,
        id: u64,
        took: Duration,
        now: Instant,
        effects: &mut Effects<C>,
    ) -> Result<(), C> {
        if self.gate == PoolState::Closed || self.slots.open() >= self.limits.max_open {
            return Err(connection);
        }
        let slot = self.slots.open_new(id, self.rng.u16(..), now);
        self.take_in(slot, connection, took, now, effects);
        self.tell_circuit(effects);
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
        failure: Failure,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        let Failure { error, class, code } = failure;
        let started = self.slots.get(slot).since;
        let took = now.since(started);
        self.slots.vacate(slot);
        self.counters.open_failed += 1;
        let shared = SharedError::clone(&error);
        let (attempts, replaced) = self.outage.fail(started, now, class, shared, &mut self.rng);
        if let Some(replaced) = replaced {
            effects.drop_error(replaced);
        }
        effects.tell(Event::OpenFailed { took, class, attempts, error, code });
        if self.gate == PoolState::Open && self.unavailable(now) {
            self.fail_waiters(AcquireErrorKind::ConnectFailed, now, effects);
        }
    }
}
