//! What can go wrong with a PostgreSQL connection, and how lasting it is.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use pool_core::{ConfigError, ErrorClass};
use tokio_postgres::error::{DbError, SqlState};

use crate::options::TargetSession;
use crate::secret::PasswordError;

/// A failed connect or call.
///
/// Each level of the chain of causes speaks for itself, so that printed one after the other they say
/// everything once. No level knows a password.
#[derive(Debug)]
#[non_exhaustive]
pub enum PostgresError {
    /// The options are not [valid](crate::PostgresOptions::validate).
    Invalid(ConfigError),
    /// The thread is not inside a tokio runtime, without which there is no network.
    NoReactor,
    /// The password provider has none.
    Password(PasswordError),
    /// A server could not be connected to.
    Connect {
        /// Its host and port, or its socket.
        server: String,
        /// Why.
        source: ConnectFailure,
    },
    /// None of several servers could be connected to.
    NoServer {
        /// What each said, in the order they were tried; a [`Connect`](Self::Connect) each.
        attempts: Vec<PostgresError>,
    },
    /// A statement failed.
    Postgres(tokio_postgres::Error),
    /// The reset that was queued after the last user failed, so that nothing that came after it can
    /// be trusted. The connection is not used again.
    Reset(tokio_postgres::Error),
    /// The connection is not clean, or it cannot be told whether it is.
    Unclean,
    /// A transaction was to be committed in which a statement had failed. It is rolled back.
    RolledBack,
    /// A query that was to return a row returned none, or one that was to return one at most
    /// returned more.
    RowCount,
    /// The server answered a question of the driver's with something unexpected.
    Unexpected(&'static str),
}

/// Why a server could not be connected to.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// Its name is not known.
    Resolve(io::Error),
    /// The network says so: refused, unreachable, reset.
    Network(io::Error),
    /// It took longer than one address may take.
    TimedOut(Duration),
    /// TLS is demanded and the server has none.
    TlsNotOffered,
    /// The TLS handshake failed: the certificate is not trusted, or of another host.
    Tls(io::Error),
    /// A file with a certificate or a key is of no use.
    Certificate {
        /// The file; none for the system's certificates.
        file: Option<PathBuf>,
        /// Why.
        why: String,
    },
    /// The server refuses: wrong password, unknown database, no room.
    Server(tokio_postgres::Error),
    /// The server is not what `target_session_attrs` asks for.
    WrongTarget(TargetSession),
}

impl PostgresError {
    /// What the server said, if it said something.
    #[must_use]
    pub fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Postgres(error)
            | Self::Reset(error)
            | Self::Connect { source: ConnectFailure::Server(error), .. } => error.as_db_error(),
            _ => None,
        }
    }

    /// The server's SQLSTATE, if it said something.
    #[must_use]
    pub fn code(&self) -> Option<&SqlState> {
        self.db_error().map(DbError::code)
    }

    /// Whether a session that was to write may not.
    pub(crate) fn is_read_only(&self) -> bool {
        self.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
    }

    pub(crate) fn class(&self) -> ErrorClass {
        if let Some(code) = self.code() {
            return class_of(code);
        }
        match self {
            Self::Invalid(_) | Self::NoReactor => ErrorClass::Permanent,
            Self::Connect { source, .. } => source.class(),
            Self::NoServer { attempts } => joint_class(attempts),
            _ => ErrorClass::Transient,
        }
    }
}

impl ConnectFailure {
    /// Whether the network failed, or time ran out, before the server or the options had a say.
    pub(crate) fn is_on_the_way(&self) -> bool {
        match self {
            Self::Network(_) | Self::TimedOut(_) => true,
            Self::Tls(_) => self.class() == ErrorClass::Transient,
            Self::Server(error) => error.is_closed() || is_io(error),
            _ => false,
        }
    }

