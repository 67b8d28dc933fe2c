//! A program whose collector sees its pool.

use std::time::Duration;

use pool_core::{Pool, PoolConfig};
use pool_monitor::TraceOptions;
use pool_monitor::otlp::{OtlpOptions, Telemetry};
use pool_sqlite::{SqliteDriver, SqliteOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // To where OTEL_EXPORTER_OTLP_ENDPOINT says.
    let telemetry = Telemetry::start(&OtlpOptions::default())?;
    let (metrics, traces) =
        (telemetry.pool_metrics(), telemetry.pool_traces(TraceOptions::default()));

    let driver = SqliteDriver::new(SqliteOptions::shared_memory("orchard"));
    let pool = Pool::open(driver, PoolConfig::default()).await?;
    metrics.watch(&pool.control());
    traces.watch(&pool.control()).keep();
    pool.acquire().await?.execute_batch("create table fruit (name text)").await?;

    println!("{}", pool.close(Duration::from_secs(5)).await);
    let delivery = telemetry.shutdown(Duration::from_secs(5));
    println!("everything has arrived: {}", delivery.is_complete());
    Ok(())
}
