//! The load, and the Prometheus that watches it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use pool_core::{Pool, PoolConfig};
use pool_loadtest::{
    Arrivals, Checked, LoadOptions, LoadTester, Step, StepError, Workload, WorkloadError,
};
use pool_monitor::prometheus::{PrometheusEndpoint, PrometheusMetrics, PrometheusOptions};
use pool_sqlite::{SqliteDriver, SqliteOptions};
use pool_testkit::receivers::{Prometheus, Scraping};
use tokio::time::sleep;

/// Connections.
pub(crate) const MAX_OPEN: usize = 8;
/// Tasks in calm times: fewer.
const CALM: usize = 5;
/// Tasks more during the spike.
const SPIKE: usize = 35;
/// How long a third of it takes: calm, spike, calm.
const THIRD: Duration = Duration::from_secs(15);

/// A load that has been.
pub(crate) struct Load {
    /// In seconds of Unix time.
    start: f64,
    spike: (f64, f64),
    end: f64,
}

impl Load {
    /// From its start to its end.
    pub(crate) fn span(&self) -> (f64, f64) {
        (self.start, self.end)
    }

    /// The spike, in seconds since the start.
    pub(crate) fn spike(&self) -> (f64, f64) {
        (self.spike.0 - self.start, self.spike.1 - self.start)
    }
}

/// A request: a query, and what else a handler does while it has the connection.
struct Requests;

impl Workload<SqliteDriver> for Requests {
    async fn prepare(&self, _: &Pool<SqliteDriver>) -> Result<(), WorkloadError> {
        Ok(())
    }

    async fn step(&self, step: Step<'_, SqliteDriver>) -> Result<(), StepError> {
        step.connection.execute_batch("select 1").await?;
        sleep(Duration::from_millis(step.rng.u64(10..30))).await;
        Ok(())
    }

    async fn verify(&self, _: &Pool<SqliteDriver>) -> Result<Checked, WorkloadError> {
        Ok(Checked::Held("nothing was written".to_owned()))
    }
}

/// Runs it, and returns who has seen it.
pub(crate) async fn run() -> Result<(Prometheus, Load)> {
    let folder = tempfile::tempdir()?;
    let driver = SqliteDriver::new(SqliteOptions::file(folder.path().join("spike.db")));
    let config = PoolConfig { max_open: MAX_OPEN, ..PoolConfig::default() };
    let pool = Pool::open(driver, config).await?;
    let metrics = PrometheusMetrics::default();
    metrics.watch(&pool.control());
    let options =
        PrometheusOptions { address: "127.0.0.1:0".parse()?, ..PrometheusOptions::default() };
    let endpoint = PrometheusEndpoint::start(&options, metrics.families())?;
    let targets = vec![endpoint.address()];
    let prometheus = Prometheus::start(&Scraping { targets, ..Scraping::default() })?;

    // Its first scrape takes its time.
    prometheus.wait_for("up == 1", Duration::from_mins(1))?;

    let start = now();
    let calm = tester(&pool, CALM, 3 * THIRD);
    let calm = tokio::spawn(calm.run());
    sleep(THIRD).await;
    let begun = now();
    tester(&pool, SPIKE, THIRD).run().await?;
    let spike = (begun, now());
    calm.await??;
    let end = now();
    let closed = pool.close(Duration::from_secs(5)).await;
    println!("{closed}");
    Ok((prometheus, Load { start, spike, end }))
}

fn tester(
    pool: &Pool<SqliteDriver>,
    tasks: usize,
    duration: Duration,
) -> LoadTester<SqliteDriver, Requests> {
    let options = LoadOptions {
        arrivals: Arrivals::closed(tasks),
        duration,
        baseline: Duration::ZERO,
        ..LoadOptions::default()
    };
    LoadTester::new(pool.clone(), Requests, options)
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
