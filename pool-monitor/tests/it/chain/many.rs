//! A thousand pools in which everything goes wrong that has a name of its own: how many series they are, and
//! that none is left of those that are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_sdk::metrics::Temporality;
use pool_core::{Circuit, HealthState, Observer, Pool, PoolConfig, PoolOptions, ShareState};
use pool_monitor::catalogue::{self, POOL_NAME, prometheus_label};
use pool_monitor::otlp::{OtlpOptions, Telemetry};
use pool_monitor::prometheus::PrometheusMetrics;
use pool_monitor::{PoolMetrics, PoolMonitor, PrometheusEndpoint};
use pool_testkit::receivers::HttpSink;
use pool_testkit::{Answer, Call, FakeDriver, FakeServer, Hand, Sim};

use super::{AGES, otlp, scraping};
use crate::otlp::metrics;
use crate::prometheus::{HERE, get};
use crate::rig::{MS, SEC, every, sizing};

const POOLS: usize = 1000;
/// Points of OpenTelemetry a pool: 29 metrics, nine of them by something.
const MOST_POINTS: usize = 50;
/// Series of Prometheus, of which a histogram is as many as it has buckets, and two.
const MOST_SERIES: usize = 250;

fn config() -> PoolConfig {
    PoolConfig {
        max_open: 1,
        max_waiters: 2,
        acquire_timeout: SEC,
        leak_after: Some(SEC / 2),
        outage_grace: Some(MS),
        ..PoolConfig::default()
    }
}

fn pool(number: usize, sim: &Sim, server: &FakeServer) -> Pool<FakeDriver> {
    let (name, runtime) = (Some(format!("pool-{number:04}").into()), Some(sim.runtime()));
    let options = PoolOptions { name, runtime, ..config().into() };
    Pool::new(FakeDriver::new(server), options).expect("valid")
}

/// Every pool fails in every way, and works.
fn use_up(sim: &Sim, server: &FakeServer, pools: &[Pool<FakeDriver>]) {
    for answer in [Answer::Permanent, Answer::Error] {
        server.always(Call::Connect, answer);
        for pool in pools {
            let failed = sim.block_on(pool.acquire());
            assert!(failed.is_err());
        }
    }
    server.always(Call::Connect, Answer::Ok);
    // No connect is tried for a while after those that failed.
    sim.advance(60 * SEC);
    let held: Vec<_> = pools.iter().map(|pool| sim.block_on(pool.acquire_owned())).collect();
    assert!(held.iter().all(Result::is_ok));
    for pool in pools {
        let mut waiting = [pool.acquire(), pool.acquire()].map(Hand::new);
        waiting.iter_mut().for_each(Hand::pending);
        let refused = sim.block_on(pool.acquire());
        assert!(refused.is_err_and(|error| error.to_string().contains("max_waiters")));
        drop(waiting);
        let late = sim.block_on(pool.acquire_within(MS));
        assert!(late.is_err_and(|error| error.is_timeout()));
        pool.reconfigure(config()).expect("valid");
        pool.reconfigure(PoolConfig { max_open: 0, ..config() }).expect_err("invalid");
        pool.control().tell_health(HealthState::Healthy, Circuit::Closed, &[]);
        pool.control().tell_sizing(sizing(2, ShareState::Granted));
    }
    sim.advance(2 * SEC);
    drop(held);
    sim.advance(2 * SEC);
    server.always(Call::Check, Answer::Error);
    for pool in pools {
        drop(sim.block_on(pool.acquire()).expect("opened anew"));
    }
    server.always(Call::Check, Answer::Ok);
    sim.advance(2 * SEC);
    for pool in pools {
        drop(sim.block_on(pool.acquire()).expect("checked"));
    }
}

/// Of each pool, each metric with its attributes.
type Seen = BTreeMap<String, BTreeSet<String>>;

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => panic!("{other:?}"),
    }
}

/// What was collected since the last time, whose attributes are all known.
fn collected(telemetry: &Telemetry, sink: &HttpSink) -> Seen {
    assert!(telemetry.flush(AGES).is_complete());
    let mut seen = Seen::new();
    for metric in sink.rest().iter().flat_map(metrics) {
        let known = catalogue::ALL.iter().find(|known| known.name == metric.name).expect("ours");
        let all: Vec<_> = match &metric.data {
            Some(Data::Sum(sum)) => sum.data_points.iter().map(|it| &it.attributes).collect(),
            Some(Data::Gauge(gauge)) => gauge.data_points.iter().map(|it| &it.attributes).collect(),
            Some(Data::Histogram(all)) => all.data_points.iter().map(|it| &it.attributes).collect(),
            other => panic!("{other:?}"),
        };
        for attributes in all {
            let value = |it: &KeyValue| (it.key.clone(), text(it.value.as_ref()));
            let mut attributes: BTreeMap<_, _> = attributes.iter().map(value).collect();
            let pool = attributes.remove(POOL_NAME).expect("no series is of many pools");
            assert!(
                attributes.keys().all(|name| known.attributes.contains(&&**name)),
                "{attributes:?}"
            );
            let series = format!("{} {attributes:?}", metric.name);
            assert!(
                seen.entry(pool).or_default().insert(series),
                "{}: {attributes:?}",
                metric.name
            );
        }
    }
    seen
}

