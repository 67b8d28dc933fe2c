//! What the tasks of a run measured: three histograms and the failures, in a few shards that tasks
//! share, so that memory does not grow with their number.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use pool_core::{AcquireError, AcquireErrorKind, AcquirePhase};
use serde::{Deserialize, Serialize};

/// Latencies are kept to three significant digits, up to this one; longer ones count as this.
const LONGEST: Duration = Duration::from_hours(1);
/// Kinds of failures told apart; further ones count as one.
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
    /// Operations that succeeded.
    pub(crate) succeeded: u64,
    /// Operations that failed, by the words they have in common.
    pub(crate) failures: BTreeMap<String, Group>,
    pub(crate) unfinished: Unfinished,
}

/// Operations that had no end when the run had one. They are among the latencies with the age they
/// had then, so that a latency there is `at least` what is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Unfinished {
    /// Acquires still waiting for a connection.
    pub waiting: u64,
    /// Operations dropped at work, because they went on for too long after the end.
    pub dropped: u64,
}

/// Why an acquire failed, and what it was waiting for.
pub(crate) type AcquireCause = (AcquireErrorKind, AcquirePhase);

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) count: u64,
    /// The first of them with its causes.
    pub(crate) first: String,
    /// If it was the acquire that failed: why.
    pub(crate) acquire: Option<AcquireCause>,
}

/// A failed operation.
pub(crate) struct Failure {
    /// What groups failures whose words differ only in figures.
    kind: String,
    in_full: String,
    acquire: Option<AcquireCause>,
}

impl Failure {
    /// The acquire failed.
    pub(crate) fn acquire(kind: String, error: &AcquireError) -> Self {
        let cause = (error.kind(), error.details().phase);
        Self { kind, in_full: in_full(error), acquire: Some(cause) }
    }

    /// The work failed.
    pub(crate) fn step(error: &(dyn Error + 'static)) -> Self {
        Self { kind: error.to_string(), in_full: in_full(error), acquire: None }
    }
}

impl Measured {
    fn new() -> Self {
        Self {
            wait: histogram(),
            service: histogram(),
            response: histogram(),
            succeeded: 0,
            failures: BTreeMap::new(),
            unfinished: Unfinished::default(),
        }
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().map(|group| group.count).sum()
    }

    /// Records how long an operation took, however it ended. Without a service time it never had a
    /// connection.
    pub(crate) fn record_times(&mut self, wait: Duration, service: Option<Duration>) {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.wait.saturating_record(nanos(wait));
        if let Some(service) = service {
            self.service.saturating_record(nanos(service));
        }
        self.response.saturating_record(nanos(wait.saturating_add(service.unwrap_or_default())));
    }

    pub(crate) fn record_failure(&mut self, failure: Failure) {
        let Failure { kind, in_full, acquire } = failure;
        self.count_failures(kind, &Group { count: 1, first: in_full, acquire });
    }

    fn count_failures(&mut self, kind: String, group: &Group) {
        let known = self.failures.contains_key(&kind) || self.failures.len() < ERROR_KINDS;
        let other = || ("other errors".to_owned(), None);
        let (kind, acquire) = if known { (kind, group.acquire) } else { other() };
        let first = || Group { count: 0, first: group.first.clone(), acquire };
        self.failures.entry(kind).or_insert_with(first).count += group.count;
    }

    fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.wait, &other.wait),
            (&mut self.service, &other.service),
            (&mut self.response, &other.response),
        ] {
            sum.add(part).expect("bug: histograms of the same bounds");
        }
        self.succeeded += other.succeeded;
        self.unfinished.waiting += other.unfinished.waiting;
        self.unfinished.dropped += other.unfinished.dropped;
        for (kind, group) in &other.failures {
            self.count_failures(kind.clone(), group);
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

fn histogram() -> Histogram<u64> {
    let longest = LONGEST.as_nanos() as u64;
    Histogram::new_with_bounds(1, longest, 3).expect("bug: constant bounds")
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

    /// The response times of all shards so far.
    pub(crate) fn response(&self) -> Histogram<u64> {
        let mut sum = histogram();
        for shard in &self.shards {
            sum.add(&lock(shard).response).expect("bug: histograms of the same bounds");
        }
        sum
    }

    /// Operations succeeded and failed so far, without adding up the histograms.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let counts = self.shards.iter().map(|shard| {
            let shard = lock(shard);
            (shard.succeeded, shard.failed())
        });
        counts.fold((0, 0), |(a, b), (succeeded, failed)| (a + succeeded, b + failed))
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
            let mut shard = recorder.shard(task);
            shard.record_times(wait, Some(Duration::from_millis(1)));
            shard.succeeded += 1;
        }
        let sum = recorder.sum();
        assert_eq!((sum.succeeded, recorder.counts()), (100, (100, 0)));
        let p50 = sum.wait.value_at_quantile(0.5);
        assert!((49_000_000..51_000_000).contains(&p50), "{p50}");
        assert_eq!(sum.response.max(), sum.response.highest_equivalent(100_000_000));
    }

    #[test]
    fn a_latency_beyond_the_longest_counts_as_the_longest() {
        let mut measured = Measured::new();
        measured.record_times(Duration::MAX, Some(Duration::ZERO));
        assert!(measured.wait.max() >= LONGEST.as_nanos() as u64);
    }

    #[test]
    fn what_never_had_a_connection_has_no_service_time() {
        let mut measured = Measured::new();
        measured.record_times(Duration::from_secs(1), None);
        assert_eq!(
            (measured.wait.len(), measured.service.len(), measured.response.len()),
            (1, 0, 1)
        );
    }

    #[test]
    fn errors_are_grouped_by_kind_and_kinds_are_bounded() {
        let recorder = Recorder::new();
        for number in 0..100_usize {
            let error = std::io::Error::other(format!("number {number}"));
            let kind = format!("kind {:02}", number % 50);
            let failure = Failure { kind, ..Failure::step(&error) };
            recorder.shard(number / 50).record_failure(failure);
        }
        let measured = recorder.sum();
        assert_eq!((measured.failures.len(), measured.failed()), (ERROR_KINDS + 1, 100));
        let first = Group { count: 2, first: "number 7".to_owned(), acquire: None };
        assert_eq!(measured.failures["kind 07"], first);
        assert_eq!(measured.failures["other errors"].count, 60);
    }
}
