//! What is counted as it happens, in the buckets of the catalogue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pool_core::{
    AcquireCancelled, AcquireErrorKind, AcquireFailed, AcquireSucceeded, ConnectionChecked,
    ConnectionOpened, ConnectionReleased, ErrorClass, Frequent, LeakSuspected, Observer,
    OpenFailed, PoolReconfigured, ReconfigureRefused,
};

use super::exposition::{Buckets, Label};
use crate::catalogue::{self, ERROR_TYPE, Kind, Metric, POOL_NAME, REFUSED};
use crate::reading::Attribute;

/// Counts the events of one pool.
pub(super) struct Tally {
    /// The label that names it.
    pub(super) pool: Arc<[Label]>,
    wait_time: BucketCounts,
    wait_time_failed: [BucketCounts; AcquireErrorKind::ALL.len()],
    wait_time_cancelled: BucketCounts,
    use_time: BucketCounts,
    create_time: BucketCounts,
    check_time: BucketCounts,
    check_time_failed: BucketCounts,
    open_failures: [AtomicU64; ErrorClass::ALL.len()],
    leaks_suspected: AtomicU64,
    reconfigurations: AtomicU64,
    reconfigurations_refused: AtomicU64,
}

impl Tally {
    pub(super) fn new(pool: &str) -> Self {
        let of = BucketCounts::new;
        Self {
            pool: [(POOL_NAME.into(), pool.to_string().into())].into(),
            wait_time: of(&catalogue::WAIT_TIME),
            wait_time_failed: std::array::from_fn(|_| of(&catalogue::WAIT_TIME)),
            wait_time_cancelled: of(&catalogue::WAIT_TIME),
            use_time: of(&catalogue::USE_TIME),
            create_time: of(&catalogue::CREATE_TIME),
            check_time: of(&catalogue::CHECK_TIME),
            check_time_failed: of(&catalogue::CHECK_TIME),
            open_failures: Default::default(),
            leaks_suspected: AtomicU64::default(),
            reconfigurations: AtomicU64::default(),
            reconfigurations_refused: AtomicU64::default(),
        }
    }

    /// The values of `metric`, if it is a counter of events.
    pub(super) fn counts(&self, metric: &Metric) -> Vec<(Attribute, u64)> {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        match *metric {
            catalogue::OPEN_FAILURES => {
                let classes = ErrorClass::ALL.iter().zip(&self.open_failures);
                classes.map(|(class, count)| (Some(error(class.name())), get(count))).collect()
            }
            catalogue::LEAKS_SUSPECTED => vec![(None, get(&self.leaks_suspected))],
            catalogue::RECONFIGURATIONS => vec![
                (None, get(&self.reconfigurations)),
                (Some(error(REFUSED)), get(&self.reconfigurations_refused)),
            ],
            _ => Vec::new(),
        }
    }

    /// The values of `metric`, if it is a histogram. Of errors there are only those that happened.
    pub(super) fn histograms(&self, metric: &Metric) -> Vec<(Attribute, Buckets)> {
        let failures = AcquireErrorKind::ALL.iter().zip(&self.wait_time_failed);
        let (well, ill): (_, Vec<_>) = match *metric {
            catalogue::WAIT_TIME => {
                let failures = failures.map(|(kind, counts)| (kind.name(), counts));
                let cancelled = [("cancelled", &self.wait_time_cancelled)];
                (&self.wait_time, failures.chain(cancelled).collect())
            }
            catalogue::CHECK_TIME => {
                (&self.check_time, vec![("check_failed", &self.check_time_failed)])
            }
            catalogue::USE_TIME => (&self.use_time, Vec::new()),
            catalogue::CREATE_TIME => (&self.create_time, Vec::new()),
            _ => return Vec::new(),
        };
        let ill = ill.into_iter().filter(|(_, counts)| !counts.is_empty());
        let ill = ill.map(|(name, counts)| (Some(error(name)), counts.buckets()));
        [(None, well.buckets())].into_iter().chain(ill).collect()
    }
}

fn error(name: &'static str) -> (&'static str, &'static str) {
    (ERROR_TYPE, name)
}

impl Observer for Tally {
    fn frequent(&self) -> Frequent {
        Frequent::ACQUIRE_SUCCEEDED | Frequent::RELEASED
    }

    fn acquire_succeeded(&self, event: &AcquireSucceeded<'_>) {
        self.wait_time.record(event.waited);
    }

    fn acquire_failed(&self, event: &AcquireFailed<'_>) {
        let failure = event.error.details();
        let mut kinds = AcquireErrorKind::ALL.iter().zip(&self.wait_time_failed);
        if let Some((_, counts)) = kinds.find(|(kind, _)| **kind == failure.kind) {
            counts.record(failure.waited);
        }
    }

    fn acquire_cancelled(&self, event: &AcquireCancelled<'_>) {
        self.wait_time_cancelled.record(event.waited);
    }

    fn released(&self, event: &ConnectionReleased<'_>) {
        self.use_time.record(event.held);
    }

    fn opened(&self, event: &ConnectionOpened<'_>) {
        self.create_time.record(event.took);
    }

    fn open_failed(&self, event: &OpenFailed<'_>) {
        let mut classes = ErrorClass::ALL.iter().zip(&self.open_failures);
        if let Some((_, count)) = classes.find(|(class, _)| **class == event.class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn checked(&self, event: &ConnectionChecked<'_>) {
        match event.error {
            None => self.check_time.record(event.took),
            Some(_) => self.check_time_failed.record(event.took),
        }
    }

    fn leak_suspected(&self, _event: &LeakSuspected<'_>) {
        self.leaks_suspected.fetch_add(1, Ordering::Relaxed);
    }

    fn reconfigured(&self, _event: &PoolReconfigured<'_>) {
        self.reconfigurations.fetch_add(1, Ordering::Relaxed);
    }

    fn reconfigure_refused(&self, _event: &ReconfigureRefused<'_>) {
        self.reconfigurations_refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts durations in the buckets of a metric, from any thread.
struct BucketCounts {
    bounds: &'static [f64],
    counts: Box<[AtomicU64]>,
    nanos: AtomicU64,
}

impl BucketCounts {
    fn new(metric: &Metric) -> Self {
        let Kind::Histogram(bounds) = metric.kind else {
            unreachable!("bug: {} is no histogram", metric.name)
        };
        let counts = (0..=bounds.len()).map(|_| AtomicU64::default()).collect();
        Self { bounds, counts, nanos: AtomicU64::default() }
    }

    fn record(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = self.bounds.partition_point(|bound| *bound < seconds);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        // Of five centuries, nobody minds what is lost.
        self.nanos.fetch_add(duration.as_nanos() as u64, Ordering::Relaxed);
    }

    fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| count.load(Ordering::Relaxed) == 0)
    }

    fn buckets(&self) -> Buckets {
        Buckets {
            bounds: self.bounds.into(),
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)).as_secs_f64(),
        }
    }
}
