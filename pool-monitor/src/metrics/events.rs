//! What is recorded as it happens: durations, and what a pool's statistics do not count.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundHistogram, Counter, Histogram, Meter};
use pool_core::{
    AcquireCancelled, AcquireFailed, AcquireSucceeded, ConnectionChecked, ConnectionOpened,
    ConnectionReleased, Frequent, LeakSuspected, Observer, OpenFailed, PoolReconfigured,
    ReconfigureRefused,
};

use crate::catalogue::{self, ERROR_TYPE, Kind, Metric, POOL_NAME, REFUSED};

/// The instruments that record, for all pools.
#[derive(Clone)]
pub(super) struct Instruments {
    create_time: Histogram<f64>,
    wait_time: Histogram<f64>,
    use_time: Histogram<f64>,
    check_time: Histogram<f64>,
    open_failures: Counter<u64>,
    leaks_suspected: Counter<u64>,
    reconfigurations: Counter<u64>,
}

impl Instruments {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            create_time: histogram(meter, &catalogue::CREATE_TIME),
            wait_time: histogram(meter, &catalogue::WAIT_TIME),
            use_time: histogram(meter, &catalogue::USE_TIME),
            check_time: histogram(meter, &catalogue::CHECK_TIME),
            open_failures: counter(meter, &catalogue::OPEN_FAILURES),
            leaks_suspected: counter(meter, &catalogue::LEAKS_SUSPECTED),
            reconfigurations: counter(meter, &catalogue::RECONFIGURATIONS),
        }
    }
}

fn histogram(meter: &Meter, metric: &Metric) -> Histogram<f64> {
    let Kind::Histogram(bounds) = metric.kind else {
        unreachable!("bug: {} is no histogram", metric.name)
    };
    let builder = meter.f64_histogram(metric.name).with_unit(metric.unit);
    builder.with_description(metric.description).with_boundaries(bounds.to_vec()).build()
}

fn counter(meter: &Meter, metric: &Metric) -> Counter<u64> {
    let builder = meter.u64_counter(metric.name).with_unit(metric.unit);
    builder.with_description(metric.description).build()
}

/// When the SDK looks up what it keeps for a set of attributes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lookup {
    EachTime,
    Once,
}

/// A histogram of one pool.
enum PoolHistogram {
    Looked(Histogram<f64>, KeyValue),
    Bound(BoundHistogram<f64>),
}

impl PoolHistogram {
    fn new(histogram: &Histogram<f64>, lookup: Lookup, pool: &KeyValue) -> Self {
        match lookup {
            Lookup::EachTime => Self::Looked(histogram.clone(), pool.clone()),
            Lookup::Once => Self::Bound(histogram.bind(slice::from_ref(pool))),
        }
    }

    fn record(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        match self {
            Self::Looked(histogram, pool) => histogram.record(seconds, slice::from_ref(pool)),
            Self::Bound(histogram) => histogram.record(seconds),
        }
    }
}

/// Records the events of one pool.
pub(super) struct Events {
    instruments: Instruments,
    /// The attribute that names it.
    pub(super) pool: KeyValue,
    create_time: PoolHistogram,
    wait_time: PoolHistogram,
    use_time: PoolHistogram,
}

impl Events {
    pub(super) fn new(instruments: &Instruments, lookup: Lookup, pool: &Arc<str>) -> Self {
        let pool = KeyValue::new(POOL_NAME, Arc::clone(pool));
        let of_pool = |histogram| PoolHistogram::new(histogram, lookup, &pool);
        // A counter that begins with its first leak has not grown, to those who ask by how much.
        instruments.leaks_suspected.add(0, slice::from_ref(&pool));
        let refused = [pool.clone(), KeyValue::new(ERROR_TYPE, REFUSED)];
        instruments.reconfigurations.add(0, &refused);
        Self {
            create_time: of_pool(&instruments.create_time),
            wait_time: of_pool(&instruments.wait_time),
            use_time: of_pool(&instruments.use_time),
            instruments: instruments.clone(),
            pool,
        }
    }

    fn with_error(&self, error_type: &'static str) -> [KeyValue; 2] {
        [self.pool.clone(), KeyValue::new(ERROR_TYPE, error_type)]
    }

    fn waited_in_vain(&self, waited: Duration, error_type: &'static str) {
        self.instruments.wait_time.record(waited.as_secs_f64(), &self.with_error(error_type));
    }
}

impl Observer for Events {
    fn frequent(&self) -> Frequent {
        Frequent::ACQUIRE_SUCCEEDED | Frequent::RELEASED
    }

    fn acquire_succeeded(&self, event: &AcquireSucceeded<'_>) {
        self.wait_time.record(event.waited);
    }

    fn acquire_failed(&self, event: &AcquireFailed<'_>) {
        let failure = event.error.details();
        self.waited_in_vain(failure.waited, failure.kind.name());
    }

    fn acquire_cancelled(&self, event: &AcquireCancelled<'_>) {
        self.waited_in_vain(event.waited, "cancelled");
    }

    fn released(&self, event: &ConnectionReleased<'_>) {
        self.use_time.record(event.held);
    }

    fn opened(&self, event: &ConnectionOpened<'_>) {
        self.create_time.record(event.took);
    }

    fn open_failed(&self, event: &OpenFailed<'_>) {
        self.instruments.open_failures.add(1, &self.with_error(event.class.name()));
    }

    fn leak_suspected(&self, _event: &LeakSuspected<'_>) {
        self.instruments.leaks_suspected.add(1, slice::from_ref(&self.pool));
    }

    fn checked(&self, event: &ConnectionChecked<'_>) {
        let took = event.took.as_secs_f64();
        match event.error {
            None => self.instruments.check_time.record(took, slice::from_ref(&self.pool)),
            Some(_) => self.instruments.check_time.record(took, &self.with_error("check_failed")),
        }
    }

    fn reconfigured(&self, _event: &PoolReconfigured<'_>) {
        self.instruments.reconfigurations.add(1, slice::from_ref(&self.pool));
    }

    fn reconfigure_refused(&self, _event: &ReconfigureRefused<'_>) {
        self.instruments.reconfigurations.add(1, &self.with_error(REFUSED));
    }
}
