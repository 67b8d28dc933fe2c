//! How often durations came to lie where: counted by many threads, kept small, merged, and asked for
//! percentiles.
//!
//! Buckets are eight to a power of two, from 8 us to 9 minutes: a percentile is off by at most a
//! sixteenth. A library's histograms (hdrhistogram) take a lock to record, or a thread of their own, and a
//! hundred times the room in the history.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets to a power of two, as a power of two.
const PRECISION: u32 = 3;
/// What is shorter than this power of two in nanoseconds (8 us) is not told apart.
const SHORTEST: u32 = 13;
/// What is longer than this power of two in nanoseconds (9 minutes) is not told apart.
const LONGEST: u32 = 39;
/// The first bucket is for what is too short, the last for what is too long.
const BUCKETS: usize = (((LONGEST - SHORTEST) << PRECISION) + 2) as usize;

/// The bucket of a duration.
fn bucket(duration: Duration) -> usize {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let power = nanos.checked_ilog2().unwrap_or(0);
    if power < SHORTEST {
        0
    } else if power >= LONGEST {
        BUCKETS - 1
    } else {
        let within = (nanos >> (power - PRECISION)) as usize & ((1 << PRECISION) - 1);
        (((power - SHORTEST) as usize) << PRECISION) + within + 1
    }
}

/// Where a bucket begins, in nanoseconds.
fn start(bucket: usize) -> u64 {
    let Some(index) = bucket.checked_sub(1) else { return 0 };
    let (power, within) = (SHORTEST + (index >> PRECISION) as u32, index & ((1 << PRECISION) - 1));
    (1 << power) + ((within as u64) << (power - PRECISION))
}

/// What stands for the durations of a bucket: its middle.
fn middle(bucket: usize) -> Duration {
    let nanos = match bucket {
        // Most of these did not wait at all.
        0 => 0,
        last if last == BUCKETS - 1 => start(last),
        bucket => u64::midpoint(start(bucket), start(bucket + 1)),
    };
    Duration::from_nanos(nanos)
}

/// Counts durations, from any thread and without a lock.
pub(crate) struct Histogram([AtomicU64; BUCKETS]);

impl Histogram {
    pub(crate) fn new() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }

    pub(crate) fn record(&self, duration: Duration) {
        self.0[bucket(duration)].fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted since the histogram was made.
    pub(crate) fn totals(&self) -> Totals {
        Totals(self.0.each_ref().map(|count| count.load(Ordering::Relaxed)))
    }
}

/// What a [`Histogram`] had counted at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Totals([u64; BUCKETS]);

impl Totals {
    #[cfg(test)]
    pub(crate) fn zero() -> Self {
        Self([0; BUCKETS])
    }

    /// What was counted since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Distribution {
        let counts = self.0.iter().zip(&earlier.0).map(|(now, then)| now.saturating_sub(*then));
        Distribution::of(counts)
    }
}

/// How often durations came to lie where, in some stretch of time. Percentiles are off by at most a
/// sixteenth; what is shorter than 8 us counts as zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Only buckets that are not empty, in order.
    buckets: Box<[u8]>,
    counts: Box<[u32]>,
}

const _: () = assert!(BUCKETS <= 256, "a bucket's number is kept in one byte");

impl Distribution {
    fn of(counts: impl Iterator<Item = u64>) -> Self {
        let filled = counts.enumerate().filter(|(_, count)| *count > 0);
        let (buckets, counts): (Vec<_>, Vec<_>) = filled
            // A bucket that is filled so often in a quarter of an hour says the same as one more.
            .map(|(bucket, count)| (bucket as u8, u32::try_from(count).unwrap_or(u32::MAX)))
            .unzip();
        Self { buckets: buckets.into(), counts: counts.into() }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.buckets
            .iter()
            .map(|bucket| usize::from(*bucket))
            .zip(self.counts.iter().map(|it| u64::from(*it)))
    }

    /// How many durations were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }

    /// The duration that `part` (from 0 to 1) of them did not exceed; `None` if there were none.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let count = self.count();
        let rank = ((count as f64 * part).ceil() as u64).clamp(1, count.max(1));
        let mut passed = 0;
        self.iter().find_map(|(bucket, count)| {
            passed += count;
            (passed >= rank).then(|| middle(bucket))
        })
    }

    /// The longest of them; `None` if there were none.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        self.buckets.last().map(|bucket| middle(usize::from(*bucket)))
    }

    /// Both together.
    pub(crate) fn merge<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sums = [0_u64; BUCKETS];
        for (bucket, count) in all.into_iter().flat_map(Self::iter) {
            sums[bucket] += count;
        }
        Self::of(sums.into_iter())
    }

    /// Bytes it takes beside its own size.
    #[cfg(test)]
    pub(crate) fn heap(&self) -> usize {
        self.buckets.len() * 5
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(durations: impl IntoIterator<Item = Duration>) -> Distribution {
        let histogram = Histogram::new();
        durations.into_iter().for_each(|duration| histogram.record(duration));
        histogram.totals().since(&Totals::zero())
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn percentiles_are_those_of_what_was_counted() {
        let counted = of((1..=1000).map(|ms| ms * MS));
        assert_eq!(counted.count(), 1000);
        for (part, expected) in [(0.5, 500), (0.99, 990), (1.0, 1000)] {
            let found = counted.quantile(part).expect("counted").as_secs_f64() * 1e3;
            assert!((found / f64::from(expected) - 1.0).abs() <= 1.0 / 16.0, "{part}: {found} ms");
        }
        assert_eq!(of([]).quantile(0.5), None);
        assert_eq!(of([]).max(), None);
    }

    #[test]
    fn what_did_not_wait_counts_as_zero_and_what_never_ends_as_nine_minutes() {
        let counted = of([Duration::ZERO, Duration::from_nanos(900), Duration::MAX]);
        assert_eq!(counted.quantile(0.5), Some(Duration::ZERO));
        let longest = counted.max().expect("counted");
        assert!(longest > Duration::from_mins(9) && longest < Duration::from_mins(10));
    }

    #[test]
    fn only_what_came_since_is_in_the_difference() {
        let histogram = Histogram::new();
        histogram.record(MS);
        let before = histogram.totals();
        histogram.record(100 * MS);
        let since = histogram.totals().since(&before);
        assert_eq!(since.count(), 1);
        assert!(since.quantile(0.0).expect("one") > 90 * MS);
    }

    proptest! {
        #[test]
        fn a_bucket_holds_what_lies_between_its_bounds(nanos in 0_u64..1 << LONGEST) {
            let bucket = bucket(Duration::from_nanos(nanos));
            prop_assert!(start(bucket) <= nanos);
            prop_assert!(bucket == BUCKETS - 2 || nanos < start(bucket + 1));
            let off = (middle(bucket).as_nanos() as f64 - nanos as f64).abs();
            prop_assert!(off <= nanos as f64 / 16.0 || nanos < 1 << SHORTEST);
        }

        #[test]
        fn merged_they_say_what_one_would_have_said(
            one in prop::collection::vec(0_u64..1 << 40, 0..50),
            other in prop::collection::vec(0_u64..1 << 40, 0..50),
        ) {
            let of = |nanos: &[u64]| of(nanos.iter().map(|nanos| Duration::from_nanos(*nanos)));
            let merged = Distribution::merge([&of(&one), &of(&other)]);
            prop_assert_eq!(merged, of(&[one, other].concat()));
        }
    }
}
