//! The pool's connections: one slot each, from the start of its connect to the end of its goodbye.
//!
//! A slot is in exactly one phase; the numbers of the statistics are counts of phases, changed in
//! one place, so they cannot disagree.

use super::chain::{Chain, Link, Linked, NIL, Stack};
use crate::error::CallSite;
use crate::runtime::Instant;
use crate::stats::CloseReason;

/// What is happening to a slot's connection, and by that, who has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No connection.
    Vacant,
    /// Being opened by the worker.
    Opening,
    /// In the slot, ready.
    Idle,
    /// With a guard, or delivered to a waiter that has not looked yet.
    InUse,
    /// With the worker, being checked.
    Checking,
    /// With the worker, being reset.
    Resetting,
    /// With the worker, saying goodbye; no longer counted as open.
    Closing,
}

const PHASES: usize = 7;

impl Phase {
    /// Whether the slot has a connection that is part of the pool.
    pub(super) const fn is_established(self) -> bool {
        matches!(self, Self::Idle | Self::InUse | Self::Checking | Self::Resetting)
    }
}

/// One connection's place. In C's order: what a checkout touches comes first.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Slot<C> {
    /// In `Slots::idle` while idle, in `Slots::vacant` while vacant.
    link: Link,
    phase: Phase,
    /// Whether it must not be used again after this use: older than the last `invalidate`.
    pub(super) outdated: bool,
    /// Whether it is to be replaced when that can be done: older than the last `renew`.
    pub(super) stale: bool,
    /// Whether this checkout was reported as a suspected leak.
    pub(super) leak_reported: bool,
    /// Its share of the lifetime jitter, in 1/65535, drawn at birth.
    pub(super) jitter: u16,
    /// When it is too old; the epoch once outdated.
    pub(super) retire_at: Instant,
    /// Since when it is in its phase: idle since, acquired at, connect started at.
    pub(super) since: Instant,
    /// Where it was acquired, while in use.
    pub(super) site: Option<CallSite>,
    /// Present while idle.
    pub(super) connection: Option<C>,
    /// When its replacement is due: its place in `State::lifetimes`.
    pub(super) due: Instant,
    /// Number of the connection that it is to replace, while being opened; 0 if none.
    pub(super) replaces: u64,
    /// When a check last found it alive; while it is being checked, since when.
    pub(super) checked: Instant,
    /// Number of the connection, unique in the pool.
    pub(super) id: u64,
    pub(super) born: Instant,
}

impl<C> Slot<C> {
    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    /// Why it is closed once `retire_at` has come.
    pub(super) const fn age_reason(&self) -> CloseReason {
        if self.outdated { CloseReason::Invalidated } else { CloseReason::Lifetime }
    }

    /// Has a connection in use retired when it comes back: then by a cheap clock, which may be behind
    /// the time at which that was decided.
    pub(super) const fn retire_on_return(&mut self) {
        self.retire_at = Instant::EPOCH;
    }

    /// When an idle connection last was known to be alive.
    pub(super) fn verified(&self) -> Instant {
        self.since.max(self.checked)
    }
}

impl<C> Linked for Slot<C> {
    fn link(&self) -> Link {
        self.link
    }
    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

/// Every slot, the idle ones in the order of their release.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Slots<C> {
    items: Vec<Slot<C>>,
    /// Longest idle first; the last goes out next.
    idle: Chain,
    counts: [u32; PHASES],
    vacant: Stack,
}

impl<C> Slots<C> {
    pub(super) const fn new() -> Self {
        Self { items: Vec::new(), idle: Chain::new(), vacant: Stack::new(), counts: [0; PHASES] }
    }

    #[inline]
    pub(super) fn count(&self, phase: Phase) -> usize {
        self.counts[phase as usize] as usize
    }

    /// Connections idle, in use and being opened.
    #[inline]
    pub(super) fn open(&self) -> usize {
        self.count(Phase::Opening) + self.established()
    }

    /// Connections idle and in use.
    #[inline]
    pub(super) fn established(&self) -> usize {
        self.count(Phase::Idle) + self.in_use()
    }

