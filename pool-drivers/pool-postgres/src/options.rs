//! What a driver is told: which servers and database, and how its connections are set up.
//!
//! Reading it from text is in `url.rs` and `dsn.rs`, by the table in `parameters.rs`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use pool_core::program_name;

use crate::secret::Password;

/// The port of a PostgreSQL server, if none is given.
pub(crate) const DEFAULT_PORT: u16 = 5432;

/// Which PostgreSQL database, and how connections to it are set up.
///
/// A plain struct: start from [`tcp`](Self::tcp) or [`unix`](Self::unix) and change fields, or read
/// it [from a URL](Self::from_url) or [from a connection string](Self::from_dsn).
///
/// ```
/// use pool_postgres::{Hygiene, PostgresOptions};
///
/// let options = PostgresOptions {
///     user: Some("shop".to_owned()),
///     password: Some("secret".into()),
///     hygiene: Hygiene::Clean,
///     ..PostgresOptions::tcp("db.example.com", 5432)
/// };
/// assert!(!format!("{options:?}").contains("secret"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// The servers, tried in this order until one lets in; at least one. Of a name's addresses the
    /// next is tried where the network fails or an answer is not in time, and only there: what the
    /// server itself says is the host's answer.
    pub hosts: Vec<Host>,
    /// Who connects. Default: the user of the operating system.
    pub user: Option<String>,
    /// The password, if the server asks for one. A driver with a
    /// [provider](crate::PostgresDriver::with_password_provider) does not use it.
    pub password: Option<Password>,
    /// The database. Default: the server's, which is the one named like the user.
    pub database: Option<String>,
    /// What the server calls this program in `pg_stat_activity`. Default: the program's name
    /// ([`program_name`]).
    pub application_name: String,
    /// Command-line options for the session, such as `-c statement_timeout=5s`.
    pub options: Option<String>,
    /// What the server must be, to be connected to. Default: [`TargetSession::Any`]. A connection
    /// that was to write and is told by the server that it may not, in a statement run by its own
    /// methods, is not used again: the next connect looks for a server that fits.
    pub target_session_attrs: TargetSession,
    /// In which order servers, and the addresses of their names, are tried. Default:
    /// [`LoadBalance::Disable`].
    pub load_balance_hosts: LoadBalance,
    /// How long connecting to one address may take; zero is no limit but the pool's
    /// `connect_timeout`. Default: 3 s where there are several hosts or another address is left to
    /// try, so that one that does not answer leaves time for the next; else no limit.
    pub connect_timeout: Option<Duration>,
    /// Whether idle connections are kept alive by TCP. Default: yes, as the operating system is set
    /// up.
    pub keepalives: bool,
    /// How connections are encrypted.
    pub tls: TlsOptions,
    /// Whether the password exchange is bound to the TLS connection. Default:
    /// [`ChannelBinding::Prefer`].
    pub channel_binding: ChannelBinding,
    /// What a connection keeps of its last user. Default: [`Hygiene::Rollback`].
    pub hygiene: Hygiene,
    /// Prepared statements a connection keeps, the least recently used making room. Default: 128.
    ///
    /// Zero keeps none, for poolers in transaction mode, where the next statement may reach another
    /// server connection: statements without parameters are then run in one round trip without a
    /// name, those with parameters should go through
    /// [`query_typed`](crate::PostgresConnection::query_typed), which does the same.
    pub statement_cache: usize,
}

impl PostgresOptions {
    /// One server, by name or address and port.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::of(vec![Host::tcp(host, port)])
    }

    /// The server whose socket is in a directory, such as `/run/postgresql`, on the default port.
    pub fn unix(directory: impl Into<PathBuf>) -> Self {
        Self::of(vec![Host::unix(directory, DEFAULT_PORT)])
    }

    pub(crate) fn of(hosts: Vec<Host>) -> Self {
        Self {
            hosts,
            user: None,
            password: None,
            database: None,
            application_name: program_name().unwrap_or_else(|| "pool-postgres".to_owned()),
            options: None,
            target_session_attrs: TargetSession::Any,
            load_balance_hosts: LoadBalance::Disable,
            connect_timeout: None,
            keepalives: true,
            tls: TlsOptions::default(),
            channel_binding: ChannelBinding::Prefer,
            hygiene: Hygiene::Rollback,
            statement_cache: 128,
        }
    }
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name, address or socket directory.
    pub at: At,
    /// The address to connect to in place of what the name resolves to; the name is still what a
    /// certificate must be for.
    pub address: Option<IpAddr>,
    /// Its port; of a socket, the number in the socket's name.
    pub port: u16,
}

/// The two ways to reach a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum At {
    /// By TCP, by name or address.
    Tcp(String),
    /// By the socket in a directory. Such a connection leaves the machine as little as the server
    /// does, and is never encrypted.
    Unix(PathBuf),
}

impl Host {
    /// A server by name or address.
    pub fn tcp(name: impl Into<String>, port: u16) -> Self {
        Self { at: At::Tcp(name.into()), address: None, port }
    }

    /// A server by the directory of its socket.
    pub fn unix(directory: impl Into<PathBuf>, port: u16) -> Self {
        Self { at: At::Unix(directory.into()), address: None, port }
    }

