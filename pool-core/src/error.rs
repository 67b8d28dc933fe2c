//! What can go wrong for a user of the pool, with enough said to mend it.

use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::brief::Brief;
use crate::config::{ConfigError, PoolConfig};
use crate::runtime::NoRuntime;
use crate::stats::PoolStats;

/// Where in a program a connection was acquired.
pub type CallSite = &'static Location<'static>;

/// A driver's error, or a [`DriverFault`], shared by all who are told of it.
pub type SharedError = Arc<dyn Error + Send + Sync>;

/// What kind of error a failed connect was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// May go away by itself: refused, reset, timed out.
    Transient,
    /// The server has no room: Postgres 53300 and 57P03, `MySQL` 1040 and 1203.
    Overloaded,
    /// Will not go away by itself: wrong password, unknown database. Waiting acquires fail at
    /// once if no connection is open.
    Permanent,
    /// The server is not what it was, for example read-only after a failover.
    RoleChanged,
}

impl ErrorClass {
    /// Every class, in the order of the documentation.
    pub const ALL: [Self; 4] =
        [Self::Transient, Self::Overloaded, Self::Permanent, Self::RoleChanged];

    /// The name used in metrics and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Overloaded => "overloaded",
            Self::Permanent => "permanent",
            Self::RoleChanged => "role_changed",
        }
    }
}

/// The connections acquired at one call site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Where they were acquired.
    pub site: CallSite,
    /// How many are out.
    pub count: usize,
    /// How long the longest of them has been out.
    pub longest: Duration,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, count, longest } = self;
        write!(f, "{}:{} holds {count}, longest {}", site.file(), site.line(), Brief(*longest))
    }
}

/// Why an acquire failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcquireErrorKind {
    /// The deadline passed.
    Timeout,
    /// `max_waiters` acquires are waiting already.
    QueueFull,
    /// The pool is closed.
    Closed,
    /// No connection can be opened: a permanent error, or an outage longer than `outage_grace`.
    ConnectFailed,
    /// The acquire would have to wait, but the calling thread is not inside an async runtime.
    NoRuntime,
}

impl AcquireErrorKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 5] =
        [Self::Timeout, Self::QueueFull, Self::Closed, Self::ConnectFailed, Self::NoRuntime];

    /// The name used in metrics and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::QueueFull => "queue_full",
            Self::Closed => "closed",
            Self::ConnectFailed => "connect_failed",
            Self::NoRuntime => "no_runtime",
        }
    }
}

/// What an acquire was waiting for when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcquirePhase {
    /// Nothing yet: it failed at once.
    Start,
    /// For a connection in use to come back.
    Queued,
    /// For a paused pool to be resumed.
    Paused,
    /// For an idle connection to be checked.
    Checking,
    /// For a released connection to be reset.
    Resetting,
    /// For a connect in flight.
    Opening,
    /// For the next connect after failed ones.
    BackingOff,
}

impl fmt::Display for AcquirePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "at once",
            Self::Queued => "waiting for a connection to come back",
            Self::Paused => "waiting for the paused pool to be resumed",
            Self::Checking => "waiting for an idle connection to be checked",
            Self::Resetting => "waiting for a connection to be reset",
            Self::Opening => "waiting for a connect in flight",
            Self::BackingOff => "waiting for the next connect after failed ones",
        })
    }
}

/// The connects that failed since the last success.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectFailures {
    /// The last error.
    pub error: SharedError,
    /// What kind of error it was.
    pub class: ErrorClass,
    /// Failed connects since the last success.
    pub attempts: u32,
    /// Time since the first of them.
    pub lasting: Duration,
    /// Time since the last of them.
    pub ago: Duration,
}

/// A failed acquire: what, where, why, and who holds the connections.
///
/// `source()` is the last connect error, if connects have failed since the last success.
#[must_use]
pub struct AcquireError(Box<AcquireFailure>);

/// The pool at the moment an acquire failed; shared by all that failed at that moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Circumstances {
    /// The pool's numbers; acquires that failed from waiting are still counted among `waiting`.
    pub stats: PoolStats,
    /// The three call sites that hold connections longest; at most 100 ms old.
    pub holders: Arc<[Holder]>,
    /// Connects failed since the last success.
    pub connects: Option<ConnectFailures>,
}

/// What an [`AcquireError`] carries.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AcquireFailure {
    /// Why it failed.
    pub kind: AcquireErrorKind,
    /// What it was waiting for.
    pub phase: AcquirePhase,
    /// How long it had waited.
    pub waited: Duration,
    /// Where it was called.
    pub site: CallSite,
    /// The pool's name.
    pub pool: Arc<str>,
    /// The pool at that moment.
    pub circumstances: Arc<Circumstances>,
    /// What is missing, for [`AcquireErrorKind::NoRuntime`].
    pub no_runtime: Option<NoRuntime>,
}

impl AcquireError {
    pub(crate) fn new(failure: Box<AcquireFailure>) -> Self {
        Self(failure)
    }

    /// Why it failed.
    #[must_use]
    pub fn kind(&self) -> AcquireErrorKind {
        self.0.kind
    }

    /// Everything known about the failure.
    #[must_use]
    pub fn details(&self) -> &AcquireFailure {
        &self.0
    }

    /// Whether the deadline passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind() == AcquireErrorKind::Timeout
    }

    /// Whether the pool is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.kind() == AcquireErrorKind::Closed
    }
}

