//! Optional questions that some drivers can answer about their server.
//!
//! They are asked on a probe connection, through the control handle.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::lease::LeaseStore;

/// What a driver can answer; absent where it cannot.
pub struct Capabilities<'a, C, E> {
    /// How many connections the server allows and has.
    pub capacity: Option<&'a dyn CapacityQuery<C, E>>,
    /// Whether the server takes writes.
    pub role: Option<&'a dyn RoleQuery<C, E>>,
    /// How far a replica is behind.
    pub lag: Option<&'a dyn ReplicationLagQuery<C, E>>,
    /// How long transactions have been open.
    pub activity: Option<&'a dyn ActivityQuery<C, E>>,
    /// What the database's files are like.
    pub storage: Option<&'a dyn StorageQuery<C, E>>,
    /// Where the members of a fleet agree on how they share the server's connections.
    pub leases: Option<&'a dyn LeaseStore<C>>,
}

impl<C, E> Default for Capabilities<'_, C, E> {
    fn default() -> Self {
        Self { capacity: None, role: None, lag: None, activity: None, storage: None, leases: None }
    }
}

impl<C, E> fmt::Debug for Capabilities<'_, C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.set().fmt(f)
    }
}

impl<C, E> Capabilities<'_, C, E> {
    /// Which questions can be answered.
    #[must_use]
    pub fn set(&self) -> CapabilitySet {
        CapabilitySet {
            capacity: self.capacity.is_some(),
            role: self.role.is_some(),
            lag: self.lag.is_some(),
            activity: self.activity.is_some(),
            storage: self.storage.is_some(),
            leases: self.leases.is_some(),
        }
    }
}

/// Which questions a driver can answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is an answer of its own")]
pub struct CapabilitySet {
    /// [`CapacityQuery`].
    pub capacity: bool,
    /// [`RoleQuery`].
    pub role: bool,
    /// [`ReplicationLagQuery`].
    pub lag: bool,
    /// [`ActivityQuery`].
    pub activity: bool,
    /// [`StorageQuery`].
    pub storage: bool,
    /// [`LeaseStore`].
    pub leases: bool,
}

/// Asks a server how many connections it allows and has.
#[async_trait]
pub trait CapacityQuery<C, E>: Send + Sync {
    /// The server's limit and how much of it is taken.
    ///
    /// # Errors
    ///
    /// The driver's own; the connection is not used again then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the connection is too.
    async fn capacity(&self, connection: &mut C) -> Result<Capacity, E>;
}

/// A server's limit on connections, and how much of it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capacity {
    /// Connections the server allows.
    pub max_connections: usize,
    /// Part of them kept for administrators.
    pub reserved: usize,
    /// Connections open now, by anybody.
    pub in_use: usize,
    /// Connections open now by this application, where the server can tell.
    pub in_use_here: Option<usize>,
    /// What the connection's account may have, if it has a limit of its own.
    pub account: Option<Quota>,
    /// What the connection's database may have, if it has a limit of its own.
    pub database: Option<Quota>,
}

/// A limit within the server's on the connections of an account or a database, and how much of it is
/// taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota {
    /// Connections it allows.
    pub limit: usize,
    /// Connections open now that count against it.
    pub in_use: usize,
}

impl Quota {
    /// A limit of which so much is taken.
    #[must_use]
    pub const fn new(limit: usize, in_use: usize) -> Self {
        Self { limit, in_use }
    }
}

impl Capacity {
    /// A limit of which nothing is reserved or taken.
    #[must_use]
    pub const fn new(max_connections: usize) -> Self {
        Self {
            max_connections,
            reserved: 0,
            in_use: 0,
            in_use_here: None,
            account: None,
            database: None,
        }
    }
}

/// Asks a server whether it takes writes.
#[async_trait]
pub trait RoleQuery<C, E>: Send + Sync {
    /// The server's present role.
    ///
    /// # Errors
    ///
    /// The driver's own; the connection is not used again then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the connection is too.
    async fn role(&self, connection: &mut C) -> Result<Role, E>;
}

/// Whether a server takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Takes reads and writes.
    ReadWrite,
    /// Takes reads only.
    ReadOnly,
}

/// Asks a server how far it is behind the one it replicates.
#[async_trait]
pub trait ReplicationLagQuery<C, E>: Send + Sync {
    /// How much the server has still to apply, as far as it knows that itself.
    ///
    /// # Errors
    ///
    /// The driver's own; the connection is not used again then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the connection is too.
    async fn replication_lag(&self, connection: &mut C) -> Result<ReplicationLag, E>;
}

/// How far a server is behind the one it replicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplicationLag {
    /// It replicates no other server.
    Primary,
    /// It replicates, and is behind by so much; zero if nothing is left to apply, however long ago
    /// the last change was.
    Behind {
        /// At most so long, where the server can tell.
        time: Option<Duration>,
        /// What it knows of and has not applied, in bytes of the other server's log, where it can
        /// tell.
        bytes: Option<u64>,
    },
    /// It is a replica that does not replicate now, or cannot tell.
    Unknown,
}

/// Asks a server how long transactions have been open.
#[async_trait]
pub trait ActivityQuery<C, E>: Send + Sync {
    /// The oldest transactions of all clients that the connection's user may see, but for its own.
    ///
    /// # Errors
    ///
    /// The driver's own, also where a privilege is missing; the connection is not used again then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the connection is too.
    async fn activity(&self, connection: &mut C) -> Result<Activity, E>;
}

/// The oldest of a server's open transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Activity {
    /// How long ago the oldest began; `None` if none is open.
    pub oldest_transaction: Option<Duration>,
    /// For how long a client with an open transaction has sent nothing, at most; `None` if each of
    /// them runs a statement.
    pub oldest_idle_in_transaction: Option<Duration>,
}

/// Asks a database that is a file about the file.
#[async_trait]
pub trait StorageQuery<C, E>: Send + Sync {
    /// How large it is where it can grow without end.
    ///
    /// # Errors
    ///
    /// The driver's own; the connection is not used again then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the connection is too.
    async fn storage(&self, connection: &mut C) -> Result<Storage, E>;

    /// Reads the whole of it for what is broken. A bounded number of findings; none, if it is sound.
    ///
    /// # Errors
    ///
    /// The driver's own, if it could not be read to its end; the connection is not used again then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the connection is too.
    async fn verify(&self, connection: &mut C) -> Result<Vec<String>, E>;
}

/// The sizes of a database's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Storage {
    /// The file of its write-ahead log, in bytes; 0 without one.
    pub wal_bytes: u64,
}

impl Storage {
    /// A write-ahead log of this size.
    #[must_use]
    pub const fn new(wal_bytes: u64) -> Self {
        Self { wal_bytes }
    }
}
