//! How one connection is opened and set up. It blocks, so it runs on the connection's thread.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};

use crate::board::Board;
use crate::busy;
use crate::error::{OpenFailure, SqliteError};
use crate::file;
use crate::lock_waits::LockWaitCounter;
use crate::options::{Access, JournalMode, Source, SqliteOptions};

/// Operations of SQLite's virtual machine between two looks at whether the job is cancelled.
///
/// SQLite counts them for each prepared statement. The shortest statements (`BEGIN`, `COMMIT`) take
/// 3, `SELECT 1` takes 5: with 3, each execution of any statement looks at least once, so a loop of
/// tiny statements stops too. Measured on 41 alternating rounds against no handler at all: a
/// recursive query that is nothing but machine operations takes 5 % longer (as with 8 or 32),
/// a scan 1-2 %, lookups by key 1 %.
const OPERATIONS_BETWEEN_LOOKS: i32 = 3;

/// Keeps a shared database in memory there while nobody is connected to it.
#[derive(Debug, Default)]
pub(crate) struct Anchor(Mutex<Option<Connection>>);

impl Anchor {
    fn hold(&self, uri: &str) -> rusqlite::Result<()> {
        let mut anchor = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if anchor.is_none() {
            *anchor = Some(Connection::open_with_flags(uri, memory_flags())?);
        }
        Ok(())
    }
}

/// What it takes to open a connection.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) options: Arc<SqliteOptions>,
    pub(crate) anchor: Arc<Anchor>,
    pub(crate) lock_waits: Arc<LockWaitCounter>,
}

impl Opening {
    pub(crate) fn new(mut options: SqliteOptions) -> Self {
        if let Source::File(path) = &mut options.source
            && let Ok(absolute) = std::path::absolute(&*path)
        {
            // A later change of the working directory must not lead to another file.
            *path = absolute;
        }
        let options = Arc::new(options);
        Self { options, anchor: Arc::default(), lock_waits: Arc::default() }
    }

    /// The database's path or name, for messages.
    pub(crate) fn database(&self) -> String {
        self.options.source.to_string()
    }

    /// Opens, waiting for locks as [`busy::prepare`] has said, once for all steps together, and
    /// stopping when the board says so.
    pub(crate) fn open(&self, board: &Arc<Board>) -> Result<Connection, SqliteError> {
        busy::as_one_wait(|| self.open_in_steps(board))
    }

    fn open_in_steps(&self, board: &Arc<Board>) -> Result<Connection, SqliteError> {
        let connection = self.connect().map_err(|source| self.failed(source))?;
        let failed = |error| self.failed(OpenFailure::Sqlite(error));
        watch(&connection, board).map_err(failed)?;
        busy::install(&connection).map_err(failed)?;
        self.set_up(&connection).map_err(failed)?;
        self.set_journal_mode(&connection)?;
        Ok(connection)
    }

    fn failed(&self, source: OpenFailure) -> SqliteError {
        SqliteError::Open { database: self.database(), source }
    }

    fn connect(&self) -> Result<Connection, OpenFailure> {
        self.options.validate().map_err(OpenFailure::Invalid)?;
        let access = self.options.access;
        match &self.options.source {
            Source::File(path) => {
                let path = literal(path);
                file::check(&path)?;
                let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | access_flags(access);
                Connection::open_with_flags(&path, flags)
                    .map_err(|error| file::explain(&path, access, error))
            }
            Source::PrivateMemory => {
                Connection::open_in_memory_with_flags(memory_flags()).map_err(OpenFailure::Sqlite)
            }
            Source::SharedMemory(name) => {
                let uri = memory_uri(name);
                self.anchor
                    .hold(&uri)
                    .and_then(|()| Connection::open_with_flags(&uri, memory_flags()))
                    .map_err(OpenFailure::Sqlite)
            }
        }
    }

    fn set_up(&self, connection: &Connection) -> rusqlite::Result<()> {
        let options = &*self.options;
        connection.set_prepared_statement_cache_capacity(options.statement_cache);
        // Says now, not at the first use, that the file is no database.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        connection.pragma_update(None, "foreign_keys", options.foreign_keys)?;
        // Negative means KiB, positive would mean pages.
        connection.pragma_update(None, "cache_size", -i64::from(options.cache_size_kib))?;
        if options.access == Access::ReadOnly {
            connection.pragma_update(None, "query_only", true)?;
        }
        Ok(())
    }

    fn set_journal_mode(&self, connection: &Connection) -> Result<(), SqliteError> {
        let failed = |error| self.failed(OpenFailure::Sqlite(error));
        let in_memory = !matches!(self.options.source, Source::File(_));
        if in_memory || connection.is_readonly("main").map_err(failed)? {
            return Ok(());
        }
        let wanted = self.options.journal_mode;
        // Where two connections change the mode at once, SQLite fails one of them without calling
        // its busy handler.
        let actual = busy::retry(|| set_journal_mode(connection, wanted)).map_err(failed)?;
        if !actual.eq_ignore_ascii_case(wanted.name()) {
            let (database, wanted) = (self.database(), wanted.name());
            return Err(SqliteError::JournalMode { database, wanted, actual });
        }
        let synchronous = self.options.synchronous.name();
        connection.pragma_update(None, "synchronous", synchronous).map_err(failed)
    }
}

/// Has every statement ask whether its job is cancelled.
fn watch(connection: &Connection, board: &Arc<Board>) -> rusqlite::Result<()> {
    let board = Arc::clone(board);
    connection.progress_handler(OPERATIONS_BETWEEN_LOOKS, Some(move || board.must_stop()))
}

fn set_journal_mode(connection: &Connection, mode: JournalMode) -> rusqlite::Result<String> {
    connection.pragma_update_and_check(None, "journal_mode", mode.name(), |row| row.get(0))
}

fn access_flags(access: Access) -> OpenFlags {
    match access {
        Access::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Access::ReadWrite => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Access::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
    }
}

fn memory_flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// The path as SQLite takes it for a file and nothing else: it gives a meaning to an empty name,
/// to `:memory:` and to `file:`.
fn literal(path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) }
}

/// The shared database of this name. A name may hold anything but a NUL: what is not plain is escaped,
/// also a slash, because two of them would begin a host.
fn memory_uri(name: &str) -> String {
    let escaped = name.bytes().map(|byte| {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    });
    format!("file:/{}?vfs=memdb", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_memory_may_hold_anything() {
        assert_eq!(memory_uri("orders"), "file:/orders?vfs=memdb");
        assert_eq!(memory_uri("a b?c#d%e&f/ü"), "file:/a%20b%3Fc%23d%25e%26f%2F%C3%BC?vfs=memdb");
    }

    #[test]
    fn a_database_that_keeps_another_journal_mode_is_an_error_that_names_both() {
        let opening = Opening::new(SqliteOptions::file("/orders.db"));
        // Memory stands in for a file system that cannot share memory between processes.
        let memory = Connection::open_in_memory().expect("opened");
        let error = opening.set_journal_mode(&memory).expect_err("memory has no log");
        let message = "the SQLite database /orders.db stays in journal mode memory and does not \
                       take wal";
        assert_eq!(error.to_string(), message);
        assert_eq!(error.class(Access::Create), pool_core::ErrorClass::Permanent);
    }

    #[test]
    fn no_path_has_a_special_meaning() {
        for path in ["", ":memory:", "file:x.db"] {
            assert!(literal(Path::new(path)).starts_with("."), "{path}");
        }
        assert_eq!(literal(Path::new("/var/x.db")), Path::new("/var/x.db"));
    }
}
