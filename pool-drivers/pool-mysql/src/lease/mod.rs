//! Where a fleet keeps its ledger: two tables, and a short transaction for each settlement.
//!
//! The tables are made in the connection's database, by whoever comes first. A settlement is two round
//! trips of several statements each: no lock outlives the transaction, and nothing is prepared.
//!
//! A member that stops in the middle would keep all others waiting, so the session is one that the server
//! ends after a second's silence, from when it has the lock until it has committed. Only MariaDB has a
//! limit to silence in transactions alone (`idle_transaction_timeout`); `wait_timeout` does it on all
//! servers, and is set back with the commit.
//!
//! What is read and written is in `settlement.rs`, and who has sessions in `shown.rs`.

mod settlement;
mod shown;

use std::any::type_name;
use std::sync::Arc;

use async_trait::async_trait;
use mysql_async::Row;
use mysql_async::prelude::FromValue;
use pool_core::{
    Decide, ErrorClass, FleetName, LEASE_PROTOCOL, LeaseError, LeaseStore, MemberId, Sessions,
};

use self::settlement::{Read, read, reading, written};
use crate::connection::MysqlConnection;
use crate::driver::MysqlDriver;
use crate::error::MysqlError;

const ARE_THERE: &str = "\
    SELECT COUNT(*) = 2 FROM information_schema.TABLES \
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ('pool_fleet', 'pool_fleet_member')";

/// Names are told apart by each letter, which most servers' own collation does not do. Times are UTC.
const TABLES: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS pool_fleet (\
        fleet VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, \
        protocol INT UNSIGNED NOT NULL, serial BIGINT UNSIGNED NOT NULL, \
        total BIGINT UNSIGNED, reserve BIGINT UNSIGNED) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS pool_fleet_member (\
        fleet VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
        member CHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
        joined BIGINT UNSIGNED NOT NULL, renewed_at DATETIME(6) NOT NULL, \
        lease_ms BIGINT UNSIGNED NOT NULL, granted BIGINT UNSIGNED NOT NULL, \
        held BIGINT UNSIGNED NOT NULL, demand BIGINT UNSIGNED NOT NULL, \
        least BIGINT UNSIGNED NOT NULL, most BIGINT UNSIGNED NOT NULL, \
        draining BOOLEAN NOT NULL, control_id BIGINT UNSIGNED, \
        control_user VARCHAR(255) CHARACTER SET utf8mb4, \
        control_host VARCHAR(300) CHARACTER SET utf8mb4, \
        PRIMARY KEY (fleet, member)) ENGINE=InnoDB",
];

/// For how many seconds a member may be silent in the middle.
const PATIENCE: u32 = 1;
/// For how many seconds it waits for the lock: for one that stopped, and a little more.
const LOCK_WAIT: u32 = 2;

/// `ER_NO_DB_ERROR`.
const NO_DATABASE: u16 = 1046;
/// `ER_DBACCESS_DENIED_ERROR`, `ER_TABLEACCESS_DENIED_ERROR`, `ER_COLUMNACCESS_DENIED_ERROR`,
/// `ER_SPECIFIC_ACCESS_DENIED_ERROR`.
const NO_RIGHT: [u16; 4] = [1044, 1142, 1143, 1227];
/// Beside those of a server that changed its role: `ER_OPEN_AS_READONLY`,
/// `ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION`, `ER_INNODB_READ_ONLY`, `ER_SCHEMA_READ_ONLY_ERROR`.
const READ_ONLY: [u16; 4] = [1036, 1792, 1874, 3989];

#[async_trait]
impl LeaseStore<MysqlConnection> for MysqlDriver {
    async fn prepare(
        &self,
        connection: &mut MysqlConnection,
        fleet: &FleetName,
    ) -> Result<(), LeaseError> {
        let (answers, limited) = connection.ask_each(&limits()).await;
        limited.map_err(trouble)?;
        let before = as_before(&answers).map_err(trouble)?;
        create(connection, fleet).await?;
        connection.ask::<Row>(&before).await.map(drop).map_err(trouble)
    }

