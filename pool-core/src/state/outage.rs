//! Outages: connects that keep failing, when the next may start, and who fails because of them.

use std::time::Duration;

use super::slots::Phase;
use super::{Effects, Event, State};
use crate::error::{ErrorClass, SharedError};
use crate::runtime::Instant;
use crate::stats::Circuit;

/// The first retry comes soon: one refused connect is often a restart that is already over.
const FIRST_RETRY: Duration = Duration::from_millis(50);
/// Then a probe every 250 to 300 ms, drawn anew each time, so that many pools do not probe in step.
const RETRY_MILLIS: std::ops::Range<u64> = 250..300;
/// After this long, probes become rarer, doubling up to `LONGEST_RETRY`.
const LONG_OUTAGE: Duration = Duration::from_secs(30);
const LONGEST_RETRY: Duration = Duration::from_secs(2);
/// If nobody asked for a connect for this long after one could have started, what the last one said
/// fails nobody before the next one has ended.
const QUIET: Duration = Duration::from_secs(1);
/// If nobody asked for this long, the next failure is the first of another outage.
const FORGOTTEN: Duration = LONG_OUTAGE;

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
    /// What the grace counts from: the first failure, or the first connect after all was forgotten.
    known_from: Instant,
    /// The first connect after a quiet time; until it ends, nothing is known.
    asked_anew: Instant,
    pub(super) class: ErrorClass,
    pub(super) error: SharedError,
    pub(super) retry_at: Instant,
    /// The pause before `retry_at`, once the outage is long.
    pause: Duration,
}

impl Outage {
    pub(super) const fn is_on(&self) -> bool {
        self.failures.is_some()
    }

    /// Whether the last connect failed, not so long ago that it says nothing about the next.
    pub(super) fn is_known(&self, now: Instant) -> bool {
        self.failures.as_ref().is_some_and(|failures| !failures.are_old(now))
    }

    /// Ends the outage. Returns its last error.
    pub(super) fn end(&mut self) -> Option<SharedError> {
        self.failures.take().map(|failures| failures.error)
    }

    pub(super) const fn failures(&self) -> Option<&Failures> {
        self.failures.as_ref()
    }

    /// When the next connect may start.
    pub(super) fn retry_at(&self) -> Instant {
        self.failures.as_ref().map_or(Instant::EPOCH, |failures| failures.retry_at)
    }

    /// Notes that a connect starts, or that those who waited want one again.
    pub(super) fn ask_again(&mut self, now: Instant) {
        let Some(failures) = &mut self.failures else { return };
        if failures.are_old(now) {
            failures.asked_anew = now;
        }
        if failures.retry_at.after(FORGOTTEN) < now {
            failures.known_from = now;
        }
    }

    /// Notes a failed connect that was started at `started`. Returns how many have failed now, and
    /// the error that is not the last any more.
    pub(super) fn fail(
        &mut self,
        started: Instant,
        now: Instant,
        class: ErrorClass,
        error: SharedError,
        rng: &mut fastrand::Rng,
    ) -> (u32, Option<SharedError>) {
        let probe = Duration::from_millis(rng.u64(RETRY_MILLIS));
        let Some(failures) = &mut self.failures else {
            let retry_at = now.after(FIRST_RETRY);
            self.failures = Some(Failures {
                attempts: 1,
                first: now,
                last: now,
                known_from: now,
                asked_anew: now,
                class,
                error,
                retry_at,
                pause: probe,
            });
            return (1, None);
        };
        failures.attempts = failures.attempts.saturating_add(1);
        failures.last = now;
        failures.class = class;
        let replaced = std::mem::replace(&mut failures.error, error);
        // One that was under way when the outage began says nothing new.
        if started > failures.first {
            let long = now.since(failures.known_from) > LONG_OUTAGE;
            failures.pause = if long { (failures.pause * 2).min(LONGEST_RETRY) } else { probe };
            failures.retry_at = now.after(failures.pause);
        }
        (failures.attempts, Some(replaced))
    }
}

impl Failures {
    /// Whether nobody has asked for a connect for a while, though one could have started.
    fn are_old(&self, now: Instant) -> bool {
        self.retry_at.after(QUIET) < now
    }
}

impl<C> State<C> {
    pub(super) fn circuit(&self) -> Circuit {
        match (self.outage.is_on(), self.slots.count(Phase::Opening)) {
            (false, _) => Circuit::Closed,
            (true, 0) => Circuit::Open,
            (true, _) => Circuit::HalfOpen,
        }
    }

    /// Tells observers of the circuit, if it is not what they were told last.
    pub(super) fn tell_circuit(&mut self, effects: &mut Effects<C>) {
        let (from, to) = (self.told_circuit, self.circuit());
        if from != to {
            self.told_circuit = to;
            effects.tell(Event::CircuitChanged { from, to });
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
        if failures.last < failures.asked_anew {
            return Instant::NEVER;
        }
        if failures.class == ErrorClass::Permanent && nothing_open {
            return failures.first;
        }
        let Some(grace) = self.config.outage_grace else { return Instant::NEVER };
        let graced = failures.known_from.after(grace);
        if nothing_open { graced } else { graced.max(self.last_release.after(grace)) }
    }
}
