//! How many connections a pool could use: the most of the last half minute.

use std::collections::VecDeque;
use std::time::Duration;

use pool_core::PoolStats;
use pool_core::runtime::Instant;

/// What was needed a moment ago may be needed again.
const SPAN: Duration = Duration::from_secs(30);

/// The highest of what was seen in the last half minute.
#[derive(Debug, Default)]
pub(super) struct Peak {
    /// Those that are higher than all later ones.
    seen: VecDeque<(Instant, usize)>,
}

impl Peak {
    pub(super) fn add(&mut self, now: Instant, count: usize) {
        while self.seen.pop_back_if(|&mut (_, seen)| seen <= count).is_some() {}
        while self.seen.pop_front_if(|&mut (at, _)| now.since(at) > SPAN).is_some() {}
        self.seen.push_back((now, count));
    }

    pub(super) fn highest(&self) -> usize {
        self.seen.front().map_or(0, |&(_, count)| count)
    }
}

/// The peak of connections in use and acquires waiting, as seen by looks.
///
/// What came and went between two looks counts only if it was the most ever in use: a burst that
/// short is over before anything could be granted for it.
#[derive(Debug)]
pub(super) struct Demand {
    peak: Peak,
    most_in_use: usize,
}

impl Demand {
    /// What was before is not known of.
    pub(super) fn new(stats: &PoolStats) -> Self {
        Self { peak: Peak::default(), most_in_use: stats.peak_in_use }
    }

    pub(super) fn note(&mut self, now: Instant, stats: &PoolStats) {
        let is_peak = stats.peak_in_use > self.most_in_use;
        let between = if is_peak { stats.peak_in_use } else { 0 };
        self.most_in_use = stats.peak_in_use;
        self.peak.add(now, between.max(stats.in_use + stats.waiting));
    }

    pub(super) fn peak(&self) -> usize {
        self.peak.highest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_counts_for_half_a_minute() {
        let mut seen = Peak::default();
        let mut peak = |seconds, used| {
            seen.add(Instant::EPOCH.after(Duration::from_secs(seconds)), used);
            seen.highest()
        };
        let peaks = [(0, 3), (5, 9), (10, 4), (35, 2), (36, 1), (41, 0), (65, 1), (66, 1)];
        assert_eq!(peaks.map(|(at, used)| peak(at, used)), [3, 9, 9, 9, 4, 2, 2, 1]);
    }
}
