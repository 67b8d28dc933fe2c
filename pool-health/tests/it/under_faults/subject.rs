//! What is particular to a database: how rows are written, how it follows another.

use std::future::Future;

use pool_core::{Driver, ErrorClass};
use pool_mysql::MysqlDriver;
use pool_postgres::PostgresDriver;
use pool_sqlite::rusqlite::ErrorCode;
use pool_sqlite::{SqliteDriver, SqliteError};
use pool_testkit::servers::{Access, Family};

use super::{befall, until};

/// A database to which requests write a row each.
pub(super) trait Subject: Driver {
    fn over(url: &str) -> Self;

    fn write(
        connection: &mut Self::Connection,
        number: i64,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Whether the database has said that nothing is written, and why.
    fn has_rejected(&self, error: &Self::Error) -> bool {
        self.classify(error) == ErrorClass::RoleChanged
    }
}

/// One that is a server's.
pub(super) trait Served: Subject {
    const FAMILY: Family;
    const SCHEMES: &'static [&'static str];

    /// Holds still what a standby applies, or has it go on.
    const PAUSE: &'static str;
    const RESUME: &'static str;

    fn count(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<i64, Self::Error>> + Send;

    /// Has a primary acknowledge only what its standby has, too.
    fn replicate_first(primary: &Access, standby: &Access) -> impl Future<Output = ()> + Send;

    /// Waits until a standby whose primary is gone has applied all that it was sent.
    fn catch_up(standby: &Access) -> impl Future<Output = ()> + Send;

    fn change_password(user: &str, password: &str) -> String;
}

const INSERT: &str = "INSERT INTO ledger VALUES ";
const COUNT: &str = "SELECT count(*) FROM ledger";

impl Subject for PostgresDriver {
    fn over(url: &str) -> Self {
        Self::from_url(url).expect("the kit's URLs are right")
    }

    async fn write(connection: &mut Self::Connection, number: i64) -> Result<(), Self::Error> {
        connection.execute(&format!("{INSERT}($1)"), &[&number]).await.map(drop)
    }
}

impl Served for PostgresDriver {
    const FAMILY: Family = Family::Postgres;
    const SCHEMES: &'static [&'static str] = Self::SCHEMES;
    const PAUSE: &'static str = "SELECT pg_wal_replay_pause();";
    const RESUME: &'static str = "SELECT pg_wal_replay_resume();";

    async fn count(connection: &mut Self::Connection) -> Result<i64, Self::Error> {
        Ok(connection.query_one(COUNT, &[]).await?.get(0))
    }

    async fn replicate_first(primary: &Access, _standby: &Access) {
        let on = "ALTER SYSTEM SET synchronous_standby_names = '*'; ";
        run(primary, on);
        run(primary, "SELECT pg_reload_conf();");
        let is_so = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync';";
        until(|| run(primary, is_so) == "1").await;
    }

    /// Promoted, it does that first.
    async fn catch_up(_standby: &Access) {}

    fn change_password(user: &str, password: &str) -> String {
        format!("ALTER ROLE {user} PASSWORD '{password}';")
    }
}

impl Subject for MysqlDriver {
    fn over(url: &str) -> Self {
        Self::from_url(url).expect("the kit's URLs are right")
    }

    async fn write(connection: &mut Self::Connection, number: i64) -> Result<(), Self::Error> {
        connection.exec_drop(&format!("{INSERT}(?)"), (number,)).await.map(drop)
    }
}

/// That of MariaDB.
impl Served for MysqlDriver {
    const FAMILY: Family = Family::MySql;
    const SCHEMES: &'static [&'static str] = Self::SCHEMES;
    const PAUSE: &'static str = "STOP SLAVE SQL_THREAD;";
    const RESUME: &'static str = "START SLAVE SQL_THREAD;";

    async fn count(connection: &mut Self::Connection) -> Result<i64, Self::Error> {
        Ok(connection.query_first(COUNT).await?.expect("a row"))
    }

    async fn replicate_first(primary: &Access, standby: &Access) {
        run(primary, "SET GLOBAL rpl_semi_sync_master_enabled = ON;");
        let follow = "SET GLOBAL rpl_semi_sync_slave_enabled = ON; \
                      STOP SLAVE IO_THREAD; START SLAVE IO_THREAD;";
        run(standby, follow);
        let is_so = "SHOW STATUS LIKE 'Rpl_semi_sync_master_clients';";
        until(|| run(primary, is_so).ends_with("\t1")).await;
    }

    async fn catch_up(standby: &Access) {
        let idle = "SELECT count(*) FROM information_schema.processlist \
                    WHERE state LIKE 'Slave has read all relay log%';";
        until(|| run(standby, idle) == "1").await;
    }

    fn change_password(user: &str, password: &str) -> String {
        format!("ALTER USER {user}@'%' IDENTIFIED BY '{password}';")
    }
}

impl Subject for SqliteDriver {
    fn over(url: &str) -> Self {
        Self::from_url(url).expect("the URL is right")
    }

    async fn write(connection: &mut Self::Connection, number: i64) -> Result<(), Self::Error> {
        connection.execute(&format!("{INSERT}(?1)"), [number]).await.map(drop)
    }

    fn has_rejected(&self, error: &SqliteError) -> bool {
        error.code() == Some(ErrorCode::DiskFull)
    }
}

/// Runs statements in a server's first database.
pub(super) fn run(access: &Access, statements: &str) -> String {
    befall(|| access.run(&access.first_database, statements))
}
