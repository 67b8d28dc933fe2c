//! The README's example of MySQL and MariaDB, on the database that `DATABASE_URL` names. It leaves
//! nothing behind.

use pool_core::{Pool, PoolConfig, Preset};
use pool_mysql::MysqlDriver;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let driver = MysqlDriver::from_url(&std::env::var("DATABASE_URL")?)?;
    let pool = Pool::open(driver, PoolConfig::preset(Preset::Production)).await?;
    let mut connection = pool.acquire().await?;
    connection.query_drop("create temporary table sales (fruit varchar(20), sold int)").await?;

    let mut transaction = connection.transaction().await?; // rolled back if it is dropped
    transaction.exec_drop("insert into sales values (?, ?), (?, ?)", ("fig", 3, "fig", 4)).await?;
    transaction.commit().await?;

    let sum = "select cast(sum(sold) as signed) from sales where fruit = ?";
    let sold: Option<i64> = connection.exec_first(sum, ("fig",)).await?;
    println!("figs sold: {}", sold.unwrap_or(0));
    Ok(())
}
