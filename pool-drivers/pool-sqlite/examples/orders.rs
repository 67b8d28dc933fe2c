//! The README's example of several databases in one file.

use std::time::Duration;

use pool_core::{ConnectionManager, Drivers, ManagerOptions, NamedSources};
use pool_sqlite::SqliteDriver;

const FILE: &str = "
[pool]                                # goes for all of them
preset = 'production'
acquire_timeout = '2s'

[pools.orders]
url = 'sqlite:orders?mode=memory&pool_max_open=8'

[pools.cache]
url = 'sqlite::memory:'
";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manager = ConnectionManager::open(ManagerOptions {
        drivers: Drivers::default().register(SqliteDriver::SCHEMES, SqliteDriver::from_url),
        sources: NamedSources::default().toml("pools.toml", FILE).environment(std::env::vars_os()),
        ..ManagerOptions::default()
    })
    .await?;
    let orders = manager.pool::<SqliteDriver>("orders")?;
    orders.acquire().await?.execute_batch("create table orders (item text)").await?;

    // A changed file, while it runs: all of it or nothing.
    let changed = FILE.replace("pool_max_open=8", "pool_max_open=12");
    print!("{}", manager.reconfigure(manager.sources().toml("pools.toml", &changed))?);
    println!("{}", manager.close(Duration::from_secs(5)).await);
    Ok(())
}
