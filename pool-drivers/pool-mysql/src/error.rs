//! What can go wrong with a connection, and how lasting it is.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use mysql_async::{DriverError, IoError, TlsError};
use pool_core::{ConfigError, ErrorClass};

use crate::class;
use crate::password::PasswordError;

/// A failed connect or call.
///
/// Each level of the chain of causes speaks for itself, so that printed one after the other they
/// say everything once. None of them holds a password.
#[derive(Debug)]
#[non_exhaustive]
pub enum MysqlError {
    /// No connection could be opened.
    Connect {
        /// Where to.
        server: String,
        /// Why.
        source: ConnectFailure,
    },
    /// A statement failed, or the connection was lost.
    Mysql(mysql_async::Error),
    /// A row is not what was asked for: of another width, or with a value of another type.
    Row {
        /// The type asked for.
        wanted: &'static str,
        /// Columns of the row.
        columns: usize,
    },
    /// An earlier call was cut short, or its answer not read to its end: the next answer would be
    /// that call's. The connection is of no more use; the pool closes it.
    CutShort,
    /// A transaction was begun within a [`Transaction`](crate::Transaction), which would have
    /// committed the outer one.
    Nested,
    /// No database is selected, and the tables of a fleet have to be in one.
    NoDatabase,
    /// The server answered, and not what was asked for.
    Unexpected(&'static str),
    /// After a reset the server says that a transaction is still open, or `autocommit` is not as
    /// it was.
    Unclean,
}

/// Why a connection could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// The options are not [valid](crate::MysqlOptions::validate).
    Invalid(ConfigError),
    /// The calling task does not run on tokio, with I/O switched on; the client library needs that
    /// whatever runtime the pool itself uses. A host of several addresses needs the timer, too.
    NoReactor,
    /// The provider has no password.
    Password(PasswordError),
    /// A file for TLS cannot be read.
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// It took longer than an address may take while there is another to try.
    TimedOut(Duration),
    /// TLS is required, and the server does not offer it.
    TlsNotOffered,
    /// The server, or the way to it, says no.
    Mysql(mysql_async::Error),
}

impl MysqlError {
    /// The server's number for the error, if the server said something: 1062 for a duplicate key.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Connect { source: ConnectFailure::Mysql(error), .. } | Self::Mysql(error) => {
                code(error)
            }
            _ => None,
        }
    }

    /// The SQLSTATE, if the server said something: `23000` for a duplicate key.
    #[must_use]
    pub fn sql_state(&self) -> Option<&str> {
        match self {
            Self::Connect { source: ConnectFailure::Mysql(error), .. } | Self::Mysql(error) => {
                server_error(error).map(|error| error.state.as_str())
            }
            _ => None,
        }
    }

    /// The number, as telemetry wants it.
    pub(crate) fn status_code(&self) -> Option<Cow<'static, str>> {
        Some(self.code()?.to_string().into())
    }

    pub(crate) fn class(&self) -> ErrorClass {
        match self {
            Self::Connect { source: ConnectFailure::Mysql(error), .. } | Self::Mysql(error) => {
                class::of(error)
            }
            Self::Connect { source, .. } => match source {
                // A provider asks somebody, who may answer next time.
                ConnectFailure::Password(_) | ConnectFailure::TimedOut(_) => ErrorClass::Transient,
                _ => ErrorClass::Permanent,
            },
            Self::NoDatabase => ErrorClass::Permanent,
            Self::Row { .. }
            | Self::CutShort
            | Self::Nested
            | Self::Unexpected(_)
            | Self::Unclean => ErrorClass::Transient,
        }
    }
}

impl ConnectFailure {
    /// Whether the network failed, or time ran out, before the server or the options had a say.
    pub(crate) fn is_on_the_way(&self) -> bool {
        match self {
            Self::TimedOut(_)
            | Self::Mysql(mysql_async::Error::Driver(DriverError::ConnectionClosed)) => true,
            Self::Mysql(error @ mysql_async::Error::Io(_)) => {
                class::of(error) == ErrorClass::Transient
            }
            _ => false,
        }
    }
}

/// The server's number for the error, if the server said something.
pub(crate) fn code(error: &mysql_async::Error) -> Option<u16> {
    server_error(error).map(|error| error.code)
}