    fn class(&self) -> ErrorClass {
        match self {
            Self::TlsNotOffered | Self::Certificate { .. } => ErrorClass::Permanent,
            Self::WrongTarget(_) => ErrorClass::RoleChanged,
            // rustls' own word comes as invalid data; anything else is the network's.
            Self::Tls(error) if error.kind() == io::ErrorKind::InvalidData => ErrorClass::Permanent,
            // Not the server's word and not the network's: what it asks for cannot be given (a
            // password that is missing, a way of authentication nobody implements).
            Self::Server(error) if !error.is_closed() && !is_io(error) => ErrorClass::Permanent,
            _ => ErrorClass::Transient,
        }
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(<dyn Error>::is::<io::Error>)
}

/// What follows from a SQLSTATE (PostgreSQL's documentation, appendix A).
fn class_of(code: &SqlState) -> ErrorClass {
    let code = code.code();
    match code {
        "53300" | "57P03" => ErrorClass::Overloaded,
        "25006" => ErrorClass::RoleChanged,
        // Unknown database or schema, no privilege, and settings that do not exist or are wrong.
        "3D000" | "3F000" | "42501" | "42704" | "22023" => ErrorClass::Permanent,
        // Invalid authorization.
        _ if code.starts_with("28") => ErrorClass::Permanent,
        _ => ErrorClass::Transient,
    }
}

/// Several servers fail as lastingly as the one that may come back first.
fn joint_class(attempts: &[PostgresError]) -> ErrorClass {
    let classes = [ErrorClass::Transient, ErrorClass::Overloaded, ErrorClass::RoleChanged];
    classes
        .into_iter()
        .find(|class| attempts.iter().any(|attempt| attempt.class() == *class))
        .unwrap_or(ErrorClass::Permanent)
}

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl fmt::Display for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => error.fmt(f),
            Self::NoReactor => f.write_str(
                "PostgreSQL connections need a tokio runtime with its network and timer enabled, and this thread \
                 is not inside one",
            ),
            Self::Password(_) => f.write_str("the password provider has no password"),
            Self::Connect { server, .. } => {
                write!(f, "cannot connect to the PostgreSQL server {server}")
            }
            Self::NoServer { attempts } => {
                write!(f, "none of {} PostgreSQL servers can be connected to", attempts.len())?;
                attempts.iter().try_for_each(|attempt| match attempt {
                    Self::Connect { server, source } => write!(f, "; {server}: {source}"),
                    other => write!(f, "; {other}"),
                })
            }
            Self::Postgres(error) => say(error, f),
            Self::Reset(error) => {
                f.write_str("the reset after the last user failed: ")?;
                say(error, f)
            }
            Self::Unclean => f.write_str("the connection cannot be made clean"),
            Self::RolledBack => f.write_str(
                "the transaction is rolled back, not committed: a statement in it had failed",
            ),
            Self::RowCount => f.write_str("the query returned an unexpected number of rows"),
            Self::Unexpected(what) => write!(f, "the server did not say {what}"),
        }
    }
}

impl Error for PostgresError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Invalid(error) => error.source(),
            Self::Password(error) => Some(&**error),
            Self::Connect { source, .. } => Some(source),
            Self::Postgres(error) | Self::Reset(error) => unsaid(error),
            _ => None,
        }
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(error) => write!(f, "its name cannot be resolved: {error}"),
            Self::Network(error) => error.fmt(f),
            Self::TimedOut(limit) => write!(f, "no answer within {limit:?}"),
            Self::TlsNotOffered => f.write_str("TLS is demanded, and the server does not offer it"),
            Self::Tls(error) => write!(f, "TLS failed: {error}"),
            Self::Certificate { file: Some(file), why } => {
                write!(f, "{}: {why}", file.to_string_lossy().escape_debug())
            }
            Self::Certificate { file: None, why } => write!(f, "the system's certificates: {why}"),
            Self::Server(error) => say(error, f),
            Self::WrongTarget(wanted) => {
                write!(f, "the server is not what target_session_attrs={} asks for", wanted.name())
            }
        }
    }
}

impl Error for ConnectFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Resolve(error) | Self::Network(error) | Self::Tls(error) => error.source(),
            Self::Server(error) => unsaid(error),
            _ => None,
        }
    }
}

/// An error in one line: the server's own words with its code, or the client's.
fn say(error: &tokio_postgres::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error.as_db_error() {
        Some(said) => {
            write!(f, "{} (SQLSTATE {})", said.message(), said.code().code())?;
            said.hint().map_or(Ok(()), |hint| write!(f, "; {hint}"))
        }
        None => fmt::Display::fmt(error, f),
    }
}

/// The cause that has not been said already.
fn unsaid(error: &tokio_postgres::Error) -> Option<&(dyn Error + 'static)> {
    if error.as_db_error().is_some() { None } else { error.source() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_codes_say_what_follows() {
        for (code, class) in [
            ("28P01", ErrorClass::Permanent),
            ("28000", ErrorClass::Permanent),
            ("3D000", ErrorClass::Permanent),
            ("42501", ErrorClass::Permanent),
            ("53300", ErrorClass::Overloaded),
            ("57P03", ErrorClass::Overloaded),
            ("25006", ErrorClass::RoleChanged),
            // Shut down by its administrator; PgBouncer's word for almost anything.
            ("57P01", ErrorClass::Transient),
            ("08P01", ErrorClass::Transient),
        ] {
            assert_eq!(class_of(&SqlState::from_code(code)), class, "{code}");
        }
    }

    #[test]
    fn several_servers_fail_as_lastingly_as_the_most_hopeful() {
        let failed = |source| PostgresError::Connect { server: String::new(), source };
        let refused = || failed(ConnectFailure::Network(io::ErrorKind::ConnectionRefused.into()));
        let no_tls = || failed(ConnectFailure::TlsNotOffered);
        let wrong = || failed(ConnectFailure::WrongTarget(TargetSession::ReadWrite));
        let class = |attempts| PostgresError::NoServer { attempts }.class();
        assert_eq!(class(vec![no_tls(), no_tls()]), ErrorClass::Permanent);
        assert_eq!(class(vec![no_tls(), wrong()]), ErrorClass::RoleChanged);
        assert_eq!(class(vec![no_tls(), wrong(), refused()]), ErrorClass::Transient);
    }
}
