//! What can go wrong with an SQLite connection, and how lasting it is.

use std::io;

use pool_core::ErrorClass;
use rusqlite::ErrorCode;

use crate::options::Access;

/// A failed connect or call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqliteError {
    /// The database could not be opened, is locked for longer than `busy_timeout`, or is none.
    #[error("cannot open the SQLite database {database}")]
    Open {
        /// Its path or name.
        database: String,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The database was opened but keeps another journal mode, for example because its file system
    /// cannot do what a write-ahead log needs.
    #[error(
        "the SQLite database {database} stays in journal mode {actual} and does not take {wanted}"
    )]
    JournalMode {
        /// Its path or name.
        database: String,
        /// The mode asked for.
        wanted: &'static str,
        /// The mode it has.
        actual: String,
    },
    /// The operating system gave no thread to a connection.
    #[error("no thread can be started for a connection to the SQLite database {database}")]
    Thread {
        /// Its path or name.
        database: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// A statement failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The closure panicked; the transaction that was open is rolled back.
    #[error("the closure given to the connection panicked: {message}")]
    Panicked {
        /// What it said.
        message: String,
    },
    /// A statement was still open after the rollback, so the connection cannot be cleaned.
    #[error("a statement is still open after the rollback")]
    Unclean,
    /// The connection's thread has ended.
    #[error("the connection's thread has ended")]
    ThreadGone,
}

impl SqliteError {
    /// SQLite's own code, if SQLite said something.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Open { source, .. } | Self::Sqlite(source) => code(source),
            _ => None,
        }
    }

    /// Whether another connection held a lock for longer than `busy_timeout`.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    pub(crate) fn class(&self, access: Access) -> ErrorClass {
        match (self, self.code()) {
            (Self::Open { .. } | Self::Sqlite(_), Some(code)) => match code {
                ErrorCode::CannotOpen
                | ErrorCode::NotADatabase
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::PermissionDenied
                | ErrorCode::AuthorizationForStatementDenied
                | ErrorCode::NoLargeFileSupport => ErrorClass::Permanent,
                // SQLITE_ERROR while opening is a file format of the future; in a statement it is
                // anything.
                ErrorCode::Unknown if matches!(self, Self::Open { .. }) => ErrorClass::Permanent,
                // What was to be written has become read-only: a replica, a file system remounted.
                ErrorCode::ReadOnly if access != Access::ReadOnly => ErrorClass::RoleChanged,
                _ => ErrorClass::Transient,
            },
            // Without a code, not SQLite but the path is at fault: a NUL in it, for example.
            (Self::JournalMode { .. }, _) | (Self::Open { .. }, None) => ErrorClass::Permanent,
            _ => ErrorClass::Transient,
        }
    }
}

/// SQLite's code, also of an error that is about the text of a statement.
fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    match error {
        rusqlite::Error::SqlInputError { error, .. } => Some(error.code),
        other => other.sqlite_error_code(),
    }
}
