//! What can go wrong with an SQLite connection, and how lasting it is.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;

use pool_core::{ConfigError, ErrorClass};
use rusqlite::{ErrorCode, ffi};

use crate::options::Access;

/// A failed connect or call.
///
/// Each level of the chain of causes speaks for itself, so that printed one after the other they say
/// everything once.
#[derive(Debug)]
#[non_exhaustive]
pub enum SqliteError {
    /// The database could not be opened, is locked for longer than `busy_timeout`, or is none.
    Open {
        /// Its path or name.
        database: String,
        /// Why.
        source: OpenFailure,
    },
    /// The database was opened but keeps another journal mode, for example because its file system
    /// cannot do what a write-ahead log needs.
    JournalMode {
        /// Its path or name.
        database: String,
        /// The mode asked for.
        wanted: &'static str,
        /// The mode it has.
        actual: String,
    },
    /// The operating system gave no thread to a connection.
    Thread {
        /// Its path or name.
        database: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The size of the write-ahead log cannot be told.
    Log {
        /// The database's path.
        database: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// A statement failed.
    Sqlite(rusqlite::Error),
    /// The closure panicked; the transaction that was open is rolled back.
    Panicked {
        /// What it said.
        message: String,
    },
    /// A statement was still open after the rollback, so the connection cannot be cleaned.
    Unclean,
    /// The connection's thread has ended.
    ThreadGone,
}

/// Why a database could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenFailure {
    /// The options are not [valid](crate::SqliteOptions::validate).
    Invalid(ConfigError),
    /// SQLite says so.
    Sqlite(rusqlite::Error),
    /// There is no such file, and [`Access::Create`] was not given.
    Missing,
    /// There is no such directory to create the file in.
    NoDirectory,
    /// At the path is something else, which this names: a directory, a named pipe.
    NotAFile(&'static str),
}

impl SqliteError {
    /// SQLite's own code, if SQLite said something.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Open { source: OpenFailure::Sqlite(error), .. } | Self::Sqlite(error) => {
                code(error)
            }
            Self::Open { source: OpenFailure::Missing | OpenFailure::NoDirectory, .. } => {
                Some(ErrorCode::CannotOpen)
            }
            _ => None,
        }
    }

    /// Whether another connection held a lock for longer than `busy_timeout`.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    /// Whether the file is no database, or a broken one.
    pub(crate) fn is_corrupt(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    }

    /// SQLite's extended code, as telemetry wants it.
    pub(crate) fn status_code(&self) -> Option<Cow<'static, str>> {
        let (Self::Open { source: OpenFailure::Sqlite(error), .. } | Self::Sqlite(error)) = self
        else {
            return None;
        };
        let said = match error {
            rusqlite::Error::SqlInputError { error, .. } => error,
            other => other.sqlite_error()?,
        };
        Some(said.extended_code.to_string().into())
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
            // Without a code, not SQLite but what it was given is at fault: a directory, for example.
            (Self::JournalMode { .. }, _) | (Self::Open { .. }, None) => ErrorClass::Permanent,
            _ => ErrorClass::Transient,
        }
    }
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl fmt::Display for SqliteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { database, .. } => write!(f, "cannot open the SQLite database {database}"),
            Self::JournalMode { database, wanted, actual } => write!(
                f,
                "the SQLite database {database} stays in journal mode {actual} and does not take \
                 {wanted}"
            ),
            Self::Thread { database, .. } => write!(
                f,
                "no thread can be started for a connection to the SQLite database {database}"
            ),
            Self::Log { database, .. } => write!(
                f,
                "the size of the write-ahead log of the SQLite database {database} cannot be told"
            ),
            Self::Sqlite(error) => say(error, f),
            Self::Panicked { message } => {
                write!(f, "the closure given to the connection panicked: {message}")
            }
            Self::Unclean => f.write_str("a statement is still open after the rollback"),
            Self::ThreadGone => f.write_str("the connection's thread has ended"),
        }
    }
}

impl Error for SqliteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Open { source, .. } => Some(source),
            Self::Thread { source, .. } | Self::Log { source, .. } => Some(source),
            Self::Sqlite(error) => unsaid(error),
            _ => None,
        }
    }
}

impl fmt::Display for OpenFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _))
                if error.code == ErrorCode::CannotOpen =>
            {
                // rusqlite adds the path, which stands in the error of which this is the cause.
                say(&rusqlite::Error::SqliteFailure(*error, Some(plain(*error))), f)
            }
            Self::Sqlite(error) => say(error, f),
            Self::Invalid(error) => error.fmt(f),
            Self::Missing => f.write_str("there is no such file"),
            Self::NoDirectory => f.write_str("there is no such directory"),
            Self::NotAFile(kind) => write!(f, "it is {kind}, not a file"),
        }
    }
}

impl Error for OpenFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Sqlite(error) => unsaid(error),
            Self::Invalid(error) => error.source(),
            Self::Missing | Self::NoDirectory | Self::NotAFile(_) => None,
        }
    }
}

/// An error of SQLite's in one line: its message, and its code where that says more.
fn say(error: &rusqlite::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        rusqlite::Error::SqliteFailure(error, message) => {
            f.write_str(message.as_deref().unwrap_or(&plain(*error)))?;
            // The primary codes are the messages; the extended ones tell a full disk from a broken
            // one.
            if error.extended_code > 0xff {
                write!(f, " (SQLite code {})", error.extended_code)?;
            }
            Ok(())
        }
        other => fmt::Display::fmt(other, f),
    }
}

/// What SQLite calls the code.
fn plain(error: ffi::Error) -> String {
    ffi::code_to_str(error.extended_code).to_owned()
}

/// The causes that `rusqlite` has not said already: it repeats the first one in its own message.
fn unsaid(error: &rusqlite::Error) -> Option<&(dyn Error + 'static)> {
    error.source().and_then(Error::source)
}

/// SQLite's code, also of an error that is about the text of a statement.
fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    match error {
        rusqlite::Error::SqlInputError { error, .. } => Some(error.code),
        other => other.sqlite_error_code(),
    }
}
