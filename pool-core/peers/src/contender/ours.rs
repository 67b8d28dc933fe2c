//! Our own pool: statistics, call sites and timeouts are on, there is no other way.

use std::future::Future;
use std::time::Duration;

use anyhow::Result;
use pool_core::{ConnectContext, Driver, Metadata, Pool, PoolConfig, Released, async_trait};

use super::{Connector, Contender, Patience, Refused};

/// More than any shape asks for.
const MANY: usize = 1_000_000;

#[derive(Clone)]
pub(crate) struct Ours(Pool<Noop>);

impl Contender for Ours {
    async fn new(connections: usize, connector: Connector, patience: Patience) -> Self {
        let config = PoolConfig {
            max_open: connections,
            max_waiters: MANY,
            acquire_timeout: patience.acquire,
            outage_grace: Some(patience.outage),
            ..PoolConfig::default()
        };
        Self(Pool::new(Noop(connector), config).expect("valid"))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) -> Result<()> {
        let guard = self.0.acquire().await?;
        during.await;
        drop(guard);
        Ok(())
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
    async fn new(connections: usize, connector: Connector, patience: Patience) -> Self {
        Self(Ours::new(connections, connector, patience).await.0)
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) -> Result<()> {
        let guard = self.0.acquire_owned().await?;
        during.await;
        drop(guard);
        Ok(())
    }
}

struct Noop(Connector);

#[async_trait]
impl Driver for Noop {
    type Connection = u64;
    type Error = Refused;

    async fn connect(&self, _: ConnectContext) -> Result<u64, Refused> {
        self.0.connect().await
    }

    async fn check(&self, connection: u64) -> Result<u64, Refused> {
        self.0.answered().await?;
        self.0.alive(connection)?;
        Ok(connection)
    }

    async fn reset(&self, connection: u64) -> Result<u64, Refused> {
        Ok(connection)
    }

    async fn close(&self, _: u64) -> Result<(), Refused> {
        Ok(())
    }

    fn released(&self, connection: &mut u64) -> Released {
        if self.0.is_alive(*connection) { Released::Clean } else { Released::Discard }
    }

    fn metadata(&self) -> Metadata {
        Metadata::new("noop")
    }
}
