//! The peers that pool any object, so that a connection costs as little as ours. None tests a
//! connection before it is handed out, and ours not one that was used a moment ago; each drops one that
//! says it is dead.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use anyhow::Result;
use asyncband::pool::bounded::{Pool as AsyncbandPool, PoolConfig as AsyncbandConfig};
use asyncband::pool::{ManageObject, ObjectStatus};
use deadpool::managed::{Manager, Metrics, Pool as DeadpoolPool, RecycleResult};

use super::{Connector, Contender, Patience, Refused};

/// The maker of connections, as each peer wants to see it.
#[derive(Debug)]
pub(crate) struct Noop(Connector);

/// It has no timeouts and no call sites.
#[derive(Clone)]
pub(crate) struct Asyncband(Arc<AsyncbandPool<Noop>>);

impl ManageObject for Noop {
    type Object = u64;
    type Error = Refused;

    async fn create(&self) -> Result<u64, Refused> {
        self.0.connect().await
    }

    async fn is_recyclable(&self, connection: &mut u64, _: &ObjectStatus) -> Result<(), Refused> {
        self.0.alive(*connection)
    }
}

impl Contender for Asyncband {
    async fn new(connections: usize, connector: Connector, _: Patience) -> Self {
        Self(AsyncbandPool::new(AsyncbandConfig::new(connections), Noop(connector)))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) -> Result<()> {
        let guard = self.0.get().await?;
        during.await;
        drop(guard);
        Ok(())
    }
}

/// As it comes, or with each of its timeouts on.
#[derive(Clone)]
pub(crate) struct Deadpool<const TIMEOUTS: bool>(DeadpoolPool<Noop>);

impl Manager for Noop {
    type Type = u64;
    type Error = Refused;

    async fn create(&self) -> Result<u64, Refused> {
        self.0.connect().await
    }

    async fn recycle(&self, connection: &mut u64, _: &Metrics) -> RecycleResult<Refused> {
        Ok(self.0.alive(*connection)?)
    }
}

impl<const TIMEOUTS: bool> Contender for Deadpool<TIMEOUTS> {
    async fn new(connections: usize, connector: Connector, patience: Patience) -> Self {
        let timeout = TIMEOUTS.then_some(patience.acquire);
        let pool = DeadpoolPool::builder(Noop(connector))
            .max_size(connections)
            .runtime(deadpool::Runtime::Tokio1)
            .wait_timeout(timeout)
            .create_timeout(timeout)
            .recycle_timeout(timeout)
            .build();
        Self(pool.expect("valid"))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) -> Result<()> {
        let guard = self.0.get().await?;
        during.await;
        drop(guard);
        Ok(())
    }
}

#[derive(Clone)]
pub(crate) struct Bb8(bb8::Pool<Noop>);

impl bb8::ManageConnection for Noop {
    type Connection = u64;
    type Error = Refused;

    async fn connect(&self) -> Result<u64, Refused> {
        self.0.connect().await
    }

    async fn is_valid(&self, connection: &mut u64) -> Result<(), Refused> {
        self.0.alive(*connection)
    }

    fn has_broken(&self, connection: &mut u64) -> bool {
        !self.0.is_alive(*connection)
    }
}

impl Contender for Bb8 {
    async fn new(connections: usize, connector: Connector, patience: Patience) -> Self {
        let pool = bb8::Pool::builder()
            .max_size(connections.try_into().expect("few"))
            .connection_timeout(patience.acquire)
            .test_on_check_out(false);
        Self(pool.build(Noop(connector)).await.expect("valid"))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) -> Result<()> {
        let guard = self.0.get().await?;
        during.await;
        drop(guard);
        Ok(())
    }
}

#[derive(Clone)]
pub(crate) struct R2d2(r2d2::Pool<Noop>);

impl r2d2::ManageConnection for Noop {
    type Connection = u64;
    type Error = Infallible;

    fn connect(&self) -> Result<u64, Infallible> {
        Ok(self.0.connect_blocking())
    }

    fn is_valid(&self, _: &mut u64) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u64) -> bool {
        false
    }
}

impl Contender for R2d2 {
    const BLOCKS: bool = true;

    async fn new(connections: usize, connector: Connector, patience: Patience) -> Self {
        let pool = r2d2::Pool::builder()
            .max_size(connections.try_into().expect("few"))
            .min_idle(Some(0))
            .connection_timeout(patience.acquire)
            .test_on_check_out(false);
        Self(pool.build(Noop(connector)).expect("valid"))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) -> Result<()> {
        let guard = self.0.get()?;
        during.await;
        drop(guard);
        Ok(())
    }
}
