//! The peers that pool any object, so that a connection costs as little as ours. None tests a
//! connection before it is handed out, and ours not one that was used a moment ago.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use asyncband::pool::bounded::{Pool as AsyncbandPool, PoolConfig as AsyncbandConfig};
use asyncband::pool::{ManageObject, ObjectStatus};
use deadpool::managed::{Manager, Metrics, Pool as DeadpoolPool, RecycleResult};

use super::{Connector, Contender};

const TIMEOUT: Duration = Duration::from_secs(30);

/// The maker of connections, as each peer wants to see it.
#[derive(Debug)]
pub(crate) struct Noop(Connector);

/// It has no timeouts and no call sites.
#[derive(Clone)]
pub(crate) struct Asyncband(Arc<AsyncbandPool<Noop>>);

impl ManageObject for Noop {
    type Object = u64;
    type Error = Infallible;

    async fn create(&self) -> Result<u64, Infallible> {
        Ok(self.0.connect().await)
    }

    async fn is_recyclable(&self, _: &mut u64, _: &ObjectStatus) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Contender for Asyncband {
    async fn new(connections: usize, connector: Connector) -> Self {
        Self(AsyncbandPool::new(AsyncbandConfig::new(connections), Noop(connector)))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) {
        let guard = self.0.get().await.expect("served");
        during.await;
        drop(guard);
    }
}

/// As it comes, or with each of its timeouts on.
#[derive(Clone)]
pub(crate) struct Deadpool<const TIMEOUTS: bool>(DeadpoolPool<Noop>);

impl Manager for Noop {
    type Type = u64;
    type Error = Infallible;

    async fn create(&self) -> Result<u64, Infallible> {
        Ok(self.0.connect().await)
    }

    async fn recycle(&self, _: &mut u64, _: &Metrics) -> RecycleResult<Infallible> {
        Ok(())
    }
}

impl<const TIMEOUTS: bool> Contender for Deadpool<TIMEOUTS> {
    async fn new(connections: usize, connector: Connector) -> Self {
        let timeout = TIMEOUTS.then_some(TIMEOUT);
        let pool = DeadpoolPool::builder(Noop(connector))
            .max_size(connections)
            .runtime(deadpool::Runtime::Tokio1)
            .wait_timeout(timeout)
            .create_timeout(timeout)
            .recycle_timeout(timeout)
            .build();
        Self(pool.expect("valid"))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) {
        let guard = self.0.get().await.expect("served");
        during.await;
        drop(guard);
    }
}

#[derive(Clone)]
pub(crate) struct Bb8(bb8::Pool<Noop>);

impl bb8::ManageConnection for Noop {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self) -> Result<u64, Infallible> {
        Ok(self.0.connect().await)
    }

    async fn is_valid(&self, _: &mut u64) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u64) -> bool {
        false
    }
}

impl Contender for Bb8 {
    async fn new(connections: usize, connector: Connector) -> Self {
        let pool = bb8::Pool::builder()
            .max_size(connections.try_into().expect("few"))
            .connection_timeout(TIMEOUT)
            .test_on_check_out(false);
        Self(pool.build(Noop(connector)).await.expect("valid"))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) {
        let guard = self.0.get().await.expect("served");
        during.await;
        drop(guard);
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

    async fn new(connections: usize, connector: Connector) -> Self {
        let pool = r2d2::Pool::builder()
            .max_size(connections.try_into().expect("few"))
            .min_idle(Some(0))
            .connection_timeout(TIMEOUT)
            .test_on_check_out(false);
        Self(pool.build(Noop(connector)).expect("valid"))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) {
        let guard = self.0.get().expect("served");
        during.await;
        drop(guard);
    }
}
