//! Metrics through the OpenTelemetry API.

mod events;
mod shown;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::{Arc, Weak};

use opentelemetry::metrics::{AsyncInstrument, Meter};
use opentelemetry::{KeyValue, global};
use pool_core::ControlHandle;

use self::events::{Events, Instruments, Lookup};
use self::shown::Shown;
use crate::catalogue::{self, Kind, Metric};
use crate::reading::is_read;
use crate::scope::scope;

/// Metrics of any number of pools, by the names of [`catalogue`](crate::catalogue), through the
/// OpenTelemetry API.
///
/// Counts and limits are read when the provider collects; only durations and rare events are recorded as
/// they happen. A pool that is closed is forgotten after the next collection. What then remains is the
/// SDK's: with cumulative temporality, it goes on to report the pool's histograms and rare events unchanged.
///
/// It shows pools for as long as it exists. Make it once, after the provider has been installed: what is
/// made before stays without effect. The SDK keeps no more than 2000 sets of attributes a metric, unless
/// told so (the feature `otlp` does).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sim = pool_testkit::Sim::new(1);
/// # let driver = pool_testkit::FakeDriver::new(&pool_testkit::FakeServer::new(sim.runtime()));
/// # let pool = pool_core::Pool::new(driver, pool_core::PoolConfig::default())?;
/// use pool_monitor::PoolMetrics;
///
/// let metrics = PoolMetrics::global();
/// metrics.watch(&pool.control());
/// assert!(!metrics.is_recording(), "no provider was installed");
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it ends the metrics"]
pub struct PoolMetrics {
    shown: Arc<Shown>,
    instruments: Instruments,
    lookup: Lookup,
    is_recording: bool,
}

impl PoolMetrics {
    /// Metrics of the global provider.
    pub fn global() -> Self {
        Self::new(&global::meter_provider().meter_with_scope(scope()))
    }

    /// Metrics of a provider's meter.
    pub fn new(meter: &Meter) -> Self {
        Self::recording(meter, Lookup::EachTime)
    }

    /// The same for a third of what it costs an acquire, for an SDK that was compiled with its feature
    /// `experimental_metrics_bound_instruments`. Under one that was not, durations are lost in silence,
    /// which is why this is not the rule. The feature `otlp` brings one that was.
    pub fn bound(meter: &Meter) -> Self {
        Self::recording(meter, Lookup::Once)
    }

    fn recording(meter: &Meter, lookup: Lookup) -> Self {
        let shown = Arc::new(Shown::default());
        for metric in catalogue::ALL.iter().filter(|metric| is_read(metric)) {
            read_on_collection(meter, *metric, &shown);
        }
        // Without a provider, the API drops at once what would be called when it collects.
        let is_recording = Arc::weak_count(&shown) > 0;
        Self { shown, instruments: Instruments::new(meter), lookup, is_recording }
    }

    /// Shows this pool, too, from now on. A pool that is shown already stays as it is; one that has the
    /// name of another is called `name#2`.
    ///
    /// Without a provider it does nothing, and the pool pays nothing.
    pub fn watch(&self, pool: &ControlHandle) {
        if self.is_recording {
            self.shown.pools.add(pool, |name| Events::new(&self.instruments, self.lookup, name));
        }
    }

    /// Whether a provider is there. If not, it was installed too late, or never.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.is_recording
    }
}

impl fmt::Debug for PoolMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolMetrics")
            .field("is_recording", &self.is_recording)
            .finish_non_exhaustive()
    }
}

/// An instrument whose values are read from the pools when the provider collects.
fn read_on_collection(meter: &Meter, metric: Metric, shown: &Arc<Shown>) {
    let shown = Arc::downgrade(shown);
    macro_rules! build {
        ($builder:ident as $number:ty) => {{
            let builder = meter.$builder(metric.name).with_unit(metric.unit);
            let builder = builder.with_description(metric.description);
            let callback = move |to: &dyn AsyncInstrument<$number>| {
                // A panic would end the provider's reader, and with it all metrics of the program.
                let read = AssertUnwindSafe(|| {
                    read(&shown, &metric, |value, attributes| {
                        to.observe(value as $number, attributes);
                    });
                });
                if catch_unwind(read).is_err() {
                    tracing::error!(target: "pool_monitor", metric = metric.name, "bug: reading a metric panicked");
                }
            };
            // It has no use: the provider keeps the callback.
            let _instrument = builder.with_callback(callback).build();
        }};
    }
    match metric.kind {
        Kind::Counter => build!(u64_observable_counter as u64),
        Kind::UpDownCounter => build!(i64_observable_up_down_counter as i64),
        Kind::Gauge => build!(f64_observable_gauge as f64),
        Kind::Histogram(_) => unreachable!("bug: a histogram cannot be read"),
    }
}

fn read(shown: &Weak<Shown>, metric: &Metric, mut observe: impl FnMut(f64, &[KeyValue])) {
    let Some(shown) = shown.upgrade() else { return };
    for (name, reading) in &*shown.readings(metric.name) {
        reading.read(metric, &mut |value, attribute| match attribute {
            None => observe(value, slice::from_ref(name)),
            // As a counter that nobody has added to yet.
            Some(_) if value == 0.0 && metric.kind == Kind::Counter => {}
            Some((key, word)) => observe(value, &[name.clone(), KeyValue::new(key, word)]),
        });
    }
}
