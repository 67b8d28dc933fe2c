//! The README's first example, on a database in memory.

use std::time::Duration;

use pool_core::{Pool, PoolConfig};
use pool_sqlite::{SqliteDriver, SqliteOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let driver = SqliteDriver::new(SqliteOptions::shared_memory("orchard"));
    let pool = Pool::open(driver, PoolConfig { max_open: 4, ..PoolConfig::default() }).await?;
    let mut connection = pool.acquire().await?;
    connection.execute_batch("create table fruit (name text)").await?;
    connection.execute("insert into fruit values (?1)", ["fig"]).await?;
    drop(connection); // back to the pool
    println!("{}", pool.close(Duration::from_secs(5)).await);
    Ok(())
}
