//! What watching costs those who are watched: `cargo xtask bench monitor`.
//!
//! Times are of an acquire and a release of an idle connection on one thread, the dearest case there is to
//! add to: medians over rounds in which all ways take turns, each compared with the unwatched pool of the
//! same round. A target that is missed makes the exit status 1.

use std::fmt;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use pool_core::{Pool, PoolConfig, PoolOptions};
use pool_monitor::adaptive::{AdaptiveOptions, AdaptiveSize, TunerMode, TunerOptions};
use pool_monitor::prometheus::PrometheusMetrics;
use pool_monitor::{
    MonitorOptions, PoolMetrics, PoolMonitor, PrometheusEndpoint, PrometheusOptions,
};
use pool_testkit::{FakeDriver, FakeServer, Nothing, Sim};
use tokio::runtime::{Builder, Runtime};

/// Acquires in one go.
const TURNS: u32 = 100_000;

fn main() -> ExitCode {
    // `cargo test` runs benchmarks, too, to see that they work.
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let (rounds, turns) = if is_test { (1, 100) } else { (31, TURNS) };
    let mut figures = acquires(rounds, turns);
    figures.push(memory());
    figures.extend(collection(if is_test { 1 } else { 31 }));
    println!("| figure | reached | spread | asked at most |\n|---|---|---|---|");
    for figure in &figures {
        println!("{figure}");
    }
    let is_missed = figures.iter().any(Figure::is_missed);
    if is_missed && !is_test { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// One line of the table.
struct Figure {
    name: &'static str,
    unit: &'static str,
    /// Sorted.
    values: Vec<f64>,
    target: Option<f64>,
}

impl Figure {
    fn new(
        name: &'static str,
        unit: &'static str,
        mut values: Vec<f64>,
        target: Option<f64>,
    ) -> Self {
        values.sort_by(f64::total_cmp);
        Self { name, unit, values, target }
    }

    fn quantile(&self, part: f64) -> f64 {
        self.values[((self.values.len() - 1) as f64 * part).round() as usize]
    }

    fn is_missed(&self) -> bool {
        self.target.is_some_and(|target| self.quantile(0.5) > target)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, unit, target, .. } = self;
        let (median, low, high) = (self.quantile(0.5), self.quantile(0.1), self.quantile(0.9));
        let target = target.map_or_else(String::new, |target| format!("{target} {unit}"));
        let mark = if self.is_missed() { ", missed" } else { "" };
        write!(f, "| {name} | {median:.1} {unit} | {low:.1} to {high:.1} | {target}{mark} |")
    }
}

/// A pool, and who watches it.
struct Way {
    name: &'static str,
    target: Option<f64>,
    pool: Pool<Nothing>,
    _watching: Box<dyn std::any::Any>,
}

impl Way {
    fn new(
        name: &'static str,
        target: Option<f64>,
        runtime: &Runtime,
        watch: impl FnOnce(&Pool<Nothing>) -> Box<dyn std::any::Any>,
    ) -> Self {
        let pool = Pool::new(Nothing, PoolConfig::default()).expect("valid");
        let watching = watch(&pool);
        drop(runtime.block_on(pool.acquire()).expect("opened"));
        Self { name, target, pool, _watching: watching }
    }

    /// Nanoseconds a turn.
    fn time(&self, turns: u32) -> f64 {
        let started = Instant::now();
        for _ in 0..turns {
            let guard = self.pool.acquire().now_or_never().expect("one is idle");
            drop(black_box(guard.expect("one is idle")));
        }
        started.elapsed().as_nanos() as f64 / f64::from(turns)
    }
}

fn acquires(rounds: usize, turns: u32) -> Vec<Figure> {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let metrics = |make: fn(&opentelemetry::metrics::Meter) -> PoolMetrics| {
        move |pool: &Pool<Nothing>| {
            let provider = provider();
            let metrics = make(&provider.meter("bench"));
            metrics.watch(&pool.control());
            assert!(metrics.is_recording());
            Box::new((provider, metrics)) as Box<dyn std::any::Any>
        }
    };
    let unwatched = Way::new("", None, &runtime, |_| Box::new(()));
    let ways = [
        Way::new("metrics, but no provider: an acquire more by", Some(3.0), &runtime, |pool| {
            let metrics = PoolMetrics::global();
            metrics.watch(&pool.control());
            Box::new(metrics)
        }),
        Way::new(
            "metrics, bound: an acquire more by",
            Some(100.0),
            &runtime,
            metrics(PoolMetrics::bound),
        ),
        Way::new("metrics, any SDK: an acquire more by", None, &runtime, metrics(PoolMetrics::new)),
        Way::new("PoolMonitor: an acquire more by", None, &runtime, |pool| {
            let _inside = runtime.enter();
            let monitor = PoolMonitor::start(MonitorOptions::default()).expect("started");
            monitor.watch(&pool.control());
            Box::new(monitor)
        }),
        Way::new("a tuner in the shadow: an acquire more by", None, &runtime, |pool| {
            let _inside = runtime.enter();
            let tuner = TunerOptions { mode: TunerMode::Shadow, ..TunerOptions::default() };
            let options = AdaptiveOptions { tuner, ..AdaptiveOptions::default() };
            Box::new(AdaptiveSize::start(&pool.control(), options).expect("started"))
        }),
    ];
    let mut more = vec![Vec::new(); ways.len()];
    let mut alone = Vec::new();
    for _ in 0..rounds {
        let unwatched = unwatched.time(turns);
        alone.push(unwatched);
        for (way, more) in ways.iter().zip(&mut more) {
            more.push(way.time(turns) - unwatched);
        }
    }
    let figures =
        ways.iter().zip(more).map(|(way, more)| Figure::new(way.name, "ns", more, way.target));
    let alone = Figure::new("an acquire and a release, not watched", "ns", alone, None);
    [alone].into_iter().chain(figures).collect()
}

/// What a monitored pool takes after a quarter of an hour of waits and holds of all lengths.
fn memory() -> Figure {
    let sim = Sim::new(1);
    let server = FakeServer::new(sim.runtime());
    let config = PoolConfig { max_open: 2, ..PoolConfig::default() };
    let options = PoolOptions { runtime: Some(sim.runtime()), ..config.into() };
    let pool = Pool::new(FakeDriver::new(&server), options).expect("valid");
    for user in 0..20_u64 {
        let (pool, task) = (pool.clone(), sim.clone());
        sim.spawn(async move {
            for turn in 0.. {
                let _guard = pool.acquire().await;
                // From microseconds to seconds.
                let micros = 10_u64.pow(((user + turn) % 6) as u32 + 1) / (1 + turn % 7);
                task.sleep(Duration::from_micros(micros)).await;
            }
        });
    }
    sim.advance(Duration::from_mins(1));
    let provider = provider();
    let metrics = PoolMetrics::bound(&provider.meter("bench"));
    let runtime = Some(sim.runtime());
    let monitor = PoolMonitor::start(MonitorOptions { runtime, ..MonitorOptions::default() });
    let monitor = monitor.expect("started");
    let taken = allocation_counter::measure(|| {
        monitor.watch(&pool.control());
        metrics.watch(&pool.control());
        sim.advance(Duration::from_mins(16));
    });
    let kibibytes = taken.bytes_current as f64 / 1024.0;
    Figure::new("memory of a monitored pool, with metrics", "KiB", vec![kibibytes], Some(256.0))
}

/// How long it takes to collect all metrics of a thousand pools, each of which was used.
fn collection(rounds: usize) -> Vec<Figure> {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let provider = provider();
    let metrics = PoolMetrics::bound(&provider.meter("bench"));
    let shown = PrometheusMetrics::default();
    let pools: Vec<_> = (0..1000)
        .map(|number| {
            let options = PoolOptions {
                name: Some(format!("pool-{number}").into()),
                ..PoolConfig::default().into()
            };
            let pool = Pool::new(Nothing, options).expect("valid");
            metrics.watch(&pool.control());
            shown.watch(&pool.control());
            drop(runtime.block_on(pool.acquire()).expect("opened"));
            pool
        })
        .collect();
    let time = |collect: &dyn Fn()| {
        let started = Instant::now();
        collect();
        started.elapsed().as_secs_f64() * 1e3
    };
    let families = shown.families();
    let by_sdk =
        (0..rounds).map(|_| time(&|| provider.force_flush().expect("collected"))).collect();
    let by_endpoint = (0..rounds).map(|_| time(&|| drop(black_box(families())))).collect();
    let address = "127.0.0.1:0".parse().expect("an address");
    let options = PrometheusOptions { address, ..PrometheusOptions::default() };
    let endpoint = PrometheusEndpoint::start(&options, families).expect("started");
    let scraped = (0..rounds).map(|_| time(&|| drop(black_box(scrape(&endpoint))))).collect();
    drop(pools);
    vec![
        Figure::new("collecting the metrics of 1000 pools, by the SDK", "ms", by_sdk, Some(10.0)),
        Figure::new("the same for the endpoint of Prometheus", "ms", by_endpoint, Some(10.0)),
        Figure::new("a whole scrape of them: collected, written and sent", "ms", scraped, None),
    ]
}

/// What the endpoint answers.
fn scrape(endpoint: &PrometheusEndpoint) -> Vec<u8> {
    let mut stream = TcpStream::connect(endpoint.address()).expect("it listens");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered");
    answer
}

/// A provider that collects when told to, and exports into nowhere.
fn provider() -> SdkMeterProvider {
    let reader = PeriodicReader::builder(Nowhere).with_interval(Duration::from_hours(1)).build();
    SdkMeterProvider::builder().with_reader(reader).build()
}

struct Nowhere;

impl PushMetricExporter for Nowhere {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        black_box(metrics);
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}