    async fn settle(
        &self,
        connection: &mut MysqlConnection,
        fleet: &FleetName,
        member: MemberId,
        decide: &mut Decide<'_>,
    ) -> Result<(), LeaseError> {
        let (answers, asked) = connection.ask_each(&reading(fleet)).await;
        let Read { ledger, control, before } = read(connection, fleet, member, &answers, asked)?;
        let mut write = written(fleet, member, &ledger, control.as_ref(), decide(&ledger));
        let commit = write.len();
        // Not before: whoever stops after a refusal has the lock still.
        write.extend(["COMMIT".to_owned(), before]);
        let (answers, written) = connection.ask_each(&write).await;
        written.map_err(|error| {
            // Statements end at the first that fails.
            let is_reached = answers.len() >= commit;
            let is_refused = error.code().is_some() && (!is_reached || is_rolled_back(&error));
            if is_refused { trouble(error) } else { LeaseError::OutcomeUnknown(Arc::new(error)) }
        })
    }

    /// By tags alone: where no ledger is kept, nobody has said which is a control session.
    async fn sessions(
        &self,
        connection: &mut MysqlConnection,
        fleet: &FleetName,
    ) -> Result<Sessions, LeaseError> {
        shown::without_ledger(connection, fleet).await.map_err(trouble)
    }
}

/// Asks for the session's limits, and has it wait no longer for locks than we do. In one on tables, as
/// backups take them, the server would go on waiting for each client that gave up, for a day or a year.
fn limits() -> [String; 2] {
    [
        "SELECT @@SESSION.wait_timeout, @@SESSION.lock_wait_timeout, \
             @@SESSION.innodb_lock_wait_timeout"
            .to_owned(),
        format!(
            "SET SESSION lock_wait_timeout = {LOCK_WAIT}, \
                 SESSION innodb_lock_wait_timeout = {LOCK_WAIT}"
        ),
    ]
}

/// A statement that sets the limits that were asked for back to what they were.
fn as_before(limits: &[Vec<Row>]) -> Result<String, MysqlError> {
    let row = only(limits.first().map_or(&[], Vec::as_slice), "its limits")?;
    let [silence, tables, rows] = [column::<u64>(row, 0)?, column(row, 1)?, column(row, 2)?];
    Ok(format!(
        "SET SESSION wait_timeout = {silence}, SESSION lock_wait_timeout = {tables}, \
             SESSION innodb_lock_wait_timeout = {rows}"
    ))
}

async fn create(connection: &mut MysqlConnection, fleet: &FleetName) -> Result<(), LeaseError> {
    let are_there: Vec<bool> = connection.ask(ARE_THERE).await.map_err(trouble)?;
    if are_there != [true] {
        // Whoever is second waits for the first, and finds them.
        connection.ask::<Row>(&TABLES.join("; ")).await.map_err(trouble)?;
    }
    let protocol = format!("SELECT protocol FROM pool_fleet WHERE fleet = '{fleet}'");
    let found: Vec<u32> = connection.ask(&protocol).await.map_err(trouble)?;
    if let Some(found) = found.first() {
        return LeaseError::check_protocol(*found);
    }
    let insert = format!(
        "INSERT INTO pool_fleet SET fleet = '{fleet}', protocol = {LEASE_PROTOCOL}, serial = 0 \
             ON DUPLICATE KEY UPDATE fleet = fleet; \
         COMMIT"
    );
    connection.ask::<Row>(&insert).await.map(drop).map_err(trouble)
}

fn only<'a>(rows: &'a [Row], what: &'static str) -> Result<&'a Row, MysqlError> {
    rows.first().ok_or(MysqlError::Unexpected(what))
}

fn column<T: FromValue>(row: &Row, index: usize) -> Result<T, MysqlError> {
    let value = row.get_opt(index).and_then(Result::ok);
    value.ok_or(MysqlError::Row { wanted: type_name::<T>(), columns: row.len() })
}

/// Whether that, said of a commit, means that there was none: a conflict within a cluster, or a server that
/// takes no writes any more.
fn is_rolled_back(error: &MysqlError) -> bool {
    error.sql_state().is_some_and(|state| state.starts_with("40")) || is_read_only(error)
}

fn is_read_only(error: &MysqlError) -> bool {
    error.class() == ErrorClass::RoleChanged
        || error.code().is_some_and(|code| READ_ONLY.contains(&code))
}

fn trouble(error: MysqlError) -> LeaseError {
    let code = error.code();
    if is_read_only(&error) {
        LeaseError::ReadOnly(Arc::new(error))
    } else if code.is_some_and(|code| NO_RIGHT.contains(&code)) {
        LeaseError::NoRight(Arc::new(error))
    } else if code == Some(NO_DATABASE) {
        LeaseError::Other(Arc::new(MysqlError::NoDatabase))
    } else {
        LeaseError::Other(Arc::new(error))
    }
}
