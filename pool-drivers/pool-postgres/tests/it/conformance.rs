//! The conformance suite on a database of the test server.

use std::net::TcpListener;

use pool_postgres::{Host, PostgresConnection, PostgresDriver, PostgresError, PostgresOptions};
use pool_testkit::conformance::{Failing, Fixture, Supported, Unsupported};
use pool_testkit::servers::Product;

use crate::rig::{CANARY, Database, access, connect, in_transaction, pid, terminate};

pool_testkit::conformance!(Postgres);

struct Postgres {
    database: Database,
    /// Takes connections and never answers.
    silent: TcpListener,
}

impl Postgres {
    /// The same options, but to another port of this machine.
    fn elsewhere(&self, port: u16) -> PostgresOptions {
        PostgresOptions { hosts: vec![Host::tcp("127.0.0.1", port)], ..self.database.options() }
    }
}

/// What a pooler between the driver and the server hides.
fn of_a_session<T>(value: T) -> Supported<T> {
    match access().product {
        Product::PgBouncer => Err(Unsupported("a pooler's client has no session of its own")),
        _ => Ok(value),
    }
}

impl Fixture for Postgres {
    type Driver = PostgresDriver;

    async fn start() -> Self {
        let database = Database::create().await;
        let connection = connect(database.options()).await;
        connection.batch_execute("CREATE TABLE notes (text TEXT)").await.expect("created");
        // Its session is to be gone before sessions are counted.
        drop(connection);
        if of_a_session(()).is_ok() {
            database.is_left().await;
        }
        let silent = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
        Self { database, silent }
    }

    fn driver(&self) -> PostgresDriver {
        PostgresDriver::new(self.database.options())
    }

    fn failing_driver(&self, how: Failing) -> Supported<PostgresDriver> {
        Ok(PostgresDriver::new(match how {
            Failing::Transiently => {
                let closed = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
                self.elsewhere(closed.local_addr().expect("bound").port())
            }
            // SQLSTATE 08P01, "protocol violation", also for an unknown database.
            Failing::Permanently if access().product == Product::PgBouncer => {
                return Err(Unsupported("this PgBouncer has one code for all that it refuses"));
            }
            Failing::Permanently => PostgresOptions {
                database: Some("no_such_database".to_owned()),
                ..self.database.options()
            },
            Failing::Hanging => self.elsewhere(self.silent.local_addr().expect("bound").port()),
        }))
    }

    async fn use_once(connection: &mut PostgresConnection) -> Result<(), PostgresError> {
        let row = connection.query_one("SELECT 1", &[]).await?;
        assert_eq!(row.get::<_, i32>(0), 1);
        Ok(())
    }

    async fn fail_once(connection: &mut PostgresConnection) -> Supported<&'static str> {
        connection.query("SELECT * FROM nowhere", &[]).await.expect_err("no such table");
        Ok("42P01")
    }

    async fn begin(connection: &mut PostgresConnection) -> Supported<()> {
        connection.batch_execute("BEGIN").await.expect("begun");
        Ok(())
    }

    async fn is_clean(connection: &mut PostgresConnection) -> bool {
        !in_transaction(connection).await
    }

    async fn write_uncommitted(connection: &mut PostgresConnection) -> Supported<()> {
        let sql = "BEGIN; INSERT INTO notes VALUES ('never committed')";
        connection.batch_execute(sql).await.expect("written");
        Ok(())
    }

    async fn sees_written(connection: &mut PostgresConnection) -> Supported<bool> {
        let row = connection.query_one("SELECT count(*) FROM notes", &[]).await;
        Ok(row.expect("answered").get::<_, i64>(0) > 0)
    }

    async fn run_long(connection: &mut PostgresConnection) -> Unsupported {
        let sql = "BEGIN; INSERT INTO notes VALUES ('half'); SELECT pg_sleep(3600)";
        connection.batch_execute(sql).await.expect("takes an hour");
        unreachable!("it takes an hour")
    }

    async fn session(connection: &mut PostgresConnection) -> Supported<u64> {
        of_a_session(u64::try_from(pid(connection).await).expect("not negative"))
    }

    async fn sever(&self, connection: &mut PostgresConnection) -> Supported<()> {
        of_a_session(())?;
        terminate(pid(connection).await).await;
        Ok(())
    }

    async fn sessions(&self) -> Supported<usize> {
        of_a_session(())?;
        Ok(self.database.sessions().await)
    }

    fn secret(&self) -> Supported<&'static str> {
        Ok(CANARY)
    }
}
