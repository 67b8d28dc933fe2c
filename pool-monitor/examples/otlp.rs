//! Metrics and traces of a program go to its collector.

use std::error::Error;
use std::time::Duration;

use pool_core::{Pool, PoolConfig};
use pool_monitor::otlp::{OtlpOptions, Telemetry};
use pool_monitor::{PoolMetrics, PoolTraces, TraceOptions};
use pool_sqlite::{SqliteDriver, SqliteOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = OtlpOptions { service_name: Some("orders".to_owned()), ..Default::default() };
    let telemetry = Telemetry::start(&options)?;
    telemetry.install_global();
    let metrics = PoolMetrics::global();
    let traces = PoolTraces::global(TraceOptions::default());

    let driver = SqliteDriver::new(SqliteOptions::shared_memory("orders"));
    let pool = Pool::open(driver, PoolConfig::default()).await?;
    metrics.watch(&pool.control());
    traces.watch(&pool.control()).keep();

    // Now the program does its work.

    let delivery = telemetry.shutdown(Duration::from_secs(5));
    if !delivery.is_complete() {
        eprintln!("not all telemetry has arrived: {delivery:?}");
    }
    Ok(())
}
