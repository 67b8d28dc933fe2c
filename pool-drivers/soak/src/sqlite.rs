//! A SQLite file that another process locks now and then, and others that are removed while in use.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use pool_sqlite::rusqlite::{Connection, TransactionBehavior};
use pool_sqlite::{Hygiene, SqliteConnection, SqliteDriver, SqliteError, SqliteOptions};
use tempfile::TempDir;

use crate::place::{Pause, Place};
use crate::subject::{ACCOUNTS, AMOUNT, Answer, Subject};

/// A folder with the database of the bank and whatever else is made and removed.
#[derive(Debug)]
pub(crate) struct SqlitePlace {
    folder: TempDir,
}

impl SqlitePlace {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { folder: TempDir::new()? })
    }

    fn bank(&self) -> PathBuf {
        self.folder.path().join("bank.db")
    }

    /// One that may be removed at any time.
    fn other(&self, random: &mut Rng) -> PathBuf {
        self.folder.path().join(format!("other-{}.db", random.u8(..3)))
    }
}

impl Place for SqlitePlace {
    type Driver = SqliteDriver;

    fn name(&self) -> String {
        "sqlite".to_owned()
    }

    fn driver(&self) -> Result<SqliteDriver> {
        Ok(SqliteDriver::new(SqliteOptions::file(self.bank())))
    }

    fn other_driver(&self, random: &mut Rng) -> Result<SqliteDriver> {
        let options = match random.u8(..8) {
            0 => SqliteOptions::file(self.folder.path().join("no/where.db")),
            1 => SqliteOptions::shared_memory("other"),
            2..4 => SqliteOptions::file(self.bank()),
            _ => SqliteOptions::file(self.other(random)),
        };
        let hygiene = if random.bool() { Hygiene::Rollback } else { Hygiene::Reopen };
        Ok(SqliteDriver::new(SqliteOptions { hygiene, ..options }))
    }

    fn befall(&self, random: &mut Rng, pause: &Pause<'_>) -> Result<()> {
        if random.bool() {
            let millis = random.u64(10..2_500);
            let mut other = Command::new(std::env::current_exe()?)
                .arg("hold-lock")
                .arg(self.bank())
                .arg(millis.to_string())
                .spawn()
                .context("another process")?;
            if random.bool() {
                pause.sleep_up_to(Duration::from_millis(millis), random);
                other.kill()?;
                other.wait()?;
            } else {
                ensure!(other.wait()?.success(), "the other process got no lock");
            }
            return Ok(());
        }
        let other = self.other(random);
        for end in ["", "-wal", "-shm"] {
            let mut path = other.clone().into_os_string();
            path.push(end);
            // It may not be there.
            let _removed = fs::remove_file(&path);
        }
        if random.bool() {
            // Another file in its place.
            let _in_place = symlink(self.folder.path().join("another.db"), &other);
        }
        Ok(())
    }

    /// The files of the folder that are open: SQLite has no sessions.
    fn sessions(&self) -> Result<Vec<String>> {
        let entries = fs::read_dir("/proc/self/fd")?;
        let open = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        let ours = open.filter(|path| path.starts_with(self.folder.path()));
        Ok(ours.map(|path| path.display().to_string()).collect())
    }

    fn has_a_server(&self) -> bool {
        false
    }

    /// With a write-ahead log a connection locks its file for as long as it is open, and a process
    /// that closes any descriptor of a file loses all its locks on it. So SQLite keeps those of
    /// connections that were closed, for the next ones: as many as were open at once.
    fn kept_descriptors(&self) -> usize {
        64
    }
}

/// What the other process does: it has the database to itself for a while.
pub(crate) fn hold_lock(file: &Path, time: Duration) -> Result<()> {
    let mut database = Connection::open(file)?;
    database.busy_timeout(Duration::from_secs(20))?;
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    thread::sleep(time);
    Ok(transaction.rollback()?)
}

impl Subject for SqliteDriver {
    async fn prepare(connection: &mut SqliteConnection) -> Result<(), SqliteError> {
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS account (id integer PRIMARY KEY, amount integer NOT NULL);
             WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n LIMIT {ACCOUNTS})
             INSERT OR IGNORE INTO account SELECT n, {AMOUNT} FROM n"
        );
        connection.execute_batch(&sql).await
    }

    async fn ask(connection: &mut SqliteConnection, number: i64) -> Result<Answer, SqliteError> {
        let ask = move |sqlite: &mut Connection| {
            let is_clean = sqlite.is_autocommit();
            let mut statement =
                sqlite.prepare_cached("SELECT ?1 FROM (SELECT count(*) FROM sqlite_schema)")?;
            statement.query_row([number], |row| Ok(Answer { number: row.get(0)?, is_clean }))
        };
        connection.call(ask).await
    }

    async fn transfer(
        connection: &mut SqliteConnection,
        from: i64,
        to: i64,
    ) -> Result<(), SqliteError> {
        let transfer = move |sqlite: &mut Connection| {
            let transaction = sqlite.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (amount, account) in [(-1, from), (1, to)] {
                transaction
                    .prepare_cached("UPDATE account SET amount = amount + ?1 WHERE id = ?2")?
                    .execute([amount, account])?;
            }
            transaction.commit()
        };
        connection.call(transfer).await
    }

    async fn leave_open(
        connection: &mut SqliteConnection,
        account: i64,
    ) -> Result<(), SqliteError> {
        connection.execute_batch("BEGIN IMMEDIATE").await?;
        let sql = "UPDATE account SET amount = amount - 1 WHERE id = ?1";
        connection.execute(sql, [account]).await.map(drop)
    }

    async fn soil(connection: &mut SqliteConnection) -> Result<(), SqliteError> {
        let sql = "PRAGMA cache_spill = 0; CREATE TEMPORARY TABLE IF NOT EXISTS soil (x)";
        connection.execute_batch(sql).await
    }

    /// Until it is given up.
    async fn read_half(connection: &mut SqliteConnection) -> Result<(), SqliteError> {
        let sql = "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n LIMIT 20000) \
                   SELECT hex(zeroblob(500)) FROM n";
        connection.query(sql, (), |row| row.get::<_, String>(0)).await.map(drop)
    }

    async fn dawdle(connection: &mut SqliteConnection) -> Result<(), SqliteError> {
        let sql = "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n LIMIT 300000) \
                   SELECT count(*) FROM n";
        connection.query_row(sql, (), |_| Ok(())).await
    }

    async fn err(connection: &mut SqliteConnection) -> Result<(), SqliteError> {
        connection.execute_batch("SELEKT").await
    }

    async fn total(connection: &mut SqliteConnection) -> Result<i64, SqliteError> {
        connection.query_row("SELECT sum(amount) FROM account", (), |row| row.get(0)).await
    }
}