    /// Connections handed out, being checked or being reset.
    #[inline]
    pub(super) fn in_use(&self) -> usize {
        self.count(Phase::InUse) + self.count(Phase::Checking) + self.count(Phase::Resetting)
    }

    #[inline]
    pub(super) fn get(&self, index: u32) -> &Slot<C> {
        &self.items[index as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: u32) -> &mut Slot<C> {
        &mut self.items[index as usize]
    }

    pub(super) fn phase(&self, index: u32) -> Phase {
        self.get(index).phase
    }

    /// Every slot that has a connection or is about to, with its index.
    pub(super) fn occupied(&self) -> impl Iterator<Item = (u32, &Slot<C>)> {
        let indexed = self.items.iter().enumerate().map(|(index, slot)| (index as u32, slot));
        indexed.filter(|(_, slot)| slot.phase != Phase::Vacant)
    }

    /// A slot for a connect that starts at `now`.
    pub(super) fn open_new(&mut self, id: u64, jitter: u16, now: Instant) -> u32 {
        let slot = Slot {
            link: Link::new(),
            phase: Phase::Opening,
            outdated: false,
            stale: false,
            leak_reported: false,
            jitter,
            connection: None,
            id,
            born: now,
            retire_at: Instant::NEVER,
            due: Instant::NEVER,
            replaces: 0,
            since: now,
            site: None,
            checked: Instant::EPOCH,
        };
        self.counts[Phase::Opening as usize] += 1;
        if let Some(index) = self.vacant.pop(&self.items) {
            self.counts[Phase::Vacant as usize] -= 1;
            self.items[index as usize] = slot;
            return index;
        }
        let index = u32::try_from(self.items.len()).ok().filter(|index| *index != NIL);
        self.items.push(slot);
        index.expect("bug: four thousand million connections")
    }

    /// Moves a slot that is not idle to a phase that is neither idle nor vacant.
    #[inline]
    pub(super) fn set_phase(&mut self, index: u32, phase: Phase) {
        let slot = &mut self.items[index as usize];
        self.counts[slot.phase as usize] -= 1;
        self.counts[phase as usize] += 1;
        slot.phase = phase;
    }

    /// Frees a slot whose connection is gone.
    pub(super) fn vacate(&mut self, index: u32) {
        debug_assert_ne!(self.phase(index), Phase::Idle, "an idle slot is taken first");
        self.set_phase(index, Phase::Vacant);
        self.vacant.push(&mut self.items, index);
    }

    /// Puts a connection at rest, as the one released last.
    #[inline]
    pub(super) fn put_idle(&mut self, index: u32, connection: C, since: Instant) {
        self.set_phase(index, Phase::Idle);
        let slot = &mut self.items[index as usize];
        slot.since = since;
        slot.connection = Some(connection);
        self.idle.push_last(&mut self.items, index);
    }

    /// Puts a connection back to rest where its idle time belongs.
    pub(super) fn put_back_idle(&mut self, index: u32, connection: C) {
        self.set_phase(index, Phase::Idle);
        let since = self.get(index).since;
        self.get_mut(index).connection = Some(connection);
        let younger = self.idle.iter(&self.items).find(|other| self.get(*other).since > since);
        match younger {
            Some(younger) => self.idle.insert_before(&mut self.items, index, younger),
            None => self.idle.push_last(&mut self.items, index),
        }
    }

    /// Takes an idle connection out of its slot, which moves to `phase`.
    #[inline]
    pub(super) fn take_idle(&mut self, index: u32, phase: Phase) -> C {
        self.idle.remove(&mut self.items, index);
        self.set_phase(index, phase);
        let connection = self.items[index as usize].connection.take();
        connection.expect("bug: an idle slot without its connection")
    }

    /// The idle slot released last.
    #[inline]
    pub(super) const fn newest_idle(&self) -> Option<u32> {
        self.idle.last()
    }

    /// The idle slot unused for longest.
    pub(super) const fn oldest_idle(&self) -> Option<u32> {
        self.idle.first()
    }

    #[inline]
    pub(super) const fn idle(&self) -> usize {
        self.idle.len()
    }

    /// Idle slots, unused for longest first.
    pub(super) fn iter_idle(&self) -> impl Iterator<Item = u32> + '_ {
        self.idle.iter(&self.items)
    }
}
