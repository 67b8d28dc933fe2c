//! A service-level objective as a test: 99 of 100 reads are answered within 20 ms, and less than one
//! of 100 fails.
//!
//! `cargo run --example slo`; in a project of one's own it is the body of a `#[tokio::test]`, and the
//! last line is `report.assert_holds("response.p99<20ms, errors<1%")`.

use std::error::Error;
use std::time::Duration;

use pool_core::{Pool, PoolConfig};
use pool_loadtest::{LoadOptions, LoadTester, workload_of};
use pool_sqlite::{SqliteDriver, SqliteOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let driver = SqliteDriver::new(SqliteOptions::shared_memory("slo"));
    let pool = Pool::open(driver, PoolConfig { max_open: 4, ..PoolConfig::default() }).await?;
    let mut connection = pool.acquire().await?;
    connection
        .execute_batch(
            "create table orders (id integer primary key, total integer not null);
             insert into orders values (1, 10), (2, 20), (3, 30)",
        )
        .await?;
    drop(connection);

    let reads = workload_of::<SqliteDriver>("orders by their number", |step| {
        Box::pin(async move {
            let read = "select total from orders where id = ?1";
            let id = step.rng.i64(1..=3);
            let _: i64 = step.connection.query_row(read, [id], |row| row.get(0)).await?;
            Ok(())
        })
    });
    let options = LoadOptions { duration: Duration::from_secs(2), ..LoadOptions::default() };
    let report = LoadTester::new(pool, reads, options).run().await?;
    println!("{report}");
    report.require("response.p99<20ms, errors<1%")?;
    Ok(())
}
