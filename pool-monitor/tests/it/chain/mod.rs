//! The whole chain on real parts: pools that are used by tasks, what watches them, and the programs of others
//! that receive what it tells.

mod alerts;
mod canary;
mod hanging;
mod many;
mod saturated;
mod telemetry;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use pool_core::runtime::Runtime;
use pool_core::{ControlHandle, Driver, Pool, PoolConfig, PoolOptions};
use pool_monitor::otlp::{Environment, OtlpOptions, Telemetry};
use pool_monitor::prometheus::PrometheusMetrics;
use pool_monitor::{
    MonitorOptions, PoolMetrics, PoolMonitor, PoolTraces, PrometheusEndpoint, PrometheusOptions,
    TraceOptions,
};
use pool_postgres::PostgresDriver;
use pool_sqlite::{SqliteDriver, SqliteOptions};
use pool_testkit::servers::{Access, Family, shared};

/// Longer than anything takes that is to be waited for.
const AGES: Duration = Duration::from_mins(1);

/// How often a monitor looks whose findings are waited for.
const OFTEN: Duration = Duration::from_millis(20);

/// All that watches pools and does not alert.
struct Watch {
    monitor: PoolMonitor,
    telemetry: Telemetry,
    metrics: PoolMetrics,
    traces: PoolTraces,
    scraped: PrometheusMetrics,
    endpoint: PrometheusEndpoint,
}

impl Watch {
    /// Nothing is exported before it is asked for.
    fn start(otlp: &OtlpOptions, runtime: Option<Arc<dyn Runtime>>) -> Self {
        let options = MonitorOptions { interval: OFTEN, runtime, ..MonitorOptions::default() };
        let telemetry = Telemetry::start(otlp).expect("started");
        let scraped = PrometheusMetrics::default();
        let endpoint = PrometheusEndpoint::start(&scraping(), scraped.families()).expect("started");
        let all = TraceOptions { slow_acquire: Some(Duration::ZERO), ..TraceOptions::default() };
        Self {
            monitor: PoolMonitor::start(options).expect("started"),
            metrics: PoolMetrics::bound(&telemetry.meter_provider().meter("chain")),
            traces: PoolTraces::new(telemetry.tracer_provider(), all),
            telemetry,
            scraped,
            endpoint,
        }
    }

    fn watch(&self, pool: &ControlHandle) {
        self.monitor.watch(pool);
        self.metrics.watch(pool);
        self.traces.watch(pool).keep();
        self.scraped.watch(pool);
    }
}

fn scraping() -> PrometheusOptions {
    let address = "127.0.0.1:0".parse().expect("an address");
    PrometheusOptions { address, ..PrometheusOptions::default() }
}

/// Nothing is sent unless it is asked for.
fn otlp(url: &str, service: &str) -> OtlpOptions {
    OtlpOptions {
        endpoint: Some(url.to_owned()),
        service_name: Some(service.to_owned()),
        metric_interval: Some(10 * AGES),
        span_delay: Some(10 * AGES),
        environment: Environment::Ignore,
        ..OtlpOptions::default()
    }
}

fn server() -> Access {
    shared(Family::Postgres).unwrap_or_else(|error| panic!("{error}"))
}

fn patient(max_open: usize) -> PoolConfig {
    PoolConfig { max_open, acquire_timeout: AGES, ..PoolConfig::default() }
}

fn pool<D: Driver>(
    name: &str,
    driver: D,
    config: PoolConfig,
    runtime: Option<Arc<dyn Runtime>>,
) -> Pool<D> {
    let options = PoolOptions { name: Some(name.into()), runtime, ..config.into() };
    Pool::new(driver, options).expect("valid")
}

/// Connections to the real PostgreSQL.
fn postgres(name: &str, max_open: usize) -> Pool<PostgresDriver> {
    let access = server();
    let driver = PostgresDriver::from_url(&access.url(&access.first_database));
    pool(name, driver.expect("the kit's URLs are right"), patient(max_open), None)
}

/// Connections to an SQLite in memory that they share.
fn sqlite(name: &str, max_open: usize, runtime: Option<Arc<dyn Runtime>>) -> Pool<SqliteDriver> {
    pool(name, SqliteDriver::new(SqliteOptions::shared_memory(name)), patient(max_open), runtime)
}