/// What is scraped.
fn scraped(endpoint: &PrometheusEndpoint) -> Seen {
    let label = format!("{}=\"", prometheus_label(POOL_NAME));
    let mut seen = Seen::new();
    let answer = get(endpoint, "/metrics", HERE);
    let (_head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    for line in body.lines().filter(|line| line.contains('{')) {
        let (series, _value) = line.rsplit_once(' ').expect("a value");
        let (before, rest) = series.split_once(&label).expect("no series is of many pools");
        let (pool, after) = rest.split_once('"').expect("quoted");
        let is_new = seen.entry(pool.to_owned()).or_default().insert(format!("{before}{after}"));
        assert!(is_new, "{line}");
    }
    seen
}

/// All pools have the same, which is not too much.
#[track_caller]
fn expect_bounded(seen: &Seen, most: usize) {
    assert_eq!(seen.len(), POOLS);
    let first = &seen["pool-0000"];
    assert!(first.len() <= most, "{}: {first:#?}", first.len());
    assert!(seen.values().all(|of_pool| of_pool == first));
    let metrics: Vec<_> = catalogue::ALL
        .iter()
        .flat_map(|metric| [metric.name.to_owned(), metric.prometheus_name()])
        .filter(|name| first.iter().any(|series| series.starts_with(name)))
        .collect();
    assert_eq!(metrics.len(), catalogue::ALL.len(), "each has each: {metrics:?}");
}

#[test]
fn a_thousand_pools_have_a_bounded_number_of_series_and_leave_none_behind() {
    let sim = Sim::new(1);
    let server = FakeServer::new(sim.runtime());
    let sink = HttpSink::start().expect("started");
    let options =
        OtlpOptions { temporality: Some(Temporality::Delta), ..otlp(&sink.url(""), "many") };
    let telemetry = Telemetry::start(&options).expect("started");
    let collect = PoolMetrics::new(&telemetry.meter_provider().meter("chain"));
    let scrape = PrometheusMetrics::default();
    let endpoint = PrometheusEndpoint::start(&scraping(), scrape.families()).expect("started");
    let monitor = PoolMonitor::start(every(15 * 60 * SEC, &sim)).expect("started");
    let pools: Vec<_> = (0..POOLS).map(|number| pool(number, &sim, &server)).collect();
    for pool in &pools {
        collect.watch(&pool.control());
        scrape.watch(&pool.control());
        monitor.watch(&pool.control());
    }
    use_up(&sim, &server, &pools);

    expect_bounded(&collected(&telemetry, &sink), MOST_POINTS);
    expect_bounded(&scraped(&endpoint), MOST_SERIES);
    monitor.look();
    assert_eq!(monitor.views().len(), POOLS);

    drop(pools);
    sim.advance(SEC);
    // The end of each is told once.
    assert_eq!(collected(&telemetry, &sink).len(), POOLS);
    assert_eq!(scraped(&endpoint).len(), POOLS);
    monitor.look();
    assert_eq!(collected(&telemetry, &sink), Seen::new());
    assert_eq!(scraped(&endpoint), Seen::new());
    assert_eq!(monitor.views().len(), 0);
    assert!(telemetry.shutdown(AGES).is_complete());
}

/// Is there as often as there are pools in memory.
struct Witness;

impl Observer for Witness {}

#[test]
fn pools_that_come_and_go_where_nobody_collects_do_not_pile_up() {
    let sim = Sim::new(1);
    let server = FakeServer::new(sim.runtime());
    let sink = HttpSink::start().expect("started");
    let telemetry = Telemetry::start(&otlp(&sink.url(""), "nobody")).expect("started");
    let collect = PoolMetrics::new(&telemetry.meter_provider().meter("chain"));
    let scrape = PrometheusMetrics::default();
    let endpoint = PrometheusEndpoint::start(&scraping(), scrape.families()).expect("started");
    let witness = Arc::new(Witness);
    let last = 2 * POOLS;
    for number in 0..=last {
        let pool = pool(number, &sim, &server);
        pool.control().observe(witness.clone()).keep();
        collect.watch(&pool.control());
        scrape.watch(&pool.control());
    }
    let in_memory = Arc::strong_count(&witness) - 1;
    assert!((1..=POOLS).contains(&in_memory), "{in_memory}");
    // The ends of the latest are still told.
    assert!(scraped(&endpoint).contains_key(&format!("pool-{last:04}")));
    assert!(telemetry.shutdown(AGES).is_complete());
}
