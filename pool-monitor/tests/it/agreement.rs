//! What Prometheus scrapes is what an OpenTelemetry provider collects.

use opentelemetry_sdk::metrics::Temporality;
use pool_core::{Circuit, HealthState, PoolConfig, ShareState};
use pool_monitor::catalogue::{self, Kind, POOL_NAME};
use pool_monitor::prometheus::{Family, Labels, PrometheusMetrics, Samples};
use pool_testkit::{Answer, Call};

use crate::metrics::{Points, Provider, points};
use crate::rig::{MS, Rig, SEC, sizing};

/// The values of a family for the pool, by what their other labels say.
fn scraped(family: &Family) -> Points {
    let key = |labels: &Labels| {
        let others = labels.iter().filter(|(name, _)| name != POOL_NAME);
        others.map(|(_, value)| &**value).collect::<Vec<_>>().join(",")
    };
    match &family.samples {
        Samples::Counter(values) => {
            // Through OpenTelemetry, a counter that nobody has added to is not told.
            let told = values.iter().filter(|(labels, value)| labels.own.is_none() || *value > 0.0);
            told.map(|(labels, value)| (key(labels), *value)).collect()
        }
        Samples::Gauge(values) => values.iter().map(|(labels, it)| (key(labels), *it)).collect(),
        Samples::Histogram(values) => {
            let count = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
            values.iter().map(|(labels, it)| (key(labels), count(&it.counts))).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_metric_has_the_same_values_either_way() {
    let config = PoolConfig {
        max_open: 2,
        min_idle: 1,
        acquire_timeout: SEC,
        leak_after: Some(SEC),
        ..PoolConfig::default()
    };
    let rig = Rig::new(config.clone());
    let provider = Provider::new(Temporality::Cumulative);
    let collected = provider.metrics();
    let shown = PrometheusMetrics::default();
    collected.watch(&rig.pool.control());
    shown.watch(&rig.pool.control());
    rig.server.next(Call::Connect, &[Answer::Error, Answer::Late(20 * MS)]);
    let held = [rig.acquire(), rig.acquire()];
    assert!(rig.sim.block_on(rig.pool.acquire()).is_err_and(|error| error.is_timeout()));
    rig.sim.advance(2 * SEC);
    drop(held);
    rig.sim.advance(2 * SEC);
    rig.server.next(Call::Check, &[Answer::Error, Answer::Late(3 * MS)]);
    drop(rig.acquire());
    rig.sim.advance(2 * SEC);
    drop(rig.acquire());
    rig.pool.reconfigure(config.clone()).expect("valid");
    rig.pool.reconfigure(PoolConfig { max_open: 0, ..config }).expect_err("invalid");
    rig.pool.control().tell_health(HealthState::Degraded, Circuit::HalfOpen, &[]);
    rig.pool.control().tell_sizing(sizing(3, ShareState::Lapsed));

    let collected = provider.collect();
    let families = shown.families()();
    assert_eq!(families.len(), catalogue::ALL.len());
    for (metric, family) in catalogue::ALL.iter().zip(&families) {
        assert_eq!(family.name, metric.prometheus_name());
        let expected = points(&collected, metric, "fake");
        assert_eq!(scraped(family), expected, "{}", metric.name);
        assert!(!expected.is_empty(), "{}", metric.name);
        if let (Kind::Histogram(bounds), Samples::Histogram(values)) =
            (metric.kind, &family.samples)
        {
            assert!(
                values.iter().all(|(_, buckets)| *buckets.bounds == *bounds),
                "{}",
                metric.name
            );
        }
    }
}

#[test]
fn a_pool_that_is_gone_is_scraped_once_more() {
    let rig = Rig::with_max_open(1);
    let shown = PrometheusMetrics::default();
    shown.watch(&rig.pool.control());
    let count = || {
        let families = shown.families()();
        families.iter().map(|family| scraped(family).len()).sum::<usize>()
    };
    drop(rig.pool);
    assert!(count() > 0);
    assert_eq!(count(), 0);
}