fn server_error(error: &mysql_async::Error) -> Option<&mysql_async::ServerError> {
    match error {
        mysql_async::Error::Server(error) => Some(error),
        _ => None,
    }
}

impl From<mysql_async::Error> for MysqlError {
    fn from(error: mysql_async::Error) -> Self {
        Self::Mysql(error)
    }
}

impl From<mysql_async::Error> for ConnectFailure {
    fn from(error: mysql_async::Error) -> Self {
        match error {
            mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer) => {
                Self::TlsNotOffered
            }
            other => Self::Mysql(other),
        }
    }
}

impl fmt::Display for MysqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { server, .. } => write!(f, "cannot connect to the server at {server}"),
            Self::Mysql(error) => say(error, f),
            Self::Row { wanted, columns } => {
                write!(f, "a row of {columns} columns cannot be read as {wanted}")
            }
            Self::CutShort => f.write_str(
                "the connection was lost or an earlier call on it cut short, so it is of no more use",
            ),
            Self::Nested => f.write_str("a transaction is open already"),
            Self::NoDatabase => f.write_str(
                "no database is selected, and a fleet's tables have to be in one: name it in the URL \
                 (mysql://HOST/DATABASE) or the options",
            ),
            Self::Unexpected(what) => write!(f, "the server did not say {what}"),
            Self::Unclean => f.write_str("the session is not clean after its reset"),
        }
    }
}

impl Error for MysqlError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connect { source, .. } => Some(source),
            Self::Mysql(error) => unsaid(error),
            _ => None,
        }
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => error.fmt(f),
            Self::NoReactor => f.write_str(
                "the calling task does not run on tokio with I/O enabled, which the client needs \
                 for its sockets, or without a timer, which a host of several addresses needs",
            ),
            Self::Password(_) => f.write_str("the provider of the password failed"),
            Self::File { path, .. } => write!(f, "the file {} cannot be read", path.display()),
            Self::TimedOut(limit) => write!(f, "no answer within {limit:?}"),
            Self::TlsNotOffered => {
                f.write_str("the server offers no TLS, and the options require it")
            }
            Self::Mysql(error) => say(error, f),
        }
    }
}

impl Error for ConnectFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Invalid(error) => error.source(),
            Self::Password(error) => Some(&**error),
            Self::File { source, .. } => Some(source),
            Self::Mysql(error) => unsaid(error),
            Self::NoReactor | Self::TimedOut(_) | Self::TlsNotOffered => None,
        }
    }
}

/// The innermost message: the library's own wrap it in `Driver error: ...` once or twice.
fn say(error: &mysql_async::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        mysql_async::Error::Server(error) => {
            let (message, code, state) = (&error.message, error.code, &error.state);
            write!(f, "{message} (error {code}, SQLSTATE {state})")
        }
        // MySQL asks users that are not there for a method drawn at random, lest they be told.
        mysql_async::Error::Driver(DriverError::UnknownAuthPlugin { name }) => {
            write!(
                f,
                "the server asks for the authentication method `{name}`, which the client does not \
                 know; or the server may know no such user"
            )
        }
        mysql_async::Error::Driver(error) => write!(f, "{error}"),
        mysql_async::Error::Io(IoError::Io(error)) => write!(f, "{error}"),
        mysql_async::Error::Io(IoError::Tls(error)) => write!(f, "TLS: {error}"),
        mysql_async::Error::Other(error) => write!(f, "{error}"),
        other => write!(f, "{other}"),
    }
}

/// The causes that [`say`] has not said.
fn unsaid(error: &mysql_async::Error) -> Option<&(dyn Error + 'static)> {
    match error {
        mysql_async::Error::Driver(error) => error.source(),
        mysql_async::Error::Other(error) => error.source(),
        mysql_async::Error::Io(IoError::Io(error)) => error.source(),
        mysql_async::Error::Io(IoError::Tls(TlsError::Tls(error))) => error.source(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_nobody_chose_may_mean_a_user_that_is_not_there() {
        let name = "sha256_password".to_owned();
        let error = mysql_async::Error::Driver(DriverError::UnknownAuthPlugin { name });
        let said = ConnectFailure::from(error).to_string();
        assert!(said.contains("`sha256_password`"), "{said}");
        assert!(said.ends_with("the server may know no such user"), "{said}");
    }
}
