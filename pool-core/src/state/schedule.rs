//! When connections become too old, kept apart: connections born together are not replaced together.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::runtime::Instant;

/// No two connections are due within this time, so no second sees more than five.
pub(super) const APART: Duration = Duration::from_millis(225);

/// One slot for each instant.
#[derive(Debug, Default)]
pub(super) struct Schedule(BTreeMap<Instant, u32>);

impl Schedule {
    /// Files a slot at `latest`, or as much sooner as it takes to keep it apart from all others,
    /// but no sooner than `earliest`: where that many are due, some are due together. Returns when.
    pub(super) fn file(&mut self, slot: u32, earliest: Instant, latest: Instant) -> Instant {
        let Some(at) = self.free_place(earliest, latest) else {
            return self.file_from(slot, latest);
        };
        self.0.insert(at, slot);
        at
    }

    /// Files a slot at `at`, or at the first instant after it that is free. Never before: whoever
    /// files again what was due now must not find it due at once.
    pub(super) fn file_from(&mut self, slot: u32, at: Instant) -> Instant {
        let mut at = at;
        while self.0.contains_key(&at) {
            at = at.after(Duration::from_nanos(1));
        }
        self.0.insert(at, slot);
        at
    }

    fn free_place(&self, earliest: Instant, latest: Instant) -> Option<Instant> {
        let mut at = latest;
        while at >= earliest {
            match self.0.range(..at.after(APART)).next_back() {
                Some((&other, _)) if at < other.after(APART) => at = other.before(APART),
                _ => return Some(at),
            }
        }
        None
    }

    pub(super) fn remove(&mut self, at: Instant) {
        self.0.remove(&at);
    }

    pub(super) fn soonest(&self) -> Instant {
        self.0.first_key_value().map_or(Instant::NEVER, |(at, _)| *at)
    }

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let first = self.0.first_entry().filter(|first| *first.key() <= now)?;
        Some(first.remove())
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
