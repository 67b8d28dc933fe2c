//! What an OpenTelemetry provider collects from pools.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, GaugeDataPoint, HistogramDataPoint, MetricData, ResourceMetrics,
    ScopeMetrics, SumDataPoint,
};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, InMemoryMetricExporterBuilder, PeriodicReader, SdkMeterProvider,
    Temporality,
};
use pool_core::{
    Circuit, HealthState, Observer, Pool, PoolConfig, PoolOptions, RecommendedSize, ShareState,
    Sizing, Steering,
};
use pool_monitor::PoolMetrics;
use pool_monitor::catalogue::{self, Kind, Metric, POOL_NAME};
use pool_testkit::{Answer, Call, FakeDriver};

use crate::rig::{MS, Rig, SEC, sizing};

/// A provider whose collections are kept in memory.
pub(crate) struct Provider {
    provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
}

/// What was collected of one metric: each set of attributes but the pool's, with its value or count.
pub(crate) type Points = BTreeMap<String, f64>;

impl Provider {
    pub(crate) fn new(temporality: Temporality) -> Self {
        let exporter = InMemoryMetricExporterBuilder::new().with_temporality(temporality).build();
        let reader = PeriodicReader::builder(exporter.clone())
            .with_interval(Duration::from_hours(1))
            .build();
        Self { provider: SdkMeterProvider::builder().with_reader(reader).build(), exporter }
    }

    pub(crate) fn metrics(&self) -> PoolMetrics {
        PoolMetrics::new(&self.provider.meter("test"))
    }

    /// Both ways to record.
    fn all_metrics(&self) -> [PoolMetrics; 2] {
        [PoolMetrics::new, PoolMetrics::bound].map(|make| make(&self.provider.meter("test")))
    }

    pub(crate) fn collect(&self) -> ResourceMetrics {
        self.exporter.reset();
        self.provider.force_flush().expect("collected");
        // Where there is nothing to tell, nothing is exported.
        self.exporter.get_finished_metrics().expect("kept").pop().unwrap_or_default()
    }

    /// What was collected of `metric` for the pool called `pool`.
    fn points(&self, metric: &Metric, pool: &str) -> Points {
        points(&self.collect(), metric, pool)
    }
}

pub(crate) fn points(collected: &ResourceMetrics, metric: &Metric, pool: &str) -> Points {
    let scopes = collected.scope_metrics().flat_map(ScopeMetrics::metrics);
    let Some(found) = scopes.into_iter().find(|found| found.name() == metric.name) else {
        return Points::new();
    };
    assert_eq!(found.unit(), metric.unit, "{}", metric.name);
    macro_rules! values {
        ($points:expr, $value:expr) => {{
            let points = $points.map(|point| {
                let attributes =
                    point.attributes().map(|it| (it.key.to_string(), it.value.to_string()));
                (attributes.collect::<BTreeMap<_, _>>(), $value(point))
            });
            let of_pool = points.filter(|(attributes, _)| attributes[POOL_NAME] == pool);
            of_pool.map(|(attributes, value)| (without_pool(attributes), value)).collect()
        }};
    }
    match found.data() {
        AggregatedMetrics::U64(MetricData::Sum(sum)) => {
            assert_eq!((metric.kind, sum.is_monotonic()), (Kind::Counter, true), "{}", metric.name);
            values!(sum.data_points(), |it: &SumDataPoint<u64>| it.value() as f64)
        }
        AggregatedMetrics::I64(MetricData::Sum(sum)) => {
            assert_eq!(
                (metric.kind, sum.is_monotonic()),
                (Kind::UpDownCounter, false),
                "{}",
                metric.name
            );
            values!(sum.data_points(), |it: &SumDataPoint<i64>| it.value() as f64)
        }
        AggregatedMetrics::F64(MetricData::Gauge(gauge)) => {
            assert_eq!(metric.kind, Kind::Gauge, "{}", metric.name);
            values!(gauge.data_points(), |it: &GaugeDataPoint<f64>| it.value())
        }
        AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
            let bounds: Vec<f64> =
                histogram.data_points().flat_map(HistogramDataPoint::bounds).take(12).collect();
            let Kind::Histogram(expected) = metric.kind else { panic!("{}", metric.name) };
            assert_eq!(bounds[..expected.len()], *expected, "{}", metric.name);
            values!(histogram.data_points(), |it: &HistogramDataPoint<f64>| it.count() as f64)
        }
        other => panic!("{}: {other:?}", metric.name),
    }
}