    /// As connection strings have it: a path is the directory of a socket.
    pub(crate) fn named(name: &str, port: u16) -> Self {
        if name.starts_with('/') { Self::unix(name, port) } else { Self::tcp(name, port) }
    }

    /// Whether the way there stays on this machine.
    pub(crate) fn is_local(&self) -> bool {
        match (&self.at, self.address) {
            (At::Unix(_), _) => true,
            (At::Tcp(_), Some(address)) => address.is_loopback(),
            (At::Tcp(name), None) => {
                let address = name.parse::<IpAddr>();
                name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback())
            }
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.at {
            At::Tcp(name) if name.contains(':') => write!(f, "[{}]:{port}", name.escape_debug()),
            At::Tcp(name) => write!(f, "{}:{port}", name.escape_debug()),
            At::Unix(directory) => {
                write!(f, "{}/.s.PGSQL.{port}", directory.to_string_lossy().escape_debug())
            }
        }
    }
}

/// How connections are encrypted, and what the server must show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// What is demanded. Default: [`TlsMode::VerifyFull`], and [`TlsMode::Disable`] where the way
    /// stays on this machine: a loopback address, `localhost`, a socket.
    pub mode: Option<TlsMode>,
    /// File of the certificates, in PEM, of the authorities to trust. Default: the system's.
    pub root_certificates: Option<PathBuf>,
    /// Certificate chain that this client shows, and its key.
    pub client: Option<ClientCertificate>,
}

impl TlsOptions {
    /// What is demanded of a connection to `host`.
    pub(crate) fn mode_for(&self, host: &Host) -> TlsMode {
        let default = if host.is_local() { TlsMode::Disable } else { TlsMode::VerifyFull };
        self.mode.unwrap_or(default)
    }
}

/// A certificate by which a client proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// File of the certificate chain, in PEM.
    pub chain: PathBuf,
    /// File of the private key, in PEM, not encrypted.
    pub key: PathBuf,
}

/// What is demanded of a connection's encryption; `sslmode`, with the meaning that PostgreSQL's
/// documentation gives it. There is no `allow`, which would send everything in the clear first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsMode {
    /// No TLS.
    Disable,
    /// TLS if the server offers it, and then with the certificate looked at as by
    /// [`Require`](Self::Require); else everything in the clear, without a word. Protects against
    /// nothing; only ever chosen, never a default.
    Prefer,
    /// TLS. Without `root_certificates` no certificate is looked at, so that whoever stands between
    /// can be the server; with them it is as [`VerifyCa`](Self::VerifyCa).
    Require,
    /// TLS, and the certificate is signed by a trusted authority, for whatever name.
    VerifyCa,
    /// TLS, and the certificate is signed by a trusted authority for the host's name.
    VerifyFull,
}

impl TlsMode {
    pub(crate) const ALL: [Self; 5] =
        [Self::Disable, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// PostgreSQL's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// Whether the password exchange is bound to the TLS connection, so that nobody can relay it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelBinding {
    /// No.
    Disable,
    /// Where server and TLS can.
    Prefer,
    /// Yes, or the connect fails.
    Require,
}

impl ChannelBinding {
    pub(crate) const ALL: [Self; 3] = [Self::Disable, Self::Prefer, Self::Require];

    /// PostgreSQL's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
        }
    }
}

/// What a server must be, to be connected to; `target_session_attrs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TargetSession {
    /// Any.
    Any,
    /// One whose sessions may write.
    ReadWrite,
    /// One whose sessions may not write.
    ReadOnly,
    /// No standby.
    Primary,
    /// A standby.
    Standby,
    /// A standby, or any if there is none.
    PreferStandby,
}

impl TargetSession {
    pub(crate) const ALL: [Self; 6] = [
        Self::Any,
        Self::ReadWrite,
        Self::ReadOnly,
        Self::Primary,
        Self::Standby,
        Self::PreferStandby,
    ];

    /// PostgreSQL's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::PreferStandby => "prefer-standby",
        }
    }
}

/// In which order servers and addresses are tried; `load_balance_hosts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoadBalance {
    /// As given.
    Disable,
    /// At random, drawn for each connect.
    Random,
}

impl LoadBalance {
    pub(crate) const ALL: [Self; 2] = [Self::Disable, Self::Random];

    /// PostgreSQL's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Random => "random",
        }
    }
}

/// What a connection keeps of its last user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hygiene {
    /// An open transaction is rolled back; a statement that was cut short is cancelled. Settings,
    /// temporary tables, `LISTEN`, advisory locks and prepared statements stay. Costs nothing where
    /// the connection is known to be clean.
    Rollback,
    /// Everything that `DISCARD ALL` does, but prepared statements stay, and so does the cache. The
    /// reset is on the wire ahead of the next user's first statement and costs no round trip of its
    /// own.
    Clean,
    /// `DISCARD ALL`: prepared statements go, too. On the wire ahead of the next user's first
    /// statement. A connection that has met types of the database's own (enums, composites) is
    /// closed, because its client keeps prepared statements to look them up; so is one on which
    /// statements were prepared by the client itself ([`client`](crate::PostgresConnection::client)).
    DiscardAll,
    /// Nothing is done, not even after an open transaction or a statement that was cut short; only
    /// after a panic is an open transaction rolled back.
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
