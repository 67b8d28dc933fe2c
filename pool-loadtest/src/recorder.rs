//! What the tasks of a run measured: three histograms and the errors, in a few shards that tasks
//! share, so that memory does not grow with their number.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

/// Latencies are kept to three significant digits, up to this one; longer ones count as this.
const LONGEST: Duration = Duration::from_hours(1);
/// Kinds of errors told apart; further ones count as one.
const ERROR_KINDS: usize = 20;
const SHARDS: usize = 8;

/// Everything measured so far.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// From wanting a connection to having it.
    pub(crate) wait: Histogram<u64>,
    /// From having it to having given it back.
    pub(crate) service: Histogram<u64>,
    /// Both.
    pub(crate) response: Histogram<u64>,
    /// By their words: how often, and in full the first time.
    pub(crate) errors: BTreeMap<String, (u64, String)>,
}

impl Measured {
    fn new() -> Self {
        let longest = LONGEST.as_nanos() as u64;
        let histogram = || Histogram::new_with_bounds(1, longest, 3).expect("bug: constant bounds");
        Self {
            wait: histogram(),
            service: histogram(),
            response: histogram(),
            errors: BTreeMap::new(),
        }
    }

    pub(crate) fn operations(&self) -> u64 {
        self.response.len()
    }

    pub(crate) fn error_count(&self) -> u64 {
        self.errors.values().map(|(count, _)| count).sum()
    }

    pub(crate) fn record(&mut self, wait: Duration, service: Duration) {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.wait.saturating_record(nanos(wait));
        self.service.saturating_record(nanos(service));
        self.response.saturating_record(nanos(wait + service));
    }

    /// `kind` groups errors whose words differ only in figures.
    pub(crate) fn record_error(&mut self, kind: String, error: &(dyn Error + 'static)) {
        let known = self.errors.contains_key(&kind) || self.errors.len() < ERROR_KINDS;
        let kind = if known { kind } else { "other errors".to_owned() };
        let (count, _) = self.errors.entry(kind).or_insert_with(|| (0, in_full(error)));
        *count += 1;
    }

    fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.wait, &other.wait),
            (&mut self.service, &other.service),
            (&mut self.response, &other.response),
        ] {
            sum.add(part).expect("bug: histograms of the same bounds");
        }
        for (kind, (count, first)) in &other.errors {
            self.errors.entry(kind.clone()).or_insert_with(|| (0, first.clone())).0 += count;
        }
    }
}

/// An error and its causes.
pub(crate) fn in_full(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}

pub(crate) struct Recorder {
    shards: Vec<Mutex<Measured>>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::new(Measured::new())).collect() }
    }

    /// The shard of a task.
    pub(crate) fn shard(&self, task: usize) -> MutexGuard<'_, Measured> {
        lock(&self.shards[task % SHARDS])
    }

    /// The sum of all shards.
    pub(crate) fn sum(&self) -> Measured {
        let mut sum = Measured::new();
        self.shards.iter().for_each(|shard| sum.add(&lock(shard)));
        sum
    }

    /// Operations and errors so far, without adding up the histograms.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let counts = self.shards.iter().map(|shard| {
            let shard = lock(shard);
            (shard.operations(), shard.error_count())
        });
        counts.fold((0, 0), |(a, b), (operations, errors)| (a + operations, b + errors))
    }
}

/// A task that panicked while it recorded has recorded at worst half an operation.
fn lock(shard: &Mutex<Measured>) -> MutexGuard<'_, Measured> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_the_shards_is_everything_recorded() {
        let recorder = Recorder::new();
        for task in 0..100 {
            let wait = Duration::from_millis(task as u64);
            recorder.shard(task).record(wait, Duration::from_millis(1));
        }
        let sum = recorder.sum();
        assert_eq!((sum.operations(), recorder.counts()), (100, (100, 0)));
        let p50 = sum.wait.value_at_quantile(0.5);
        assert!((49_000_000..51_000_000).contains(&p50), "{p50}");
        assert_eq!(sum.response.max(), sum.response.highest_equivalent(100_000_000));
    }

    #[test]
    fn a_latency_beyond_the_longest_counts_as_the_longest() {
        let mut measured = Measured::new();
        measured.record(Duration::MAX / 2, Duration::ZERO);
        assert!(measured.wait.max() >= LONGEST.as_nanos() as u64);
    }

    #[test]
    fn errors_are_grouped_by_kind_and_kinds_are_bounded() {
        let mut measured = Measured::new();
        for number in 0..100_u32 {
            let error = std::io::Error::other(format!("number {number}"));
            measured.record_error(format!("kind {}", number % 50), &error);
        }
        assert_eq!((measured.errors.len(), measured.error_count()), (ERROR_KINDS + 1, 100));
        assert_eq!(measured.errors["kind 7"], (2, "number 7".to_owned()));
        assert_eq!(measured.errors["other errors"].0, 60);
    }
}