fn without_pool(mut attributes: BTreeMap<String, String>) -> String {
    attributes.remove(POOL_NAME);
    attributes.into_values().collect::<Vec<_>>().join(",")
}

fn of<const N: usize>(points: [(&str, f64); N]) -> Points {
    points.map(|(attributes, value)| (attributes.to_owned(), value)).into()
}

#[test]
fn every_metric_of_the_catalogue_is_collected_by_its_name_unit_kind_and_buckets() {
    let provider = Provider::new(Temporality::Cumulative);
    let config = PoolConfig { acquire_timeout: SEC, leak_after: Some(SEC), ..max_open(1) };
    let rig = Rig::new(config.clone());
    let metrics = provider.metrics();
    assert!(metrics.is_recording());
    metrics.watch(&rig.pool.control());
    rig.server.next(Call::Connect, &[Answer::Error]);
    let held = rig.acquire();
    assert!(rig.sim.block_on(rig.pool.acquire()).is_err_and(|error| error.is_timeout()));
    rig.sim.advance(2 * SEC);
    drop(held);
    rig.pool.reconfigure(config.clone()).expect("valid");
    rig.pool.reconfigure(PoolConfig { max_open: 0, ..config }).expect_err("invalid");
    rig.server.next(Call::Check, &[Answer::Error]);
    rig.sim.advance(SEC);
    drop(rig.acquire());
    rig.pool.control().tell_health(HealthState::Healthy, Circuit::Closed, &[]);
    rig.pool.control().tell_sizing(sizing(2, ShareState::Granted));
    let collected = provider.collect();
    let lacking: BTreeSet<_> = catalogue::ALL
        .iter()
        .filter(|metric| points(&collected, metric, "fake").is_empty())
        .map(|metric| metric.name)
        .collect();
    assert_eq!(lacking, BTreeSet::new());
    let reconfigured = points(&collected, &catalogue::RECONFIGURATIONS, "fake");
    assert_eq!(reconfigured, of([("", 1.0), ("refused", 1.0)]));
    assert_eq!(points(&collected, &catalogue::CHECK_TIME, "fake"), of([("check_failed", 1.0)]));
}

#[test]
fn counts_are_those_of_the_pool() {
    for way in 0..2 {
        counts_are_those_of_the_pool_in(way);
    }
}

fn counts_are_those_of_the_pool_in(way: usize) {
    let provider = Provider::new(Temporality::Cumulative);
    let rig = Rig::new(PoolConfig { acquire_timeout: SEC, min_idle: 1, ..max_open(2) });
    let metrics = &provider.all_metrics()[way];
    metrics.watch(&rig.pool.control());
    let held = [rig.acquire(), rig.acquire()];
    assert!(rig.sim.block_on(rig.pool.acquire()).is_err_and(|error| error.is_timeout()));
    rig.sim.advance(9 * SEC);
    drop(held);
    let _one = rig.acquire();
    let collected = provider.collect();
    let points = |metric| points(&collected, metric, "fake");
    assert_eq!(points(&catalogue::COUNT), of([("idle", 1.0), ("used", 1.0)]));
    assert_eq!(points(&catalogue::MAX), of([("", 2.0)]));
    assert_eq!(points(&catalogue::IDLE_MIN), of([("", 1.0)]));
    assert_eq!(points(&catalogue::TIMEOUTS), of([("", 1.0)]));
    assert_eq!(points(&catalogue::PEAK_IN_USE), of([("", 2.0)]));
    assert_eq!(points(&catalogue::UTILISATION), of([("", 0.5)]));
    // Those that failed waited, too.
    assert_eq!(points(&catalogue::WAIT_TIME), of([("", 3.0), ("timeout", 1.0)]));
    assert_eq!(points(&catalogue::USE_TIME), of([("", 2.0)]));
    assert_eq!(points(&catalogue::CREATE_TIME), of([("", 2.0)]));
    // There before the first, so that it is growth.
    assert_eq!(points(&catalogue::LEAKS_SUSPECTED), of([("", 0.0)]));
    assert_eq!(points(&catalogue::RECONFIGURATIONS), of([("refused", 0.0)]));
    let acquires = points(&catalogue::ACQUIRES);
    let ended: f64 = acquires.values().sum();
    assert!((ended - 4.0).abs() < 1e-9, "{acquires:?}");
}

