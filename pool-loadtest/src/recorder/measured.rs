//! What was measured: histograms for each kind of operation, whose sum is that of all.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::failures::Failures;

/// Latencies are kept to three significant digits, up to this one; longer ones count as this.
const LONGEST: Duration = Duration::from_hours(1);
/// Kinds of operations told apart; further ones count as one.
pub(crate) const KINDS: usize = 16;

/// Everything measured so far.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// By the index that the workload drew; those beyond [`KINDS`] together.
    pub(crate) kinds: Vec<Times>,
    /// From the moment an operation was due to the moment a connection was asked for.
    pub(crate) lateness: Histogram<u64>,
    pub(crate) failures: Failures,
    pub(crate) unfinished: Unfinished,
    /// Operations that ended, but are among no latencies.
    pub(crate) untimed: u64,
}

/// How long the operations of one kind took, in nanoseconds, and how they ended.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    /// From wanting a connection to having it.
    pub(crate) wait: Histogram<u64>,
    /// From having it to having given it back.
    pub(crate) service: Histogram<u64>,
    /// Both.
    pub(crate) response: Histogram<u64>,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
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

/// What one operation took, however it ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// As the workload drew it.
    pub(crate) kind: usize,
    /// Whether it was wanted while the load was measured. Otherwise it counts for the throughput
    /// only.
    pub(crate) is_timed: bool,
    pub(crate) end: End,
    pub(crate) wait: Duration,
    /// `None` if it never had a connection.
    pub(crate) service: Option<Duration>,
    /// `None` in a closed loop.
    pub(crate) lateness: Option<Duration>,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Succeeded,
    Failed,
    /// Still waiting for a connection when it was dropped.
    Waiting,
    /// Still at work when it was dropped.
    Dropped,
}

impl Measured {
    /// Of a workload with so many kinds of operations.
    pub(super) fn new(kinds: usize) -> Self {
        let kinds = if kinds > KINDS { KINDS + 1 } else { kinds.max(1) };
        Self {
            kinds: (0..kinds).map(|_| Times::new()).collect(),
            lateness: histogram(),
            failures: Failures::default(),
            unfinished: Unfinished::default(),
            untimed: 0,
        }
    }

    pub(super) fn record(&mut self, sample: &Sample) {
        let last = self.kinds.len() - 1;
        let times = &mut self.kinds[sample.kind.min(last)];
        match sample.end {
            End::Succeeded => times.succeeded += 1,
            End::Failed => times.failed += 1,
            End::Waiting => self.unfinished.waiting += 1,
            End::Dropped => self.unfinished.dropped += 1,
        }
        if !sample.is_timed {
            self.untimed += 1;
            return;
        }
        record(&mut times.wait, sample.wait);
        if let Some(service) = sample.service {
            record(&mut times.service, service);
        }
        record(&mut times.response, sample.response());
        if let Some(lateness) = sample.lateness {
            record(&mut self.lateness, lateness);
        }
    }

    /// All kinds together.
    pub(crate) fn total(&self) -> Times {
        let (first, rest) = self.kinds.split_first().expect("bug: there is at least one kind");
        let mut total = first.clone();
        for kind in rest {
            total.add(kind);
        }
        total
    }

    pub(super) fn response(&self) -> Histogram<u64> {
        let mut sum = histogram();
        for kind in &self.kinds {
            add(&mut sum, &kind.response);
        }
        sum
    }

    pub(super) fn succeeded(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.succeeded).sum()
    }
}

impl Times {
    fn new() -> Self {
        let (wait, service, response) = (histogram(), histogram(), histogram());
        Self { wait, service, response, succeeded: 0, failed: 0 }
    }

    fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.wait, &other.wait),
            (&mut self.service, &other.service),
            (&mut self.response, &other.response),
        ] {
            add(sum, part);
        }
        self.succeeded += other.succeeded;
        self.failed += other.failed;
    }
}

impl Sample {
    pub(super) fn response(&self) -> Duration {
        self.wait.saturating_add(self.service.unwrap_or_default())
    }
}

/// For nanoseconds. It grows as longer ones come: 160 KiB up to a second, 270 KiB up to an hour.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("bug: a constant number of digits")
}

pub(super) fn record(histogram: &mut Histogram<u64>, time: Duration) {
    let nanos = time.min(LONGEST).as_nanos() as u64;
    histogram.record(nanos).expect("bug: a histogram that grows holds it");
}

pub(super) fn add(sum: &mut Histogram<u64>, part: &Histogram<u64>) {
    sum.add(part).expect("bug: a histogram that grows holds it");
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(in super::super) fn sample(kind: usize, wait: Duration) -> Sample {
        let service = Some(Duration::from_millis(1));
        Sample { kind, is_timed: true, end: End::Succeeded, wait, service, lateness: None }
    }

    #[test]
    fn a_latency_beyond_the_longest_counts_as_the_longest() {
        let mut measured = Measured::new(1);
        measured.record(&sample(0, Duration::MAX));
        let longest = LONGEST.as_nanos() as u64;
        let total = measured.total();
        assert!(total.wait.max() >= longest && total.response.max() < 2 * longest);
    }

    #[test]
    fn what_never_had_a_connection_has_no_service_time() {
        let mut measured = Measured::new(1);
        let waiting = Sample { service: None, end: End::Waiting, ..sample(0, Duration::ZERO) };
        measured.record(&waiting);
        let Times { wait, service, response, succeeded, .. } = measured.total();
        assert_eq!((wait.len(), service.len(), response.len(), succeeded), (1, 0, 1, 0));
        assert_eq!(measured.unfinished, Unfinished { waiting: 1, dropped: 0 });
    }

    #[test]
    fn what_was_wanted_before_counts_but_is_not_timed() {
        let mut measured = Measured::new(1);
        measured.record(&Sample { is_timed: false, ..sample(0, Duration::from_secs(1)) });
        assert_eq!((measured.succeeded(), measured.total().response.len()), (1, 0));
    }

    #[test]
    fn the_total_is_the_sum_of_the_kinds_and_kinds_are_bounded() {
        let mut measured = Measured::new(40);
        for kind in 0..40 {
            measured.record(&sample(kind, Duration::from_millis(kind as u64)));
        }
        assert_eq!(measured.kinds.len(), KINDS + 1);
        assert_eq!(
            measured.kinds[3].wait.max(),
            measured.kinds[3].wait.highest_equivalent(3_000_000)
        );
        assert_eq!(measured.kinds[KINDS].succeeded, 24);
        assert_eq!((measured.total().succeeded, measured.total().response.len()), (40, 40));
    }

    #[test]
    fn a_kind_takes_well_below_a_mebibyte() {
        let mut times = Times::new();
        for histogram in [&mut times.wait, &mut times.service, &mut times.response] {
            (0..1_000).for_each(|it| record(histogram, Duration::from_millis(it * it)));
            record(histogram, Duration::MAX);
            let bytes = histogram.distinct_values() * size_of::<u64>();
            assert!(bytes <= 300 * 1024, "{bytes}");
        }
    }
}
