//! The driver: `pool_core::Driver` for SQLite.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use pool_core::{
    Capabilities, ConfigError, ConnectContext, Driver, ErrorClass, Metadata, PoolConfig, Problem,
    Released, Role, RoleQuery,
};

use crate::board::Left;
use crate::connection::SqliteConnection;
use crate::error::SqliteError;
use crate::open::Opening;
use crate::options::{Hygiene, Source, SqliteOptions};
use crate::private;
use crate::worker::Worker;

/// Opens connections to one SQLite database.
///
/// The pool's check of an idle connection is `SELECT 1`: it sees a thread that is gone or stuck, not
/// a file that was removed or replaced under the pool. Writes to such a file go on returning `Ok`
/// and are lost; close the pool, or have its control handle `invalidate` it, before moving files.
#[derive(Clone, Debug)]
pub struct SqliteDriver {
    opening: Opening,
}

impl SqliteDriver {
    /// A driver for the database that `options` describe. Touches nothing yet.
    #[must_use]
    pub fn new(options: SqliteOptions) -> Self {
        Self { opening: Opening::new(options) }
    }

    /// The schemes of the URLs that [`from_url`](Self::from_url) reads.
    pub const SCHEMES: &[&str] = &["sqlite"];

    /// A driver for the database at `url`; see [`SqliteOptions::from_url`]. Touches nothing yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem at once.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        SqliteOptions::from_url(url).map(Self::new)
    }

    /// What connections are set up with.
    #[must_use]
    pub fn options(&self) -> &SqliteOptions {
        &self.opening.options
    }

    /// The pool settings to start from with this database: the defaults, as
    /// [`SqliteOptions::pool_defaults`] fits them to it.
    ///
    /// ```
    /// use pool_core::PoolConfig;
    /// use pool_sqlite::{SqliteDriver, SqliteOptions};
    ///
    /// let driver = SqliteDriver::new(SqliteOptions::private_memory());
    /// let config = PoolConfig { max_waiters: 100, ..driver.pool_config() };
    /// assert_eq!((config.max_open, config.max_lifetime), (1, None));
    /// ```
    #[must_use]
    pub fn pool_config(&self) -> PoolConfig {
        self.options().pool_defaults(PoolConfig::default())
    }
}

#[async_trait]
impl Driver for SqliteDriver {
    type Connection = SqliteConnection;
    type Error = SqliteError;

    async fn connect(&self, context: ConnectContext) -> Result<SqliteConnection, SqliteError> {
        let id = context.connection_id;
        let (worker, opened) = Worker::start(id, self.opening.clone())
            .map_err(|source| SqliteError::Thread { database: self.opening.database(), source })?;
        // From here on, dropping the future hangs up, and the thread ends.
        let lock_waits = Arc::clone(&self.opening.lock_waits);
        let connection = SqliteConnection::new(id, worker, context.statements, lock_waits);
        opened.await.unwrap_or(Err(SqliteError::ThreadGone))?;
        Ok(connection)
    }

    /// Whether the thread and SQLite answer: `SELECT 1`. Reads nothing of the database, because
    /// another connection's lock on it is no reason to discard this one. So it does not see that the
    /// file was removed or replaced: on Unix its connections go on reading and writing the file that
    /// has no name any more, and those writes return `Ok` and are lost.
    async fn check(
        &self,
        mut connection: SqliteConnection,
    ) -> Result<SqliteConnection, SqliteError> {
        connection
            .ask(|sqlite| sqlite.prepare_cached("SELECT 1")?.query_row([], |_| Ok(())))
            .await?;
        Ok(connection)
    }

    async fn reset(
        &self,
        mut connection: SqliteConnection,
    ) -> Result<SqliteConnection, SqliteError> {
        connection.clean().await?;
        Ok(connection)
    }

    async fn close(&self, connection: SqliteConnection) -> Result<(), SqliteError> {
        connection.close().await
    }

    fn released(&self, connection: &mut SqliteConnection) -> Released {
        match (self.options().hygiene, connection.left()) {
            (Hygiene::Reopen, _) | (_, Left::Gone) => Released::Discard,
            (Hygiene::Rollback, Left::Dirty) => Released::Dirty,
            (Hygiene::Rollback, Left::Clean) => Released::Clean,
        }
    }

    fn classify(&self, error: &SqliteError) -> ErrorClass {
        error.class(self.options().access)
    }

    /// SQLite's extended code.
    fn status_code(&self, error: &SqliteError) -> Option<Cow<'static, str>> {
        error.status_code()
    }

    fn metadata(&self) -> Metadata {
        let mut metadata = Metadata::new("sqlite");
        metadata.namespace = Some(self.opening.database());
        metadata
    }

    fn pool_defaults(&self, base: PoolConfig) -> PoolConfig {
        self.options().pool_defaults(base)
    }

    fn objections(&self, config: &PoolConfig) -> Vec<Problem> {
        let mut problems = self.options().problems();
        if self.options().source == Source::PrivateMemory {
            problems.extend(private::objections(self.options(), config));
        }
        problems
    }

    fn capabilities(&self) -> Capabilities<'_, SqliteConnection, SqliteError> {
        let in_file = matches!(self.options().source, Source::File(_));
        Capabilities {
            role: Some(self),
            storage: if in_file { Some(self) } else { None },
            ..Capabilities::default()
        }
    }
}

#[async_trait]
impl RoleQuery<SqliteConnection, SqliteError> for SqliteDriver {
    async fn role(&self, connection: &mut SqliteConnection) -> Result<Role, SqliteError> {
        let read_only = connection
            .ask(|sqlite| {
                let query_only: bool =
                    sqlite.pragma_query_value(None, "query_only", |row| row.get(0))?;
                Ok(query_only || sqlite.is_readonly("main")?)
            })
            .await?;
        Ok(if read_only { Role::ReadOnly } else { Role::ReadWrite })
    }
}
