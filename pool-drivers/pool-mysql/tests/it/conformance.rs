//! The conformance suite.

use std::net::TcpListener;

use pool_mysql::{MysqlConnection, MysqlDriver, MysqlError, MysqlOptions};
use pool_testkit::conformance::{Failing, Fixture, Supported, Unsupported};

use crate::rig::{CANARY, Schema, kill, refusing_server, silent_server};

mod database {
    type Database = super::Mysql;
    pool_testkit::conformance!(Database);
}

struct Mysql {
    schema: Schema,
    silent: (TcpListener, MysqlOptions),
}

impl Fixture for Mysql {
    type Driver = MysqlDriver;

    async fn start() -> Self {
        Self { schema: Schema::new().await, silent: silent_server() }
    }

    fn driver(&self) -> MysqlDriver {
        MysqlDriver::new(self.schema.options())
    }

    fn failing_driver(&self, how: Failing) -> Supported<MysqlDriver> {
        Ok(MysqlDriver::new(match how {
            Failing::Transiently => refusing_server(),
            Failing::Permanently => {
                MysqlOptions { database: Some("missing".into()), ..self.schema.options() }
            }
            Failing::Hanging => self.silent.1.clone(),
        }))
    }

    async fn use_once(connection: &mut MysqlConnection) -> Result<(), MysqlError> {
        let one: Vec<u32> = connection.exec("SELECT ?", (1,)).await?;
        assert_eq!(one, [1]);
        Ok(())
    }

    async fn fail_once(connection: &mut MysqlConnection) -> Supported<&'static str> {
        connection.query_drop("SELECT * FROM nowhere").await.expect_err("no such table");
        Ok("1146")
    }

    async fn begin(connection: &mut MysqlConnection) -> Supported<()> {
        connection.query_drop("START TRANSACTION").await.expect("begun");
        Ok(())
    }

    async fn is_clean(connection: &mut MysqlConnection) -> bool {
        connection.query_drop("DO 1").await.expect("answered");
        connection.in_transaction() == Some(false)
    }

    async fn write_uncommitted(connection: &mut MysqlConnection) -> Supported<()> {
        let sql = "START TRANSACTION; INSERT INTO notes VALUES ('never committed')";
        connection.query_drop(sql).await.expect("written");
        Ok(())
    }

    async fn sees_written(connection: &mut MysqlConnection) -> Supported<bool> {
        let sql = "SELECT count(*) FROM notes";
        let count: Option<u64> = connection.query_first(sql).await.expect("answered");
        Ok(count.expect("a row") > 0)
    }

    async fn run_long(connection: &mut MysqlConnection) -> Unsupported {
        let sql = "START TRANSACTION; INSERT INTO notes VALUES ('half'); SELECT SLEEP(3600)";
        connection.query_drop(sql).await.expect("takes an hour");
        unreachable!("no claim waits an hour")
    }

    async fn session(connection: &mut MysqlConnection) -> Supported<u64> {
        Ok(connection.server_id().into())
    }

    async fn sever(&self, connection: &mut MysqlConnection) -> Supported<()> {
        kill(connection.server_id()).await;
        Ok(())
    }

    async fn sessions(&self) -> Supported<usize> {
        Ok(self.schema.sessions().await.len())
    }

    fn secret(&self) -> Supported<&'static str> {
        Ok(CANARY)
    }
}
