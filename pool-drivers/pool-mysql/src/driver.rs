//! The driver: `pool_core::Driver` for MySQL and MariaDB.

use std::borrow::Cow;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use pool_core::{
    Capabilities, ConfigError, ConnectContext, Driver, ErrorClass, FleetName, Metadata, PoolConfig,
    Problem, Released,
};

use crate::connection::MysqlConnection;
use crate::error::MysqlError;
use crate::open::open;
use crate::options::{Address, MysqlOptions};

/// Opens connections to one MySQL or MariaDB server.
///
/// # Fleets
///
/// A fleet's ledger is in the database of the connection, in two tables that whoever comes first creates.
///
/// Which sessions a member still has is told by their `program_name`, where the account has `SELECT` on
/// `performance_schema.session_connect_attrs` and the server has that switched on, as MySQL by default and
/// MariaDB with `performance_schema=ON`. Else only control connections are recognised: a member that has
/// lost its own is given up with its lease, whatever it holds. If members have different users, or come
/// through a proxy that shares its sessions among clients, time alone tells.
///
/// Members that use several nodes of one cluster are a fleet for each node.
#[derive(Debug)]
pub struct MysqlDriver {
    options: ArcSwap<MysqlOptions>,
}

impl Clone for MysqlDriver {
    /// A driver of its own: what one takes over later, the other does not.
    fn clone(&self) -> Self {
        Self { options: ArcSwap::new(self.options.load_full()) }
    }
}

impl MysqlDriver {
    /// A driver for the server that `options` describe. Touches nothing yet.
    #[must_use]
    pub fn new(options: MysqlOptions) -> Self {
        Self { options: ArcSwap::from_pointee(options) }
    }

    /// The schemes of the URLs that [`from_url`](Self::from_url) reads.
    pub const SCHEMES: &[&str] = &["mysql", "mariadb"];

    /// A driver for the server at `url`; see [`MysqlOptions::from_url`]. Touches nothing yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem at once.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        MysqlOptions::from_url(url).map(Self::new)
    }

    /// What connections are set up with from now on.
    #[must_use]
    pub fn options(&self) -> MysqlOptions {
        MysqlOptions::clone(&self.options.load())
    }
}

#[async_trait]
impl Driver for MysqlDriver {
    type Connection = MysqlConnection;
    type Error = MysqlError;

    async fn connect(&self, context: ConnectContext) -> Result<MysqlConnection, MysqlError> {
        let options = self.options.load_full();
        let wire = open(&options).await?;
        Ok(MysqlConnection::new(context, wire, &options))
    }

    /// `COM_PING`: a round trip in which the server runs no statement.
    async fn check(&self, mut connection: MysqlConnection) -> Result<MysqlConnection, MysqlError> {
        connection.ping().await?;
        Ok(connection)
    }

    async fn reset(&self, mut connection: MysqlConnection) -> Result<MysqlConnection, MysqlError> {
        connection.reset().await?;
        Ok(connection)
    }

    async fn close(&self, connection: MysqlConnection) -> Result<(), MysqlError> {
        connection.close().await
    }

    fn abort(&self, connection: MysqlConnection) {
        connection.abort();
    }

    fn released(&self, connection: &mut MysqlConnection) -> Released {
        connection.released()
    }

    fn classify(&self, error: &MysqlError) -> ErrorClass {
        error.class()
    }

    /// The server's number for the error.
    fn status_code(&self, error: &MysqlError) -> Option<Cow<'static, str>> {
        error.status_code()
    }

    fn metadata(&self) -> Metadata {
        let options = self.options.load();
        let mut metadata = Metadata::new(options.system.name());
        match &options.address {
            Address::Tcp { host, port } => {
                metadata.server_address = Some(host.clone());
                metadata.server_port = Some(*port);
            }
            Address::Socket(path) => metadata.server_address = Some(path.display().to_string()),
        }
        metadata.namespace.clone_from(&options.database);
        metadata.application = Some(options.program_name.clone());
        metadata
    }

    fn objections(&self, _: &PoolConfig) -> Vec<Problem> {
        self.options.load().problems()
    }

    fn capabilities(&self) -> Capabilities<'_, MysqlConnection, MysqlError> {
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

    /// A member of a fleet stays who it is.
    fn take_over(&self, successor: Self) {
        let mut options = successor.options.into_inner();
        let own = &self.options.load().program_name;
        if FleetName::is_one_fleet(own, &options.program_name) {
            Arc::make_mut(&mut options).program_name.clone_from(own);
        }
        self.options.store(options);
    }
}
