//! The conformance suite on deadpool-postgres's manager, against a real server.

use std::net::TcpListener;

use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod};
use pool_core::{ErrorClass, Metadata};
use pool_deadpool::{DeadpoolConnection, DeadpoolDriver, DeadpoolError};
use pool_testkit::conformance::{Failing, Fixture, Supported, Unsupported};
use pool_testkit::servers::Access;
use tokio_postgres::{Client, Config, NoTls};

use crate::rig::{CANARY, TOLD_BY_USERS, postgres, refusing_port, silent_server, unique_name};

type Database = Postgres;
pool_testkit::conformance!(Database);

/// A database and a role of its own.
pub(crate) struct Postgres {
    name: String,
    silent: (TcpListener, u16),
}

type Connection = DeadpoolConnection<Manager>;

/// A connection past the driver, as a superuser.
async fn admin() -> Client {
    let url = postgres().url(&postgres().first_database);
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("opened");
    tokio::spawn(connection);
    client
}

impl Postgres {
    pub(crate) fn config(&self) -> Config {
        let Access { host, port, .. } = postgres();
        let mut config = Config::new();
        config.host(host).port(*port).user(&self.name).dbname(&self.name).password(CANARY);
        config
    }
}

pub(crate) fn driver(config: Config) -> DeadpoolDriver<Manager> {
    // None of the others ends a transaction.
    let recycling_method = RecyclingMethod::Custom("ROLLBACK".to_owned());
    let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method });
    let mut metadata = Metadata::new("postgresql");
    metadata.server_address = Some("127.0.0.1".to_owned());
    DeadpoolDriver::new(manager, metadata).with_classes(|error: &tokio_postgres::Error| {
        // Wrong password, unknown database.
        let lasting = |state: &str| state.starts_with("28") || state == "3D000";
        if error.code().is_some_and(|code| lasting(code.code())) {
            ErrorClass::Permanent
        } else {
            ErrorClass::Transient
        }
    })
}

impl Drop for Postgres {
    /// On a thread of its own: a test's runtime may be the one that drops it.
    fn drop(&mut self) {
        let name = self.name.clone();
        let clean_up = async move {
            let sql = [format!("DROP DATABASE {name} WITH (FORCE)"), format!("DROP ROLE {name}")];
            let admin = admin().await;
            for sql in sql {
                let _ = admin.batch_execute(&sql).await;
            }
        };
        let thread = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(clean_up);
        });
        // A test that failed already says more than its cleaning up.
        let _ = thread.join();
    }
}

impl Fixture for Postgres {
    type Driver = DeadpoolDriver<Manager>;

    async fn start() -> Self {
        let fixture = Self { name: unique_name(), silent: silent_server() };
        let (admin, name) = (admin().await, &fixture.name);
        for sql in [
            format!("CREATE ROLE {name} LOGIN PASSWORD '{CANARY}'"),
            format!("CREATE DATABASE {name} OWNER {name}"),
        ] {
            admin.batch_execute(&sql).await.expect("set up");
        }
        let (owner, connection) = fixture.config().connect(NoTls).await.expect("opened");
        tokio::spawn(connection);
        owner.batch_execute("CREATE TABLE notes (text TEXT)").await.expect("created");
        drop(owner);
        // The server ends a session in its own time.
        while fixture.sessions().await.expect("listed") > 0 {
            tokio::task::yield_now().await;
        }
        fixture
    }

    fn driver(&self) -> Self::Driver {
        driver(Self::config(self))
    }

    fn failing_driver(&self, how: Failing) -> Supported<Self::Driver> {
        let local = |port| {
            let mut config = Config::new();
            config.host("127.0.0.1").port(port).user(&self.name).password(CANARY);
            config
        };
        Ok(driver(match how {
            Failing::Transiently => local(refusing_port()),
            Failing::Permanently => {
                let mut config = Self::config(self);
                config.dbname("missing");
                config
            }
            Failing::Hanging => local(self.silent.1),
        }))
    }

    async fn use_once(
        connection: &mut Connection,
    ) -> Result<(), DeadpoolError<tokio_postgres::Error>> {
        connection.simple_query("SELECT 1").await.map(drop).map_err(DeadpoolError::Recycle)
    }

    fn tells_of_statements(&self) -> Supported<()> {
        Err(TOLD_BY_USERS)
    }

    async fn fail_once(_: &mut Connection) -> Supported<&'static str> {
        Err(TOLD_BY_USERS)
    }

    async fn begin(connection: &mut Connection) -> Supported<()> {
        connection.batch_execute("BEGIN").await.expect("begun");
        Ok(())
    }

    async fn is_clean(connection: &mut Connection) -> bool {
        // Stands still within a transaction.
        let sql = "SELECT now()::text";
        let first = connection.query_one(sql, &[]).await.expect("answered");
        let second = connection.query_one(sql, &[]).await.expect("answered");
        first.get::<_, String>(0) != second.get::<_, String>(0)
    }

    async fn write_uncommitted(connection: &mut Connection) -> Supported<()> {
        let sql = "BEGIN; INSERT INTO notes VALUES ('never committed')";
        connection.batch_execute(sql).await.expect("written");
        Ok(())
    }

    async fn sees_written(connection: &mut Connection) -> Supported<bool> {
        let row = connection.query_one("SELECT count(*) FROM notes", &[]).await.expect("answered");
        Ok(row.get::<_, i64>(0) > 0)
    }

    async fn run_long(connection: &mut Connection) -> Unsupported {
        let sql = "BEGIN; INSERT INTO notes VALUES ('half'); SELECT pg_sleep(3600)";
        connection.call(async |client| client.batch_execute(sql).await).await.expect("an hour");
        unreachable!("no claim waits an hour")
    }

    async fn session(connection: &mut Connection) -> Supported<u64> {
        let row = connection.query_one("SELECT pg_backend_pid()", &[]).await.expect("answered");
        Ok(row.get::<_, i32>(0).unsigned_abs().into())
    }

    async fn sever(&self, connection: &mut Connection) -> Supported<()> {
        let session = Self::session(connection).await?;
        let sql = "SELECT pg_terminate_backend($1, 20000)";
        let ended = admin().await.query_one(sql, &[&(session as i32)]).await.expect("asked");
        assert!(ended.get::<_, bool>(0), "within 20 s");
        Ok(())
    }

    async fn sessions(&self) -> Supported<usize> {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
        let row = admin().await.query_one(sql, &[&self.name]).await.expect("listed");
        Ok(row.get::<_, i64>(0) as usize)
    }

    fn secret(&self) -> Supported<&'static str> {
        Ok(CANARY)
    }
}
