//! When connections become too old, kept apart: connections born together are not replaced together.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::runtime::Instant;

/// No two connections are due within this time, so no second sees more than five.
pub(super) const APART: Duration = Duration::from_millis(225);

/// One slot for each instant.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    slots: BTreeMap<Instant, u32>,
    /// What is too near to some filed instant: from where, to where, both ends excluded. A hundred
    /// thousand connections would otherwise be looked at one by one for each that is filed.
    taken: BTreeMap<Instant, Instant>,
}

impl Schedule {
    /// Files a slot at `latest`, or as much sooner as it takes to keep it apart from all others,
    /// but no sooner than `earliest`: where that many are due, some are due together. Returns when.
    pub(super) fn file(&mut self, slot: u32, earliest: Instant, latest: Instant) -> Instant {
        let at = match self.taken.range(..latest).next_back() {
            Some((&from, &to)) if latest < to => from,
            _ => latest,
        };
        // The beginning of time is not apart from what is taken from there on.
        if at < earliest || (at < latest && at == Instant::EPOCH) {
            return self.file_from(slot, latest);
        }
        self.insert(at, slot);
        at
    }

    /// Files a slot at `at`, or at the first instant after it that is free. Never before: whoever
    /// files again what was due now must not find it due at once.
    pub(super) fn file_from(&mut self, slot: u32, at: Instant) -> Instant {
        let mut at = at;
        while self.slots.contains_key(&at) {
            at = at.after(Duration::from_nanos(1));
        }
        self.insert(at, slot);
        at
    }

    /// `at`, or as much later as it takes to be apart from all that are filed.
    pub(super) fn free_from(&self, at: Instant) -> Instant {
        match self.taken.range(..at).next_back() {
            Some((_, &to)) if at < to => to,
            _ => at,
        }
    }

    fn insert(&mut self, at: Instant, slot: u32) {
        self.slots.insert(at, slot);
        let (mut from, mut to) = (at.before(APART), at.after(APART));
        // Whatever overlaps becomes one with it.
        while let Some((&start, &end)) = self.taken.range(..to).next_back() {
            if end <= from {
                break;
            }
            self.taken.remove(&start);
            (from, to) = (from.min(start), to.max(end));
        }
        self.taken.insert(from, to);
    }

    pub(super) fn remove(&mut self, at: Instant) {
        if self.slots.remove(&at).is_none() {
            return;
        }
        let around = self.taken.range(..=at).next_back();
        let (&from, &to) = around.expect("bug: a filed instant that takes no place");
        let before = self.slots.range(from..at).next_back().map(|(at, _)| at.after(APART));
        let after = self.slots.range(at..to).next().map(|(at, _)| at.before(APART));
        match (before, after) {
            (Some(end), Some(start)) if start < end => {}
            (end, start) => {
                self.taken.remove(&from);
                self.taken.extend(end.map(|end| (from, end)));
                self.taken.extend(start.map(|start| (start, to)));
            }
        }
    }

    pub(super) fn soonest(&self) -> Instant {
        self.slots.first_key_value().map_or(Instant::NEVER, |(at, _)| *at)
    }

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let (&at, &slot) = self.slots.first_key_value().filter(|(at, _)| **at <= now)?;
        self.remove(at);
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::EPOCH.after(Duration::from_millis(millis))
    }

    #[test]
    fn whatever_is_filed_is_kept_apart_by_moving_it_sooner() {
        let mut schedule = Schedule::default();
        let mut rng = fastrand::Rng::with_seed(1);
        for slot in 0..100 {
            schedule.file(slot, at(0), at(rng.u64(60_000..70_000)));
        }
        let mut last = None;
        let mut due = 0;
        while schedule.soonest() < Instant::NEVER {
            let soonest = schedule.soonest();
            assert!(soonest < at(70_000), "never later");
            assert!(last.is_none_or(|last: Instant| last.after(APART) <= soonest), "apart");
            last = Some(soonest);
            assert!(schedule.pop_due(soonest.before(Duration::from_nanos(1))).is_none());
            schedule.pop_due(soonest).expect("due");
            due += 1;
        }
        assert_eq!(due, 100);
    }

    /// By looking at every instant from `latest` on back.
    fn free_place(schedule: &Schedule, earliest: Instant, latest: Instant) -> Option<Instant> {
        let mut at = latest;
        while at >= earliest {
            match schedule.slots.range(..at.after(APART)).next_back() {
                Some((&other, _)) if at < other.after(APART) => at = other.before(APART),
                _ => return Some(at),
            }
        }
        None
    }

    #[test]
    fn the_latest_free_place_is_found_whatever_was_filed_and_removed_before() {
        for seed in 0..50 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut schedule = Schedule::default();
            // Sometimes crowded, sometimes sparse.
            let span = [3_000, 20_000, 200_000][seed as usize % 3];
            for slot in 0..500 {
                let filed: Vec<_> = schedule.slots.keys().copied().collect();
                match rng.u32(0..10) {
                    0..3 if !filed.is_empty() => schedule.remove(filed[rng.usize(..filed.len())]),
                    3 => {
                        schedule.pop_due(at(60_000 + rng.u64(..span)));
                    }
                    4 => assert!(
                        schedule.file_from(slot, at(60_000 + rng.u64(..span))) >= at(60_000)
                    ),
                    _ => {
                        let latest = at(60_000 + rng.u64(..span));
                        let earliest = latest.before(Duration::from_millis(rng.u64(..=span)));
                        let expected = free_place(&schedule, earliest, latest);
                        let filed = schedule.file(slot, earliest, latest);
                        assert!(expected.is_none_or(|expected| expected == filed), "seed {seed}");
                        assert!(expected.is_some() || filed >= latest, "seed {seed}");
                    }
                }
            }
            while schedule.pop_due(Instant::NEVER).is_some() {}
            assert!(schedule.taken.is_empty(), "seed {seed}: {schedule:?}");
        }
    }

    #[test]
    fn where_too_many_are_due_none_is_lost() {
        let mut schedule = Schedule::default();
        for slot in 0..100 {
            schedule.file(slot, at(1_000), at(2_000));
        }
        let last = at(2_000).after(Duration::from_nanos(100));
        let due: Vec<_> = std::iter::from_fn(|| schedule.pop_due(last)).collect();
        assert_eq!(due.len(), 100);
    }

    #[test]
    fn the_first_free_place_is_found() {
        let mut schedule = Schedule::default();
        schedule.file_from(0, at(1_100));
        schedule.file_from(1, at(1_400));
        assert_eq!(schedule.free_from(at(1_000)), at(1_625), "no gap before is wide enough");
        assert_eq!(schedule.free_from(at(1_625)), at(1_625));
        schedule.remove(at(1_400));
        assert_eq!(schedule.free_from(at(1_000)), at(1_325), "it is now");
        assert_eq!(schedule.free_from(at(875)), at(875), "nothing is near");
    }

    #[test]
    fn what_is_filed_again_is_never_due_before_its_time() {
        let mut schedule = Schedule::default();
        for slot in 0..3 {
            schedule.file_from(slot, at(1_000));
        }
        assert_eq!(schedule.pop_due(at(999)), None);
        assert_eq!(schedule.pop_due(at(1_000)), Some(0));
        assert_eq!(schedule.pop_due(at(1_000)), None, "the others have instants of their own");
    }
}
