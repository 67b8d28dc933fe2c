//! What a database's files are like: how large its log is, and whether the database is sound.

use std::path::Path;

use async_trait::async_trait;
use pool_core::{Storage, StorageQuery};
use rusqlite::Connection;

use crate::connection::SqliteConnection;
use crate::driver::SqliteDriver;
use crate::error::SqliteError;
use crate::file;
use crate::options::Source;

/// More do not tell more: the file is to be restored.
const MOST_FINDINGS: usize = 20;

#[async_trait]
impl StorageQuery<SqliteConnection, SqliteError> for SqliteDriver {
    /// The file of the write-ahead log, which keeps the size it once had until a checkpoint truncates
    /// it.
    async fn storage(&self, connection: &mut SqliteConnection) -> Result<Storage, SqliteError> {
        let Source::File(path) = self.options().source.clone() else { return Ok(Storage::new(0)) };
        connection.run(move || wal_bytes(&path)).await?.map(Storage::new)
    }

    /// `PRAGMA quick_check`: reads the whole file, as a single read. With a write-ahead log nobody waits
    /// for it, but no checkpoint gets past it while it runs; with another journal, writers wait for it as
    /// for any read. At most 20 findings.
    async fn verify(&self, connection: &mut SqliteConnection) -> Result<Vec<String>, SqliteError> {
        connection.ask(|sqlite| Ok(quick_check(sqlite))).await?
    }
}

fn wal_bytes(database: &Path) -> Result<u64, SqliteError> {
    file::wal_bytes(database)
        .map_err(|source| SqliteError::Log { database: database.display().to_string(), source })
}

fn quick_check(sqlite: &Connection) -> Result<Vec<String>, SqliteError> {
    let mut findings = Vec::new();
    match check(sqlite, &mut findings).map_err(SqliteError::Sqlite) {
        // Too broken to be read to the end.
        Err(error) if error.is_corrupt() => findings.push(error.to_string()),
        result => result?,
    }
    findings.truncate(MOST_FINDINGS);
    Ok(findings)
}

fn check(sqlite: &Connection, findings: &mut Vec<String>) -> rusqlite::Result<()> {
    // What this connection has read before is in its memory, whatever has become of the file.
    sqlite.execute_batch("PRAGMA shrink_memory")?;
    let mut statement = sqlite.prepare(&format!("PRAGMA quick_check({MOST_FINDINGS})"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        let is_finding = |line: &&str| *line != "ok" && !line.starts_with("*** in database");
        findings.extend(text.lines().filter(is_finding).map(str::to_owned));
    }
    Ok(())
}
