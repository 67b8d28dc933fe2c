//! The README's example of PostgreSQL, on the database that `DATABASE_URL` names. It leaves nothing behind.

use pool_core::{Pool, PoolConfig, Preset};
use pool_postgres::PostgresDriver;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let driver = PostgresDriver::from_url(&std::env::var("DATABASE_URL")?)?;
    let pool = Pool::open(driver, PoolConfig::preset(Preset::Production)).await?;
    let mut connection = pool.acquire().await?;
    connection.batch_execute("create temporary table fruit (name text, stock int)").await?;
    connection.execute("insert into fruit values ($1, $2)", &[&"fig", &5_i32]).await?;

    let transaction = connection.transaction().await?; // rolled back if it is dropped
    transaction.execute("update fruit set stock = stock - 3 where name = $1", &[&"fig"]).await?;
    transaction.commit().await?;

    let fig = connection.query_one("select stock from fruit where name = $1", &[&"fig"]).await?;
    println!("figs in stock: {}", fig.get::<_, i32>("stock"));
    Ok(())
}
