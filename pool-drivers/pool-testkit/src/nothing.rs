//! A driver for benchmarks.

use std::sync::Arc;

use pool_core::{ConnectContext, Driver, Metadata, Released, async_trait};

/// A driver without a server, whose calls succeed at once: what is measured with it is the pool alone.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

/// The error that never comes.
#[derive(Debug, thiserror::Error)]
#[error("never")]
pub enum Never {}

#[async_trait]
impl Driver for Nothing {
    type Connection = Arc<()>;
    type Error = Never;

    async fn connect(&self, _context: ConnectContext) -> Result<Arc<()>, Never> {
        Ok(Arc::new(()))
    }

    async fn check(&self, connection: Arc<()>) -> Result<Arc<()>, Never> {
        Ok(connection)
    }

    async fn reset(&self, connection: Arc<()>) -> Result<Arc<()>, Never> {
        Ok(connection)
    }

    async fn close(&self, _connection: Arc<()>) -> Result<(), Never> {
        Ok(())
    }

    fn released(&self, _connection: &mut Arc<()>) -> Released {
        Released::Clean
    }

    fn metadata(&self) -> Metadata {
        Metadata::new("nothing")
    }
}
