//! The driver: `pool_core::Driver` over a manager for deadpool.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use deadpool::managed::Manager;
use pool_core::{ConnectContext, Driver, ErrorClass, Metadata, Released};

use crate::connection::DeadpoolConnection;
use crate::error::DeadpoolError;

type Classes<E> = dyn Fn(&E) -> ErrorClass + Send + Sync;

/// Opens connections as a manager for deadpool does.
pub struct DeadpoolDriver<M: Manager> {
    manager: Arc<M>,
    metadata: Metadata,
    classes: Arc<Classes<M::Error>>,
}

impl<M: Manager> DeadpoolDriver<M> {
    /// A driver over `manager`, which is asked for nothing yet. What is pooled, telemetry learns from
    /// `metadata`.
    #[must_use]
    pub fn new(manager: M, metadata: Metadata) -> Self {
        let classes = Arc::new(|_: &M::Error| ErrorClass::Transient);
        Self { manager: Arc::new(manager), metadata, classes }
    }

    /// The same, with `classes` saying of each error of the manager's what kind it is: a wrong
    /// password, for example, is [`ErrorClass::Permanent`], and fails who waits at once.
    #[must_use]
    pub fn with_classes(
        self,
        classes: impl Fn(&M::Error) -> ErrorClass + Send + Sync + 'static,
    ) -> Self {
        Self { classes: Arc::new(classes), ..self }
    }

    /// The manager.
    #[must_use]
    pub fn manager(&self) -> &M {
        &self.manager
    }
}

#[async_trait]
impl<M> Driver for DeadpoolDriver<M>
where
    M: Manager<Type: Send + 'static, Error: Error + Send + Sync + 'static> + 'static,
{
    type Connection = DeadpoolConnection<M>;
    type Error = DeadpoolError<M::Error>;

    async fn connect(&self, context: ConnectContext) -> Result<Self::Connection, Self::Error> {
        let object = self.manager.create().await.map_err(DeadpoolError::Create)?;
        let manager = Arc::clone(&self.manager);
        let ConnectContext { connection_id, statements, .. } = context;
        Ok(DeadpoolConnection::new(connection_id, object, manager, statements))
    }

    /// `recycle`: deadpool has one word for both.
    async fn check(&self, connection: Self::Connection) -> Result<Self::Connection, Self::Error> {
        self.reset(connection).await
    }

    async fn reset(
        &self,
        mut connection: Self::Connection,
    ) -> Result<Self::Connection, Self::Error> {
        connection.recycle().await?;
        Ok(connection)
    }

    /// Detaches and drops it.
    async fn close(&self, connection: Self::Connection) -> Result<(), Self::Error> {
        drop(connection);
        Ok(())
    }

    fn released(&self, connection: &mut Self::Connection) -> Released {
        connection.left()
    }

    fn classify(&self, error: &Self::Error) -> ErrorClass {
        error.backend().map_or(ErrorClass::Transient, |error| (self.classes)(error))
    }

    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }
}

impl<M: Manager> Clone for DeadpoolDriver<M> {
    fn clone(&self) -> Self {
        let (manager, classes) = (Arc::clone(&self.manager), Arc::clone(&self.classes));
        Self { manager, metadata: self.metadata.clone(), classes }
    }
}

/// Nothing of the manager, which may hold a password.
impl<M: Manager> fmt::Debug for DeadpoolDriver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadpoolDriver").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}
