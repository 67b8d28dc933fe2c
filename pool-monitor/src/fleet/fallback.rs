//! What is left where no ledger can be kept: everybody counts who is there, and takes an equal part.

use pool_core::Budget;
use pool_core::runtime::Instant;

use super::member::Allowance;
use super::pace::Timing;

/// An equal part for each member whose sessions the server shows.
///
/// A part grows only once it could have been larger for a whole lease: by then everybody else has seen
/// who is there and has stopped opening, or may open nothing at all. It knows nothing of demand, nor
/// whether others have closed what is too much.
#[derive(Debug)]
pub struct Fallback {
    timing: Timing,
    part: usize,
    /// Since when it could be larger, and by how much at least.
    rising: Option<(Instant, usize)>,
}

impl Fallback {
    /// Who begins has nothing yet.
    #[must_use]
    pub fn new(timing: Timing) -> Self {
        Self { timing, part: 0, rising: None }
    }

    /// What the pool may do until the sessions are read again, which is to be at each heartbeat. They
    /// were read at `now`, and had tags of so many `members`, this one among them.
    pub fn read(&mut self, now: Instant, budget: Budget, members: usize, most: usize) -> Allowance {
        let members = members.max(1);
        let free = budget.total.saturating_sub(budget.reserve + members);
        let part = (free / members).min(most);
        let (since, lowest) =
            self.rising.map_or((now, part), |(since, low)| (since, low.min(part)));
        if part <= self.part {
            (self.part, self.rising) = (part, None);
        } else if now.since(since) >= self.timing.lease {
            (self.part, self.rising) = (lowest, None);
        } else {
            self.rising = Some((since, lowest));
        }
        let until = self.timing.holds_until(now);
        Allowance { keep: self.part, ceiling: self.part, until }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BUDGET: Budget = Budget { total: 50, reserve: 2 };

    /// What it may have when it reads so many members at these seconds.
    fn parts(readings: &[(u64, usize)]) -> Vec<usize> {
        let mut fallback = Fallback::new(Timing::default());
        let mut read = |&(seconds, members): &(u64, usize)| {
            let now = Instant::EPOCH.after(Duration::from_secs(100 + seconds));
            fallback.read(now, BUDGET, members, 40).ceiling
        };
        readings.iter().map(&mut read).collect()
    }

    #[test]
    fn a_part_shrinks_at_once_and_grows_after_a_lease() {
        assert_eq!(
            parts(&[(0, 2), (5, 2), (10, 2), (15, 2), (20, 4), (25, 2), (39, 2), (40, 2)]),
            [0, 0, 0, 23, 11, 11, 11, 23]
        );
    }

    #[test]
    fn a_part_grows_no_further_than_it_could_have_been_all_the_time() {
        assert_eq!(
            parts(&[(0, 2), (5, 8), (15, 2), (20, 2), (34, 2), (35, 2)]),
            [0, 0, 5, 5, 5, 23]
        );
    }

    #[test]
    fn nobody_has_more_than_its_most_and_nothing_is_shared_that_is_not_there() {
        assert_eq!(parts(&[(0, 1), (15, 1)]), [0, 40]);
        assert_eq!(parts(&[(0, 48), (15, 48), (30, 100)]), [0, 0, 0]);
    }
}
