//! The metrics of pools, as families for the endpoint: the same as through OpenTelemetry, by the same table.

use std::sync::Arc;

use pool_core::ControlHandle;

use super::exposition::{Family, Label, Labels, Samples};
use super::tally::Tally;
use crate::catalogue::{ALL, Kind, Metric};
use crate::reading::{Attribute, Reading};
use crate::registry::Registry;

/// The metrics of any number of pools, for a [`PrometheusEndpoint`](super::PrometheusEndpoint).
///
/// A pool that is closed is shown once more, and forgotten with all its series.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sim = pool_testkit::Sim::new(1);
/// # let driver = pool_testkit::FakeDriver::new(&pool_testkit::FakeServer::new(sim.runtime()));
/// # let pool = pool_core::Pool::new(driver, pool_core::PoolConfig::default())?;
/// use pool_monitor::prometheus::{PrometheusEndpoint, PrometheusMetrics, PrometheusOptions};
///
/// let metrics = PrometheusMetrics::default();
/// metrics.watch(&pool.control());
/// let options =
///     PrometheusOptions { address: "127.0.0.1:0".parse()?, ..PrometheusOptions::default() };
/// let endpoint = PrometheusEndpoint::start(&options, metrics.families())?;
/// println!("scrape http://{}/metrics", endpoint.address());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use = "dropping all of its clones, and what asks for its families, ends the metrics"]
pub struct PrometheusMetrics {
    pools: Arc<Registry<Tally>>,
}

impl PrometheusMetrics {
    /// Shows this pool, too, from now on. A pool that is shown already stays as it is; one that has the
    /// name of another is called `name#2`.
    pub fn watch(&self, pool: &ControlHandle) {
        self.pools.add(pool, |name| Tally::new(name));
    }

    /// What an endpoint asks at each scrape.
    pub fn families(&self) -> impl Fn() -> Vec<Family> + Send + Sync + use<> {
        let pools = Arc::clone(&self.pools);
        move || {
            let read = |entry: Arc<crate::registry::Entry<Tally>>| {
                (Arc::clone(&entry.recorder), Reading::of(&*entry.pool))
            };
            let read: Vec<_> = pools.shown().into_iter().map(read).collect();
            ALL.iter().map(|metric| family(metric, &read)).collect()
        }
    }
}

impl std::fmt::Debug for PrometheusMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrometheusMetrics").finish_non_exhaustive()
    }
}

fn family(metric: &Metric, pools: &[(Arc<Tally>, Reading)]) -> Family {
    let mut values = Vec::new();
    let mut buckets = Vec::new();
    for (tally, reading) in pools {
        reading.read(metric, &mut |value, attribute| {
            values.push((labels(&tally.pool, attribute), value));
        });
        for (attribute, count) in tally.counts(metric) {
            values.push((labels(&tally.pool, attribute), count as f64));
        }
        for (attribute, histogram) in tally.histograms(metric) {
            buckets.push((labels(&tally.pool, attribute), histogram));
        }
    }
    let samples = match metric.kind {
        Kind::Counter => Samples::Counter(values),
        Kind::UpDownCounter | Kind::Gauge => Samples::Gauge(values),
        Kind::Histogram(_) => Samples::Histogram(buckets),
    };
    Family {
        name: metric.prometheus_name(),
        help: metric.description.to_owned(),
        unit: (metric.unit == "s").then_some("seconds"),
        samples,
    }
}

fn labels(pool: &Arc<[Label]>, attribute: Attribute) -> Labels {
    let own = attribute.map(|(name, value)| (name.into(), value.into()));
    Labels { shared: Arc::clone(pool), own }
}
