//! Every expression that is shipped yields data in a real Prometheus, given every metric.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pool_monitor::catalogue::{self, ERROR_TYPE, Kind, Metric, POOL_NAME};
use pool_monitor::prometheus::{Buckets, Family, Samples};
use pool_monitor::{PrometheusEndpoint, PrometheusOptions};
use pool_testkit::receivers::{Prometheus, Scraping};

use super::{dashboard, path, rules};

const AGES: Duration = Duration::from_mins(1);

/// A metric of one pool, which has grown since it was last looked at.
fn family(metric: &Metric, looks: u64) -> Family {
    let attributes = [POOL_NAME].iter().chain(metric.attributes);
    // A word that the expressions which choose by it choose.
    let value = |name: &str| if name == ERROR_TYPE { "timeout" } else { "idle" };
    let labels = attributes.map(|name| ((*name).into(), value(name).into())).collect();
    let value = looks as f64;
    let samples = match metric.kind {
        Kind::Counter => Samples::Counter(vec![(labels, value)]),
        Kind::Histogram(bounds) => {
            let counts = vec![looks; bounds.len() + 1];
            let buckets = Buckets { bounds: bounds.into(), counts, sum: value };
            Samples::Histogram(vec![(labels, buckets)])
        }
        _ => Samples::Gauge(vec![(labels, value)]),
    };
    let help = metric.description.to_owned();
    Family { name: metric.prometheus_name(), help, unit: None, samples }
}

#[test]
fn every_expression_of_the_rules_and_of_the_dashboard_yields_data() {
    let address = "127.0.0.1:0".parse().expect("an address");
    let options = PrometheusOptions { address, ..PrometheusOptions::default() };
    let looks = AtomicU64::new(1);
    let endpoint = PrometheusEndpoint::start(&options, move || {
        let looks = looks.fetch_add(1, Ordering::Relaxed);
        catalogue::ALL.iter().map(|metric| family(metric, looks)).collect()
    })
    .expect("started");
    let scraping = Scraping {
        targets: vec![endpoint.address()],
        rules: vec![path("alerts.yml")],
        ..Scraping::default()
    };
    let prometheus = Prometheus::start(&scraping).expect("started");
    let records = rules::records().into_iter().map(|record| record.name.to_owned());
    for expression in records.chain(dashboard::expressions()) {
        let samples = prometheus.wait_for(&expression, AGES).expect("data");
        assert!(samples.iter().all(|sample| !sample.value.is_nan()), "{expression}: {samples:?}");
    }
}
