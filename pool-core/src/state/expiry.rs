//! Expiry: idle time, surplus, lifetime, keep-alive and leaks.

use std::time::Duration;

use super::schedule::APART;
use super::slots::Phase;
use super::{Effects, Event, State};
use crate::runtime::Instant;
use crate::stats::{CloseReason, PoolState};

impl<C> State<C> {
    /// Sets when the connection is too old, and when its replacement is due: sooner by what a connect
    /// may take, or from now on if it is stale.
    pub(super) fn set_lifetime(&mut self, index: u32, now: Instant) {
        let end = self.lifetime_end(index);
        let slot = self.slots.get_mut(index);
        self.lifetimes.remove(slot.due);
        slot.due = Instant::NEVER;
        slot.retire_at = if slot.outdated { Instant::EPOCH } else { end };
        if slot.outdated {
            return;
        }
        if slot.stale {
            self.give_turn(index, now);
        } else if let Some(lifetime) = self.config.max_lifetime
            && end < Instant::NEVER
        {
            let ahead = self.config.connect_timeout.min(lifetime / 10);
            let earliest = slot.born.after(lifetime / 2);
            slot.due = self.lifetimes.file(index, earliest, end.before(ahead));
        }
    }

    /// When a connection is too old: its lifetime less its own share of the jitter.
    pub(super) fn lifetime_end(&self, index: u32) -> Instant {
        let Some(lifetime) = self.config.max_lifetime else { return Instant::NEVER };
        let slot = self.slots.get(index);
        let share = f64::from(self.config.lifetime_jitter) / 100.0;
        let early = share * f64::from(slot.jitter) / f64::from(u16::MAX);
        // `mul_f64` of the longest durations may round up beyond what they can hold.
        let early =
            Duration::try_from_secs_f64(lifetime.as_secs_f64() * early).unwrap_or(Duration::MAX);
        slot.born.after(lifetime.saturating_sub(early))
    }

    /// Replaces connections that are about to be too old. Below `max_open` the replacement is
    /// opened first; at the cap one idle connection at a time is closed first. One in use is closed
    /// when it comes back: at its end, or, if others wait so that it will not rest until then, from
    /// now on. One that nobody needs is not replaced.
    pub(super) fn replace_old(&mut self, now: Instant, effects: &mut Effects<C>) {
        while let Some(index) = self.lifetimes.pop_due(now) {
            self.slots.get_mut(index).due = Instant::NEVER;
            let slot = self.slots.get(index);
            let (id, end, phase) = (slot.id, slot.retire_at, slot.phase());
            let idle = phase == Phase::Idle;
            if slot.stale && end > now {
                self.renew_due(index, now, effects);
            } else if idle && (end <= now || !self.is_needed(index, now)) {
                self.retire_idle(index, CloseReason::Lifetime, now, effects);
            } else if end <= now {
                // Whoever has it brings it back to be closed.
            } else if self.may_replace(now) {
                self.start_replacement(id, now);
                self.file_again(index, end);
            } else if idle && self.is_full(now) && !self.is_replacing() {
                self.retire_idle(index, CloseReason::Lifetime, now, effects);
                if self.may_replace(now) {
                    self.start_replacement(id, now);
                }
            } else if !idle && self.is_saturated(now) {
                // At their ends, all that were born together would come back to be closed together.
                self.slots.get_mut(index).retire_on_return();
            } else {
                self.file_again(index, end.min(now.after(APART)));
            }
        }
    }

    /// Whether a replacement may be opened now.
    fn may_replace(&self, now: Instant) -> bool {
        self.gate == PoolState::Open && !self.outage.is_on() && self.may_open(now)
    }

    /// Whether those who wait have every connection that comes back, and no other can be opened for
    /// them.
    fn is_saturated(&self, now: Instant) -> bool {
        self.gate == PoolState::Open
            && !self.outage.is_on()
            && !self.waiters.is_empty()
            && self.is_full(now)
    }

    /// Has a slot looked at again, not before `at`.
    fn file_again(&mut self, index: u32, at: Instant) {
        self.slots.get_mut(index).due = self.lifetimes.file_from(index, at);
    }

    /// Whether an idle connection is worth a replacement: it was used a moment ago, so it is no
    /// surplus, or `min_idle` asks for it.
    fn is_needed(&self, index: u32, now: Instant) -> bool {
        let unused = now.since(self.slots.get(index).since);
        unused < self.config.idle_grace || self.slots.idle() <= self.limits.min_idle
    }

