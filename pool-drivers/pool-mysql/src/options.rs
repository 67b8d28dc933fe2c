//! What a driver is told: which server, as whom, and how its connections are set up.
//!
//! Reading it from a URL is in `url.rs`, what can never be right in `validate.rs`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use pool_core::program_name;

use crate::password::Password;

/// Which server, as whom, and how connections to it are set up.
///
/// A plain struct: start from [`tcp`](Self::tcp) or [`socket`](Self::socket) and change fields, or
/// read it [from a URL](Self::from_url). Its `Debug` output holds no password.
///
/// ```
/// use pool_mysql::{Hygiene, MysqlOptions, TlsMode};
///
/// let options = MysqlOptions {
///     user: "app".to_owned(),
///     password: "hunter2".into(),
///     database: Some("orders".to_owned()),
///     hygiene: Hygiene::Clean,
///     ..MysqlOptions::tcp("db.example.com", 3306)
/// };
/// assert_eq!(options.tls_mode(), TlsMode::VerifyFull);
/// assert!(!format!("{options:?}").contains("hunter2"));
/// ```
#[derive(Clone, Debug)]
pub struct MysqlOptions {
    /// Where the server listens.
    pub address: Address,
    /// Which of the two systems it is, for telemetry: what a connection does follows from what the
    /// server says itself. Default: [`System::Mysql`].
    pub system: System,
    /// Default: `root`, as for the servers' own programs.
    pub user: String,
    /// Default: none.
    pub password: Password,
    /// The database that is current at first. Default: none.
    pub database: Option<String>,
    /// Default: what [`tls_mode`](Self::tls_mode) says.
    pub tls: Option<TlsMode>,
    /// A PEM file of the authorities that may have signed the server's certificate. Default: those
    /// that Mozilla trusts. Files are read at each connect, so that renewed ones are taken up.
    pub tls_ca: Option<PathBuf>,
    /// A PEM file with this client's certificate, and those that lead to its authority.
    pub tls_cert: Option<PathBuf>,
    /// A PEM file with the key to it.
    pub tls_key: Option<PathBuf>,
    /// What the server is told of this program (connection attribute `program_name`), and by which
    /// the capacity query counts its connections. Default: the program's name
    /// ([`program_name`]).
    pub program_name: String,
    /// After how long without traffic the operating system begins to ask whether the server is
    /// there. Default: 60 s. Not applied to sockets.
    pub tcp_keepalive: Option<Duration>,
    /// Prepared statements a connection keeps; the one used longest ago goes first. Zero prepares
    /// anew each time, and closes. Default: 64.
    pub statement_cache: usize,
    /// What a connection keeps of its last user. Default: [`Hygiene::Rollback`].
    pub hygiene: Hygiene,
}

impl MysqlOptions {
    /// A server on a host, by name or address.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::of(Address::Tcp { host: host.into(), port })
    }

    /// A server on this machine, by its unix socket.
    pub fn socket(path: impl Into<PathBuf>) -> Self {
        Self::of(Address::Socket(path.into()))
    }

    pub(crate) fn of(address: Address) -> Self {
        Self {
            address,
            system: System::Mysql,
            user: "root".to_owned(),
            password: Password::none(),
            database: None,
            tls: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            program_name: program_name().unwrap_or_else(|| "pool-mysql".to_owned()),
            tcp_keepalive: Some(Duration::from_mins(1)),
            statement_cache: 64,
            hygiene: Hygiene::Rollback,
        }
    }

    /// How connections are encrypted: as [`tls`](Self::tls) says, or else
    /// [`TlsMode::VerifyFull`], but [`TlsMode::Disable`] to this very machine (a unix socket,
    /// `localhost`, a loopback address), where nobody listens who could not also read the memory of
    /// either end.
    #[must_use]
    pub fn tls_mode(&self) -> TlsMode {
        let by_default =
            if self.address.is_local() { TlsMode::Disable } else { TlsMode::VerifyFull };
        self.tls.unwrap_or(by_default)
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// On a host, by name or address. A name is looked up at each connect, and of its addresses the
    /// first that answers is used; one that is not the last has 3 s for it.
    Tcp {
        /// Its name or address; an IPv6 address without brackets.
        host: String,
        /// Usually [`Address::PORT`].
        port: u16,
    },
    /// At a unix socket.
    Socket(PathBuf),
}

impl Address {
    /// The port of MySQL and MariaDB, if nothing else was agreed.
    pub const PORT: u16 = 3306;

    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Tcp { host, .. } => {
                let is_loopback = host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
                is_loopback || host.eq_ignore_ascii_case("localhost")
            }
            Self::Socket(_) => true,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

/// Which of the two systems a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum System {
    /// MySQL, and what follows it: Percona Server, Aurora.
    Mysql,
    /// MariaDB.
    Mariadb,
}

impl System {
    pub(crate) const ALL: [Self; 2] = [Self::Mysql, Self::Mariadb];

    /// Its name for telemetry, and as a URL's scheme.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
        }
    }
}

/// How a connection is encrypted, and how sure it is of the other end.
///
/// There is no `verify-ca`, which would check the certificate's authority and not its name: the
/// client library underneath has a switch for it that has no effect (a wrong name is refused all
/// the same). A URL that asks for it is refused with that reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsMode {
    /// Not at all.
    Disable,
    /// If the server offers it; else in plain text. Protects from nobody who can change what is
    /// sent.
    Prefer,
    /// Encrypted, to whoever answers: the certificate is not checked.
    Require,
    /// The certificate must be signed by a trusted authority, for the host that was asked for.
    VerifyFull,
}

impl TlsMode {
    pub(crate) const ALL: [Self; 4] =
        [Self::Disable, Self::Prefer, Self::Require, Self::VerifyFull];

    /// The name used in URLs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// What a connection keeps of its last user.
///
/// Whatever the policy, a connection is closed whose last call was cut short or whose answer was
/// not read to its end, and a [`Transaction`](crate::Transaction) that was dropped is rolled back.
///
/// | left by a user | `Rollback` | `Clean`, `DiscardAll` | `Trust` |
/// |---|---|---|---|
/// | an open transaction | rolled back | rolled back | stays |
/// | `autocommit` | as at first | as at first | stays |
/// | session and user variables, `sql_mode`, isolation | stay | as at first | stay |
/// | temporary tables, `LOCK TABLES`, `GET_LOCK` | stay | gone | stay |
/// | the current database | stays | as at first | stays |
/// | prepared statements | kept | gone | kept |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hygiene {
    /// An open transaction is rolled back and `autocommit` is set back. Costs nothing where the
    /// server has said in its last answer that no transaction is open: true of nearly every release.
    /// Costs a round trip after a transaction left open, after a statement that failed, and after
    /// access to the client underneath ([`MysqlConnection::raw`](crate::MysqlConnection::raw)).
    Rollback,
    /// The session is as it was at first (`COM_RESET_CONNECTION`), unless nothing was run on it.
    /// Costs a round trip, in the background, and a new preparation of each statement: the server
    /// drops them with the session. Without a [`database`](MysqlOptions::database) a user's `USE`
    /// costs a login, too: no statement takes it back.
    Clean,
    /// The same as `Clean`. Elsewhere it also drops prepared statements; a MySQL server does that
    /// in any case.
    DiscardAll,
    /// Everything stays. For users who know each other.
    Trust,
}

impl Hygiene {
    pub(crate) const ALL: [Self; 4] = [Self::Rollback, Self::Clean, Self::DiscardAll, Self::Trust];

    /// The name used in URLs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Clean => "clean",
            Self::DiscardAll => "discard-all",
            Self::Trust => "trust",
        }
    }
}
