//! What users ask of MySQL while something befalls it, and the pool that they work on.

use std::time::Duration;

use pool_core::{Pool, PoolConfig};
use pool_mysql::{MysqlConnection, MysqlDriver, MysqlError, MysqlOptions};
use pool_testkit::servers::{self, Load, Question};

use crate::rig::Schema;

/// The deadline of every acquire under load.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);

/// Of a small pool.
pub(crate) const CONNECTIONS: usize = 4;

/// More than a pool has connections.
const USERS: usize = 16;

/// A pool of few connections, which goes on trying while its server is away.
pub(crate) fn small_pool(options: MysqlOptions) -> Pool<MysqlDriver> {
    let config = PoolConfig {
        max_open: CONNECTIONS,
        acquire_timeout: DEADLINE,
        connect_timeout: DEADLINE,
        check_timeout: DEADLINE / 4,
        outage_grace: None,
        ..PoolConfig::default()
    };
    Pool::new(MysqlDriver::new(options), config).expect("valid")
}

/// An echo.
struct Echo;

impl Question for Echo {
    type Driver = MysqlDriver;

    async fn ask(connection: &mut MysqlConnection, number: i64) -> Result<i64, MysqlError> {
        let answer = connection.exec_first("SELECT ?", (number,)).await?;
        Ok(answer.expect("a row"))
    }

    async fn session(connection: &mut MysqlConnection) -> u64 {
        connection.server_id().into()
    }
}

/// Users who are at work.
pub(crate) async fn load_on(pool: &Pool<MysqlDriver>) -> Load {
    Load::start::<Echo>(pool, USERS).await
}

/// All of a pool's connections work, and the server knows of no others in the schema.
pub(crate) async fn expect_whole(pool: &Pool<MysqlDriver>, schema: &Schema) {
    let known = async || schema.sessions().await.into_iter().map(u64::from).collect();
    servers::expect_whole::<Echo>(pool, known).await;
}
