//! The pools that are compared, behind one trait.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use asyncband::pool::bounded::{Pool as AsyncbandPool, PoolConfig as AsyncbandConfig};
use asyncband::pool::{ManageObject, ObjectStatus};
use deadpool::managed::{Manager, Metrics, Pool as DeadpoolPool, RecycleResult};
use pool_core::{Pool, PoolConfig};

use crate::noop::Noop;

pub(crate) trait Peer: Clone + Send + Sync + 'static {
    fn new(connections: usize) -> Self;

    /// Acquires, runs `during`, and releases.
    fn with<F: Future<Output = ()> + Send>(&self, during: F) -> impl Future<Output = ()> + Send;
}

/// Statistics, call sites and timeouts on: there is no other way.
#[derive(Clone)]
pub(crate) struct Ours(Pool<Noop>);

impl Peer for Ours {
    fn new(connections: usize) -> Self {
        let config = PoolConfig { max_open: connections, ..PoolConfig::default() };
        Self(Pool::new(Noop, config).expect("valid"))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) {
        let guard = self.0.acquire().await.expect("served");
        during.await;
        drop(guard);
    }
}

/// The same with a guard that borrows nothing.
#[derive(Clone)]
pub(crate) struct OursOwned(Pool<Noop>);

impl Peer for OursOwned {
    fn new(connections: usize) -> Self {
        Self(Ours::new(connections).0)
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) {
        let guard = self.0.acquire_owned().await.expect("served");
        during.await;
        drop(guard);
    }
}

/// Without timeouts and call sites, which it does not have.
#[derive(Clone)]
pub(crate) struct Asyncband(Arc<AsyncbandPool<NoopManager>>);

#[derive(Debug)]
pub(crate) struct NoopManager;

impl ManageObject for NoopManager {
    type Object = u64;
    type Error = Infallible;

    async fn create(&self) -> Result<u64, Infallible> {
        Ok(0)
    }

    async fn is_recyclable(&self, _: &mut u64, _: &ObjectStatus) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Peer for Asyncband {
    fn new(connections: usize) -> Self {
        Self(AsyncbandPool::new(AsyncbandConfig::new(connections), NoopManager))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) {
        let guard = self.0.get().await.expect("served");
        during.await;
        drop(guard);
    }
}

#[derive(Clone)]
pub(crate) struct Deadpool(DeadpoolPool<NoopManager>);

impl Manager for NoopManager {
    type Type = u64;
    type Error = Infallible;

    async fn create(&self) -> Result<u64, Infallible> {
        Ok(0)
    }

    async fn recycle(&self, _: &mut u64, _: &Metrics) -> RecycleResult<Infallible> {
        Ok(())
    }
}

impl Peer for Deadpool {
    fn new(connections: usize) -> Self {
        let timeout = Some(Duration::from_secs(30));
        let pool = DeadpoolPool::builder(NoopManager)
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
