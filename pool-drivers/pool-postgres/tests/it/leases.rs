//! The ledger of a fleet, on a database of the test server.

use pool_postgres::{PostgresDriver, PostgresOptions};
use pool_testkit::conformance::{Supported, Unsupported};
use pool_testkit::leases::LeaseFixture;
use pool_testkit::servers::Product;

use crate::rig::{CANARY, Database, access, connect, within};

pool_testkit::leases!(Postgres);

struct Postgres {
    database: Database,
}

impl LeaseFixture for Postgres {
    type Driver = PostgresDriver;

    async fn start() -> Self {
        Self { database: Database::create().await }
    }

    fn driver(&self, tag: &str) -> PostgresDriver {
        let application_name = tag.to_owned();
        PostgresDriver::new(PostgresOptions { application_name, ..self.database.options() })
    }

    async fn driver_without_rights(&self) -> Supported<PostgresDriver> {
        if access().product == Product::PgBouncer {
            return Err(Unsupported("the pooler knows no other account"));
        }
        let user = format!("{}_poor", self.database.name());
        // Before release 15 everybody may create in `public`.
        self.run(&format!(
            "CREATE ROLE {user} LOGIN PASSWORD '{CANARY}'; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        ))
        .await;
        let user = Some(user);
        Ok(PostgresDriver::new(PostgresOptions { user, ..self.database.options() }))
    }

    fn read_only_driver(&self) -> Supported<PostgresDriver> {
        if access().product == Product::PgBouncer {
            return Err(Unsupported("the pooler passes no session parameters on"));
        }
        let options = Some("-c default_transaction_read_only=on".to_owned());
        Ok(PostgresDriver::new(PostgresOptions { options, ..self.database.options() }))
    }

    fn shows_sessions(&self) -> Supported<()> {
        match access().product {
            Product::PgBouncer => Err(Unsupported("the server sees the pooler's sessions")),
            _ => Ok(()),
        }
    }

    async fn run(&self, sql: &str) {
        let connection = connect(self.database.options()).await;
        within(connection.batch_execute(sql)).await.expect("done");
    }
}