#[test]
fn health_is_absent_until_it_is_told_and_then_as_it_was_told_last() {
    let provider = Provider::new(Temporality::Cumulative);
    let rig = Rig::new(max_open(1));
    let control = rig.pool.control();
    // Told before anybody looks, it is known nevertheless.
    let early = Rig::new(max_open(1));
    early.pool.control().tell_health(HealthState::Healthy, Circuit::Closed, &[]);
    let metrics = provider.metrics();
    metrics.watch(&control);
    metrics.watch(&early.pool.control());
    let both = |pool| {
        let collected = provider.collect();
        [&catalogue::HEALTH, &catalogue::PROBE_CIRCUIT_OPEN]
            .map(|metric| points(&collected, metric, pool))
    };
    let is = |state: HealthState| {
        let of_state = |it: HealthState| (it.name().to_owned(), f64::from(u8::from(it == state)));
        HealthState::ALL.map(of_state).into()
    };
    assert_eq!(both("fake"), [Points::new(), Points::new()]);
    assert_eq!(both("fake#2"), [is(HealthState::Healthy), of([("", 0.0)])]);
    for (state, circuit, open) in [
        (HealthState::Healthy, Circuit::Closed, 0.0),
        (HealthState::Unhealthy, Circuit::Open, 1.0),
        (HealthState::Unhealthy, Circuit::HalfOpen, 1.0),
        (HealthState::Degraded, Circuit::Closed, 0.0),
        (HealthState::Unknown, Circuit::Closed, 0.0),
    ] {
        control.tell_health(state, circuit, &["why".to_owned()]);
        assert_eq!(both("fake"), [is(state), of([("", open)])]);
    }
}

#[test]
fn a_closed_pool_has_no_health() {
    let provider = Provider::new(Temporality::Cumulative);
    let rig = Rig::new(max_open(1));
    let metrics = provider.metrics();
    metrics.watch(&rig.pool.control());
    rig.pool.control().tell_health(HealthState::Unhealthy, Circuit::Closed, &[]);
    assert_eq!(provider.points(&catalogue::HEALTH, "fake").len(), HealthState::ALL.len());
    drop(rig.sim.block_on(rig.pool.close(SEC)));
    assert_eq!(provider.points(&catalogue::HEALTH, "fake"), Points::new());
}

#[test]
fn what_is_told_of_a_size_is_absent_until_then_and_in_a_closed_pool() {
    let provider = Provider::new(Temporality::Cumulative);
    let rig = Rig::new(max_open(9));
    let (metrics, control) = (provider.metrics(), rig.pool.control());
    metrics.watch(&control);
    let told = || {
        let collected = provider.collect();
        let metrics = [
            &catalogue::SIZE_RECOMMENDED,
            &catalogue::SIZE_APPLIED,
            &catalogue::FLEET_GRANTED,
            &catalogue::FLEET_STATE,
        ];
        metrics.map(|metric| points(&collected, metric, "fake"))
    };
    let nothing = [(); 4].map(|()| Points::new());
    assert_eq!(told(), nothing);
    for state in ShareState::ALL {
        control.tell_sizing(sizing(7, state));
        let of_state = |it: ShareState| (it.name().to_owned(), f64::from(u8::from(it == state)));
        let states = ShareState::ALL.map(of_state).into();
        assert_eq!(told(), [of([("", 7.0)]), of([("", 0.0)]), of([("", 3.0)]), states]);
    }
    let recommended = sizing(7, ShareState::Granted).recommended;
    let applied = recommended.map(|size| RecommendedSize { is_applied: true, ..size });
    control.tell_sizing(Sizing { recommended: applied, share: None });
    assert_eq!(told(), [of([("", 7.0)]), of([("", 1.0)]), Points::new(), Points::new()]);
    drop(rig.sim.block_on(rig.pool.close(SEC)));
    assert_eq!(told(), nothing);
}

#[test]
fn the_limits_are_those_in_force_wherever_they_come_from() {
    let provider = Provider::new(Temporality::Cumulative);
    let rig = Rig::new(PoolConfig { min_idle: 1, ..max_open(9) });
    let metrics = provider.metrics();
    metrics.watch(&rig.pool.control());
    let max_open = std::num::NonZeroUsize::new(5);
    let steering =
        Steering { max_open, max_idle: Some(4), min_idle: Some(3), ..Steering::default() };
    rig.pool.control().steer(steering);
    let collected = provider.collect();
    let limits = [&catalogue::MAX, &catalogue::IDLE_MAX, &catalogue::IDLE_MIN];
    let points = limits.map(|metric| points(&collected, metric, "fake"));
    assert_eq!(points, [5.0, 4.0, 3.0].map(|limit| of([("", limit)])));
}

