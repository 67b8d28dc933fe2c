//! The driver: `pool_core::Driver` for PostgreSQL.

use std::borrow::Cow;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use pool_core::{
    Capabilities, ConfigError, ConnectContext, Driver, ErrorClass, FleetName, Metadata, PoolConfig,
    Problem, Released,
};

use crate::connection::PostgresConnection;
use crate::error::PostgresError;
use crate::open::Opening;
use crate::options::{At, PostgresOptions};
use crate::secret::{Password, PasswordError, PasswordProvider};

/// Opens connections to one PostgreSQL database.
///
/// Connections live on the tokio runtime around the pool's worker: each has a task there that reads
/// and writes. A pool on another runtime cannot connect, and says so.
///
/// # Behind PgBouncer
///
/// Leave out the cache of statements (`statement_cache=off`) in transaction mode. PgBouncer has one
/// SQLSTATE, 08P01, for nearly all that goes wrong at a login, so that a wrong password cannot be told
/// from what will pass, but by words that are no part of its interface. It is taken to be transient:
/// those who wait for a connection learn of it, in PgBouncer's words, after `outage_grace` instead of at
/// once. [`Pool::open`](pool_core::Pool::open) says it at once, as always.
#[derive(Debug)]
pub struct PostgresDriver {
    opening: ArcSwap<Opening>,
}

impl Clone for PostgresDriver {
    /// A driver of its own: what one takes over later, the other does not.
    fn clone(&self) -> Self {
        Self { opening: ArcSwap::new(self.opening.load_full()) }
    }
}

impl PostgresDriver {
    /// The schemes of the URLs that [`from_url`](Self::from_url) reads.
    pub const SCHEMES: &[&str] = &["postgres", "postgresql"];

    /// A driver for the database that `options` describe. Touches nothing yet.
    #[must_use]
    pub fn new(options: PostgresOptions) -> Self {
        Self { opening: ArcSwap::from_pointee(Opening { options, provider: None }) }
    }

    /// A driver for the database at `url`; see [`PostgresOptions::from_url`]. Touches nothing yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem at once.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        PostgresOptions::from_url(url).map(Self::new)
    }

    /// The same driver, which asks `provide` for the password of each connect, for passwords that
    /// change. After a change, the control handle's `renew` replaces the connections that
    /// were opened with the former one.
    ///
    /// The provider is awaited within the pool's `connect_timeout`.
    ///
    /// ```
    /// use pool_postgres::{Password, PostgresDriver, PostgresOptions};
    ///
    /// async fn fetch_token() -> Result<String, std::io::Error> {
    ///     Ok("short-lived".to_owned())
    /// }
    ///
    /// let driver = PostgresDriver::new(PostgresOptions::tcp("db.example.com", 5432))
    ///     .with_password_provider(|| async { Ok(Password::from(fetch_token().await?)) });
    /// ```
    #[must_use]
    pub fn with_password_provider<F, Fut>(self, provide: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Password, PasswordError>> + Send + 'static,
    {
        let options = self.opening.load().options.clone();
        let provider = Some(PasswordProvider::new(provide));
        Self { opening: ArcSwap::from_pointee(Opening { options, provider }) }
    }

    /// What connections are set up with from now on.
    #[must_use]
    pub fn options(&self) -> PostgresOptions {
        self.opening.load().options.clone()
    }
}

#[async_trait]
impl Driver for PostgresDriver {
    type Connection = PostgresConnection;
    type Error = PostgresError;

    async fn connect(&self, context: ConnectContext) -> Result<PostgresConnection, PostgresError> {
        self.opening.load_full().open(&context).await
    }

    /// Whether the server answers an empty query, and has no transaction open.
    async fn check(
        &self,
        connection: PostgresConnection,
    ) -> Result<PostgresConnection, PostgresError> {
        connection.session().check().await?;
        Ok(connection)
    }

    async fn reset(
        &self,
        mut connection: PostgresConnection,
    ) -> Result<PostgresConnection, PostgresError> {
        connection.session_mut().clean().await?;
        Ok(connection)
    }

    async fn close(&self, connection: PostgresConnection) -> Result<(), PostgresError> {
        connection.close().await;
        Ok(())
    }

    fn released(&self, connection: &mut PostgresConnection) -> Released {
        connection.session_mut().release()
    }

    fn classify(&self, error: &PostgresError) -> ErrorClass {
        error.class()
    }

    /// The SQLSTATE.
    fn status_code(&self, error: &PostgresError) -> Option<Cow<'static, str>> {
        Some(error.code()?.code().to_owned().into())
    }

    /// Of several servers, the first.
    fn metadata(&self) -> Metadata {
        let options = &self.opening.load().options;
        let mut metadata = Metadata::new("postgresql");
        if let Some(host) = options.hosts.first() {
            metadata.server_address = Some(match &host.at {
                At::Tcp(name) => name.clone(),
                At::Unix(directory) => directory.to_string_lossy().into_owned(),
            });
            metadata.server_port = Some(host.port);
        }
        // A database that is not named has the user's name.
        metadata.namespace = options.database.clone().or_else(|| options.user.clone());
        metadata.application = Some(options.application_name.clone());
        metadata
    }

    fn objections(&self, _: &PoolConfig) -> Vec<Problem> {
        self.opening.load().options.problems()
    }

    fn capabilities(&self) -> Capabilities<'_, PostgresConnection, PostgresError> {
        Capabilities {
            capacity: Some(self),
            role: Some(self),
            lag: Some(self),
            activity: Some(self),
            leases: Some(self),
            ..Capabilities::default()
        }
    }

    fn can_take_over(&self, _: &Self) -> bool {
        true
    }

    /// With its password provider, if it has one. A member of a fleet stays who it is.
    fn take_over(&self, successor: Self) {
        let mut opening = successor.opening.into_inner();
        let own = &self.opening.load().options.application_name;
        if FleetName::is_one_fleet(own, &opening.options.application_name) {
            Arc::make_mut(&mut opening).options.application_name.clone_from(own);
        }
        self.opening.store(opening);
    }
}
