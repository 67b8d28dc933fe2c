//! A connection that costs nothing, so that only the pool is measured.

use std::convert::Infallible;

use pool_core::{ConnectContext, Driver, Metadata, Released, async_trait};

pub(crate) struct Noop;

#[async_trait]
impl Driver for Noop {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self, _: ConnectContext) -> Result<u64, Infallible> {
        Ok(0)
    }

    async fn check(&self, connection: u64) -> Result<u64, Infallible> {
        Ok(connection)
    }

    async fn reset(&self, connection: u64) -> Result<u64, Infallible> {
        Ok(connection)
    }

    async fn close(&self, _: u64) -> Result<(), Infallible> {
        Ok(())
    }

    fn released(&self, _: &mut u64) -> Released {
        Released::Clean
    }

    fn metadata(&self) -> Metadata {
        Metadata::new("noop")
    }
}