impl fmt::Debug for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AcquireFailure { kind, phase, waited, pool, circumstances, .. } = &*self.0;
        let waited = Brief(*waited);
        match kind {
            AcquireErrorKind::Timeout => {
                write!(f, "pool {pool}: acquire timed out after {waited} {phase}: ")?;
            }
            AcquireErrorKind::QueueFull => {
                write!(f, "pool {pool}: too many acquires waiting (max_waiters): ")?;
            }
            AcquireErrorKind::Closed => return write!(f, "pool {pool} is closed"),
            AcquireErrorKind::ConnectFailed => {
                write!(f, "pool {pool}: no connection can be opened, given up after {waited}: ")?;
            }
            AcquireErrorKind::NoRuntime => {
                write!(f, "pool {pool}: acquire would have to wait")?;
                return match &self.0.no_runtime {
                    Some(missing) => write!(f, ", but {}", missing.reason),
                    None => Ok(()),
                };
            }
        }
        let Circumstances { stats, holders, connects } = &**circumstances;
        let PoolStats { in_use, max_open, opening, waiting, .. } = *stats;
        match max_open {
            PoolConfig::UNLIMITED => write!(f, "{in_use} in use")?,
            _ => write!(f, "{in_use} of {max_open} in use")?,
        }
        write!(f, ", {opening} opening, {waiting} waiting")?;
        holders.iter().try_for_each(|holder| write!(f, "; {holder}"))?;
        if let Some(ConnectFailures { attempts, lasting, ago, .. }) = connects {
            let (lasting, ago) = (Brief(*lasting), Brief(*ago));
            write!(f, "; circuit {}: ", stats.circuit)?;
            let connects = if *attempts == 1 { "connect" } else { "connects" };
            write!(f, "{attempts} {connects} failed in {lasting}, the last {ago} ago")?;
        }
        Ok(())
    }
}

impl Error for AcquireError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let connects = self.0.circumstances.connects.as_ref()?;
        Some(&*connects.error as &(dyn Error + 'static))
    }
}

/// Why there is no connection at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TryAcquireError {
    /// None is idle and fresh, others wait for one, or the pool is paused.
    #[error("no connection is idle right now")]
    NotIdle,
    /// The pool is closed.
    #[error("the pool is closed")]
    Closed,
}

/// What a driver did other than answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DriverFault {
    /// The call was cut short.
    #[error("the driver's {call} did not finish within {}", Brief(*limit))]
    TimedOut {
        /// Which call.
        call: &'static str,
        /// Its bound.
        limit: Duration,
    },
    /// The call panicked.
    #[error("the driver's {call} panicked: {message}")]
    Panicked {
        /// Which call.
        call: &'static str,
        /// What it said.
        message: String,
    },
}

/// Why a pool could not be opened, or a probe not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The configuration is invalid.
    Config(ConfigError),
    /// The calling thread is not inside an async runtime.
    NoRuntime(NoRuntime),
    /// The pool is closed.
    Closed,
    /// No connection could be opened.
    Connect {
        /// The pool's name.
        pool: Arc<str>,
        /// How long it took.
        took: Duration,
        /// What the driver said.
        source: SharedError,
    },
    /// The connection was opened but does not answer.
    Check {
        /// The pool's name.
        pool: Arc<str>,
        /// What the driver said.
        source: SharedError,
    },
    /// The deadline of a warm-up passed.
    WarmUp {
        /// The pool's name.
        pool: Arc<str>,
        /// Connections open then.
        open: usize,
        /// Connections wanted.
        wanted: usize,
        /// The last connect error, if connects have failed since the last success.
        source: Option<SharedError>,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::NoRuntime(error) => error.fmt(f),
            Self::Closed => f.write_str("the pool is closed"),
            Self::Connect { pool, took, .. } => {
                write!(f, "pool {pool}: the first connect failed after {}", Brief(*took))
            }
            Self::Check { pool, .. } => {
                write!(f, "pool {pool}: the first connection did not pass its check")
            }
            Self::WarmUp { pool, open, wanted, .. } => {
                write!(f, "pool {pool}: {open} of {wanted} connections were open ")?;
                f.write_str("at the deadline of the warm-up")
            }
        }
    }
}

/// By hand, so that `source()` is the driver's own error and can be downcast to it: a derive would
/// return the `Arc` around it.
impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Config(_) | Self::NoRuntime(_) | Self::Closed => None,
            Self::Connect { source, .. } | Self::Check { source, .. } => Some(&**source),
            Self::WarmUp { source, .. } => Some(&**source.as_ref()?),
        }
    }
}

impl From<ConfigError> for OpenError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<NoRuntime> for OpenError {
    fn from(missing: NoRuntime) -> Self {
        Self::NoRuntime(missing)
    }
}

/// What [`Pool::close`](crate::Pool::close) found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct CloseReport {
    /// Whether every connection was back and closed before the deadline.
    pub drained: bool,
    /// How long closing took.
    pub took: Duration,
    /// Connections closed by this pool over its whole life.
    pub closed: u64,
    /// Connections still out at the deadline, by call site, longest first. Each is closed when it
    /// comes back.
    pub still_out: Vec<Holder>,
    /// What is missing, if it could not wait at all: it was called outside an async runtime.
    pub no_runtime: Option<NoRuntime>,
}

impl fmt::Display for CloseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = Brief(self.took);
        if self.drained {
            return write!(f, "closed after {took}; every connection was back");
        }
        match &self.no_runtime {
            Some(missing) => write!(f, "closed without waiting: {}; still out", missing.reason)?,
            None => write!(f, "closed after {took} with connections still out")?,
        }
        self.still_out.iter().try_for_each(|holder| write!(f, "; {holder}"))
    }
}
