//! The trait that a database client implements to be pooled.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;

use crate::capability::Capabilities;
use crate::config::{PoolConfig, Problem};
use crate::error::ErrorClass;
use crate::statements::Statements;

/// Opens, checks, cleans and closes the connections of one database.
///
/// The pool calls the four async methods from its own background task, each under a timeout and
/// with panics contained: whatever happens costs at most the one connection it is about. A
/// connection is passed by value and given back, so one whose future is dropped is gone, with no
/// special case. The boxed futures of `async-trait` are fine here: acquiring an idle connection
/// and releasing it await none of them.
///
/// The trait is object safe for a fixed connection type: `Arc<dyn Driver<Connection = C, Error = E>>`
/// is itself a driver, so instrumenting or fault-injecting wrappers can be layered at run time.
///
/// Nothing secret of a DSN may appear in errors, metadata or `Debug` output.
///
/// # Cancel safety
///
/// The pool drops the future of a call that takes too long, and calls under way when it is closed.
/// A dropped future must let go of its connection without blocking.
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// An open connection. It moves between the pool and its users: box it if it is large.
    type Connection: Send + 'static;
    /// What can go wrong.
    type Error: Error + Send + Sync + 'static;

    /// Opens a connection that is ready for use. Bounded by `connect_timeout`.
    ///
    /// # Errors
    ///
    /// Why it could not be opened. [`classify`](Self::classify) says what follows from it.
    async fn connect(&self, context: ConnectContext) -> Result<Self::Connection, Self::Error>;

    /// Finds out whether an idle connection is still alive. Bounded by `check_timeout`.
    ///
    /// # Errors
    ///
    /// Why it is not; the connection is discarded.
    async fn check(&self, connection: Self::Connection) -> Result<Self::Connection, Self::Error>;

    /// Makes a connection clean for the next user, after the release of one that
    /// [`released`](Self::released) called dirty. Bounded by `check_timeout`.
    ///
    /// # Errors
    ///
    /// Why it is not clean; the connection is discarded.
    async fn reset(&self, connection: Self::Connection) -> Result<Self::Connection, Self::Error>;

    /// Says a polite goodbye. Bounded by `check_timeout`.
    ///
    /// # Errors
    ///
    /// Why it could not be said; the connection is gone all the same.
    async fn close(&self, connection: Self::Connection) -> Result<(), Self::Error>;

    /// Lets go of a connection at once, without waiting. Called where no background task runs;
    /// must not block or need a runtime.
    fn abort(&self, connection: Self::Connection) {
        drop(connection);
    }

    /// In what state was the connection left? Called when a guard is dropped, on the user's
    /// thread; must not block. May queue work on the wire (a pipelined reset).
    fn released(&self, connection: &mut Self::Connection) -> Released;

    /// What kind of error is this? Decides whether waiting acquires fail at once or the pool tries
    /// again.
    fn classify(&self, error: &Self::Error) -> ErrorClass {
        let _ = error;
        ErrorClass::Transient
    }

    /// The database's own code for this error, for telemetry: a SQLSTATE, a number. `None` if the
    /// database did not say it.
    fn status_code(&self, error: &Self::Error) -> Option<Cow<'static, str>> {
        let _ = error;
        None
    }

    /// What is known of the database, for telemetry. Nothing secret.
    fn metadata(&self) -> Metadata;

    /// The settings from which a pool of this database starts: `base`, a default or a preset, with
    /// what the database cannot have changed. What a user sets is put on top of them.
    fn pool_defaults(&self, base: PoolConfig) -> PoolConfig {
        base
    }

    /// What speaks against a pool of these settings, reported together with what the settings'
    /// own rules find. An in-memory database that only its own connection can see objects to more
    /// than one.
    fn objections(&self, config: &PoolConfig) -> Vec<Problem> {
        let _ = config;
        Vec::new()
    }

    /// Optional questions this driver can answer about its server.
    fn capabilities(&self) -> Capabilities<'_, Self::Connection, Self::Error> {
        Capabilities::default()
    }

    /// Whether this driver, in a pool that runs, can [take over](Self::take_over) what `successor` was
    /// made from.
    fn can_take_over(&self, successor: &Self) -> bool
    where
        Self: Sized,
    {
        let _ = successor;
        false
    }

    /// Takes over what `successor` was made from, such as a URL with a new password: from now on it
    /// connects as that would. Connections that are open go on as they are, whatever of it they go by.
    /// Called only if it [can](Self::can_take_over); must not block.
    fn take_over(&self, successor: Self)
    where
        Self: Sized,
    {
        drop(successor);
    }
}

#[async_trait]
impl<D: Driver + ?Sized> Driver for Arc<D> {
    type Connection = D::Connection;
    type Error = D::Error;

    async fn connect(&self, context: ConnectContext) -> Result<D::Connection, D::Error> {
        (**self).connect(context).await
    }

    async fn check(&self, connection: D::Connection) -> Result<D::Connection, D::Error> {
        (**self).check(connection).await
    }

    async fn reset(&self, connection: D::Connection) -> Result<D::Connection, D::Error> {
        (**self).reset(connection).await
    }

    async fn close(&self, connection: D::Connection) -> Result<(), D::Error> {
        (**self).close(connection).await
    }

    fn abort(&self, connection: D::Connection) {
        (**self).abort(connection);
    }

    fn released(&self, connection: &mut D::Connection) -> Released {
        (**self).released(connection)
    }

    fn classify(&self, error: &D::Error) -> ErrorClass {
        (**self).classify(error)
    }

    fn status_code(&self, error: &D::Error) -> Option<Cow<'static, str>> {
        (**self).status_code(error)
    }

    fn metadata(&self) -> Metadata {
        (**self).metadata()
    }

    fn pool_defaults(&self, base: PoolConfig) -> PoolConfig {
        (**self).pool_defaults(base)
    }

    fn objections(&self, config: &PoolConfig) -> Vec<Problem> {
        (**self).objections(config)
    }

    fn capabilities(&self) -> Capabilities<'_, D::Connection, D::Error> {
        (**self).capabilities()
    }
}

/// What a driver is told about the connection it opens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectContext {
    /// Number of the connection, unique within its pool.
    pub connection_id: u64,
    /// Where the connection tells observers about its statements.
    pub statements: Statements,
}

impl ConnectContext {
    /// For drivers that are tried out without a pool.
    #[must_use]
    pub fn new(connection_id: u64, statements: Statements) -> Self {
        Self { connection_id, statements }
    }
}

/// In what state a user left a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// Ready for the next user.
    Clean,
    /// A reset is already queued on the wire, ahead of whatever the next user sends.
    ResetQueued,
    /// To be cleaned by [`Driver::reset`] before the next user.
    Dirty,
    /// Not to be used again.
    Discard,
}

/// What is known of a database, for telemetry and messages. Nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// Which database system, by its OpenTelemetry name: `postgresql`, `mysql`, `mariadb`,
    /// `sqlite`.
    pub system_name: Cow<'static, str>,
    /// Host name or address of the server.
    pub server_address: Option<String>,
    /// Port of the server.
    pub server_port: Option<u16>,
    /// Database, schema or file.
    pub namespace: Option<String>,
    /// What its connections call themselves to the server, which shows it in its list of sessions.
    pub application: Option<String>,
}

impl Metadata {
    /// A system of which nothing else is known.
    pub fn new(system_name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            system_name: system_name.into(),
            server_address: None,
            server_port: None,
            namespace: None,
            application: None,
        }
    }
}
