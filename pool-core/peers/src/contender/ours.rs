//! Our own pool: statistics, call sites and timeouts are on, there is no other way.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use pool_core::{ConnectContext, Driver, Metadata, Pool, PoolConfig, Released, async_trait};

use super::{Connector, Contender};

/// More than any shape asks for.
const MANY: usize = 1_000_000;

#[derive(Clone)]
pub(crate) struct Ours(Pool<Noop>);

impl Contender for Ours {
    async fn new(connections: usize, connector: Connector) -> Self {
        let config =
            PoolConfig { max_open: connections, max_waiters: MANY, ..PoolConfig::default() };
        Self(Pool::new(Noop(connector), config).expect("valid"))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) {
        let guard = self.0.acquire().await.expect("served");
        during.await;
        drop(guard);
    }

    /// Not by holding them: how long connections are held decides how many are opened later.
    async fn warm_up(&self, connections: usize) {
        self.0.warm_up(connections, Duration::from_secs(30)).await.expect("opened");
    }
}

/// The same with a guard that borrows nothing.
#[derive(Clone)]
pub(crate) struct OursOwned(Pool<Noop>);

impl Contender for OursOwned {
    async fn new(connections: usize, connector: Connector) -> Self {
        Self(Ours::new(connections, connector).await.0)
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) {
        let guard = self.0.acquire_owned().await.expect("served");
        during.await;
        drop(guard);
    }
}

struct Noop(Connector);

#[async_trait]
impl Driver for Noop {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self, _: ConnectContext) -> Result<u64, Infallible> {
        Ok(self.0.connect().await)
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