    pub(super) fn is_replacing(&self) -> bool {
        self.slots.occupied().any(|(_, slot)| slot.phase() == Phase::Opening && slot.replaces != 0)
    }

    /// The replacement of the connection with number `id` is open: the old one may go.
    pub(super) fn replaced(&mut self, id: u64, now: Instant, effects: &mut Effects<C>) {
        let old = self.slots.occupied().find(|(_, slot)| slot.id == id);
        let Some((index, phase)) = old.map(|(index, slot)| (index, slot.phase())) else { return };
        if !phase.is_established() {
            return;
        }
        let slot = self.slots.get_mut(index);
        slot.outdated |= slot.stale;
        slot.retire_on_return();
        let reason = slot.age_reason();
        self.lifetimes.remove(slot.due);
        slot.due = Instant::NEVER;
        if phase == Phase::Idle {
            self.retire_idle(index, reason, now, effects);
        }
    }

    /// Closes connections that have been idle for too long: beyond `max_idle` after `idle_grace`,
    /// beyond `min_idle` after `max_idle_time`.
    ///
    /// Idle connections go out newest first, so the one closed is the one unused for longest.
    pub(super) fn retire_surplus(&mut self, now: Instant, effects: &mut Effects<C>) {
        while let Some((slot, at, reason)) = self.next_surplus() {
            if at > now {
                break;
            }
            self.retire_idle(slot, reason, now, effects);
        }
    }

    /// The next idle connection to be closed, when, and why.
    fn next_surplus(&self) -> Option<(u32, Instant, CloseReason)> {
        let slot = self.slots.oldest_idle()?;
        let since = self.slots.get(slot).since;
        let idle = self.slots.idle();
        let surplus = (idle > self.limits.max_idle).then(|| {
            let since = since.max(self.surplus_since);
            (slot, since.after(self.config.idle_grace), CloseReason::Surplus)
        });
        let unused = (idle > self.limits.min_idle).then_some(self.config.max_idle_time).flatten();
        let unused = unused.map(|time| (slot, since.after(time), CloseReason::Idle));
        surplus.into_iter().chain(unused).min_by_key(|(_, at, _)| *at)
    }

    pub(super) fn next_expiry(&self) -> Instant {
        let surplus = self.next_surplus().map_or(Instant::NEVER, |(_, at, _)| at);
        surplus.min(self.lifetimes.soonest())
    }

    /// Checks the idle connection that was not known to be alive for longest, one at a time.
    pub(super) fn keep_alive(&mut self, now: Instant) {
        let Some((slot, at)) = self.next_to_keep_alive() else { return };
        if at <= now {
            let connection = self.slots.take_idle(slot, Phase::InUse);
            self.keeping_alive = Some(slot);
            self.start_check(slot, connection, now);
        }
    }

    fn next_to_keep_alive(&self) -> Option<(u32, Instant)> {
        let interval = self.config.keepalive?;
        if self.gate == PoolState::Closed || self.keeping_alive.is_some() {
            return None;
        }
        let verified = |slot: &u32| self.slots.get(*slot).verified();
        let slot = self.slots.iter_idle().min_by_key(verified)?;
        Some((slot, verified(&slot).after(interval)))
    }

    pub(super) fn next_keepalive(&self) -> Instant {
        self.next_to_keep_alive().map_or(Instant::NEVER, |(_, at)| at)
    }

    /// Reports checkouts held for longer than `leak_after`, each once.
    pub(super) fn report_leaks(&mut self, now: Instant, effects: &mut Effects<C>) {
        if now < self.leak_scan_at {
            return;
        }
        self.leak_scan_at = Instant::NEVER;
        let limit = self.limits.leak_after;
        let held = self.slots.occupied().filter(|(_, slot)| slot.phase() == Phase::InUse);
        let held: Vec<_> = held.filter(|(_, s)| !s.leak_reported).map(|(slot, _)| slot).collect();
        for slot in held {
            let slot = self.slots.get_mut(slot);
            let due = slot.since.after_nanos(limit);
            if due > now {
                self.leak_scan_at = self.leak_scan_at.min(due);
                continue;
            }
            slot.leak_reported = true;
            if let Some(site) = slot.site {
                effects.tell(Event::LeakSuspected { site, held: now.since(slot.since) });
            }
        }
    }
}