#[test]
fn an_unlimited_pool_has_no_limit_in_its_metrics() {
    let provider = Provider::new(Temporality::Cumulative);
    let rig = Rig::new(max_open(PoolConfig::UNLIMITED));
    let metrics = provider.metrics();
    metrics.watch(&rig.pool.control());
    assert_eq!(provider.points(&catalogue::MAX, "fake"), Points::new());
    assert_eq!(provider.points(&catalogue::UTILISATION, "fake"), of([("", 0.0)]));
}

/// In memory for as long as the pool that it observes.
struct Witness;

impl Observer for Witness {}

#[test]
fn a_pool_that_is_gone_leaves_nothing_behind() {
    let provider = Provider::new(Temporality::Delta);
    let metrics = provider.metrics();
    let rig = Rig::new(max_open(1));
    metrics.watch(&rig.pool.control());
    drop(rig.acquire());
    let witness = Arc::new(Witness);
    rig.pool.control().observe(witness.clone()).keep();
    drop(rig.pool);
    rig.sim.advance(MS);
    // Its end is seen.
    let closed = provider.points(&catalogue::CLOSED, "fake");
    assert_eq!(closed.get("pool_closed"), Some(&1.0), "{closed:?}");
    let collected = provider.collect();
    for metric in catalogue::ALL {
        assert_eq!(points(&collected, metric, "fake"), Points::new(), "{}", metric.name);
    }
    drop(rig.monitor);
    rig.sim.advance(SEC);
    assert_eq!(Arc::strong_count(&witness), 1, "the pool is gone from memory");
}

#[test]
fn pools_of_one_name_are_told_apart() {
    let provider = Provider::new(Temporality::Cumulative);
    let metrics = provider.metrics();
    let (one, other) = (Rig::new(max_open(1)), Rig::new(max_open(2)));
    for rig in [&one, &other, &one] {
        metrics.watch(&rig.pool.control());
    }
    let collected = provider.collect();
    assert_eq!(points(&collected, &catalogue::MAX, "fake"), of([("", 1.0)]));
    assert_eq!(points(&collected, &catalogue::MAX, "fake#2"), of([("", 2.0)]));
    assert_eq!(points(&collected, &catalogue::MAX, "fake#3"), Points::new());
}

#[test]
fn a_pool_that_is_opened_anew_goes_on_under_the_name_of_the_closed_one() {
    let provider = Provider::new(Temporality::Cumulative);
    let metrics = provider.metrics();
    let (one, anew) = (Rig::new(max_open(1)), Rig::new(max_open(2)));
    metrics.watch(&one.pool.control());
    drop(one.sim.block_on(one.pool.close(SEC)));
    metrics.watch(&anew.pool.control());
    assert_eq!(provider.points(&catalogue::MAX, "fake"), of([("", 2.0)]));
}

#[test]
fn every_closed_pool_is_shown_once_and_those_that_never_drain_do_not_pile_up_for_ever() {
    let provider = Provider::new(Temporality::Cumulative);
    let metrics = provider.metrics();
    let Rig { sim, server, .. } = Rig::with_max_open(1);
    let watch_one_that_never_drains = |number: usize| {
        let name = Some(number.to_string().into());
        let options =
            PoolOptions { name, runtime: Some(sim.runtime()), ..PoolConfig::default().into() };
        let pool = Pool::new(FakeDriver::new(&server), options).expect("valid");
        metrics.watch(&pool.control());
        std::mem::forget(sim.block_on(pool.acquire()).expect("opened"));
    };
    let shown = || {
        let collected = provider.collect();
        let is_shown =
            |number: &usize| !points(&collected, &catalogue::MAX, &number.to_string()).is_empty();
        (0..=150).filter(is_shown).collect::<Vec<_>>()
    };
    (0..150).for_each(watch_one_that_never_drains);
    assert_eq!(shown(), (0..150).collect::<Vec<_>>());
    watch_one_that_never_drains(150);
    assert_eq!(shown(), (51..=150).collect::<Vec<_>>());
}

fn max_open(max_open: usize) -> PoolConfig {
    PoolConfig { max_open, ..PoolConfig::default() }
}
