//! A driver that runs a test's code wherever the pool runs foreign code: in each of its calls, and
//! when a connection or an error of its is dropped.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use parking_lot::Mutex;
use pool_core::{
    ConnectContext, Driver, ErrorClass, Metadata, Pool, PoolConfig, PoolOptions, Released,
    async_trait,
};
use pool_testkit::{FakeConnection, FakeDriver, FakeError, FakeServer, Sim};

/// Where foreign code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Connect,
    Check,
    Reset,
    Close,
    Abort,
    Released,
    Classify,
    ConnectionDropped,
    ErrorDropped,
}

type Code = Arc<dyn Fn(&Foreign, Place) + Send + Sync>;

/// What the driver, its connections and its errors share.
#[derive(Clone)]
pub(super) struct Foreign {
    inner: FakeDriver,
    code: Code,
    /// Its own pool, to go back into.
    pool: Arc<Mutex<Option<Pool<Self>>>>,
}

impl Foreign {
    /// A pool of such connections, in virtual time.
    pub(super) fn pool(
        sim: &Sim,
        config: PoolConfig,
        code: impl Fn(&Self, Place) + Send + Sync + 'static,
    ) -> (FakeServer, Pool<Self>) {
        let server = FakeServer::new(sim.runtime());
        let inner = FakeDriver::new(&server);
        let driver = Self { inner, code: Arc::new(code), pool: Arc::default() };
        let known = Arc::clone(&driver.pool);
        let options = PoolOptions { runtime: Some(sim.runtime()), ..config.into() };
        let pool = Pool::new(driver, options).expect("valid");
        *known.lock() = Some(pool.clone());
        (server, pool)
    }

    /// Its own pool, until [`forget`](Self::forget).
    pub(super) fn own_pool(&self) -> Option<Pool<Self>> {
        self.pool.lock().clone()
    }

    /// Gives up the handle to the pool, which would keep it open.
    pub(super) fn forget(&self) {
        let pool = self.pool.lock().take();
        drop(pool);
    }

    fn run(&self, place: Place) {
        (self.code)(self, place);
    }

    fn error(&self, error: FakeError) -> ForeignError {
        ForeignError { error, driver: self.clone() }
    }
}

pub(super) struct ForeignConnection {
    dropped: Dropped,
    inner: FakeConnection,
}

/// Runs the code of its connection's drop, also when a call that had it is cut short.
struct Dropped(Foreign);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.run(Place::ConnectionDropped);
    }
}

impl Deref for ForeignConnection {
    type Target = FakeConnection;

    fn deref(&self) -> &FakeConnection {
        &self.inner
    }
}

impl DerefMut for ForeignConnection {
    fn deref_mut(&mut self) -> &mut FakeConnection {
        &mut self.inner
    }
}

pub(super) struct ForeignError {
    error: FakeError,
    driver: Foreign,
}

impl fmt::Debug for ForeignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Display for ForeignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for ForeignError {}

impl Drop for ForeignError {
    fn drop(&mut self) {
        self.driver.run(Place::ErrorDropped);
    }
}

#[async_trait]
impl Driver for Foreign {
    type Connection = ForeignConnection;
    type Error = ForeignError;

    async fn connect(&self, context: ConnectContext) -> Result<ForeignConnection, ForeignError> {
        self.run(Place::Connect);
        let connected = self.inner.connect(context).await;
        let whole = |inner| ForeignConnection { dropped: Dropped(self.clone()), inner };
        connected.map(whole).map_err(|error| self.error(error))
    }

    async fn check(&self, it: ForeignConnection) -> Result<ForeignConnection, ForeignError> {
        self.run(Place::Check);
        let ForeignConnection { dropped, inner } = it;
        let answered = self.inner.check(inner).await;
        let whole = |inner| ForeignConnection { dropped, inner };
        answered.map(whole).map_err(|error| self.error(error))
    }

    async fn reset(&self, it: ForeignConnection) -> Result<ForeignConnection, ForeignError> {
        self.run(Place::Reset);
        let ForeignConnection { dropped, inner } = it;
        let answered = self.inner.reset(inner).await;
        let whole = |inner| ForeignConnection { dropped, inner };
        answered.map(whole).map_err(|error| self.error(error))
    }

    async fn close(&self, it: ForeignConnection) -> Result<(), ForeignError> {
        self.run(Place::Close);
        let ForeignConnection { dropped: _dropped, inner } = it;
        self.inner.close(inner).await.map_err(|error| self.error(error))
    }

    fn abort(&self, it: ForeignConnection) {
        self.run(Place::Abort);
        drop(it);
    }

    fn released(&self, it: &mut ForeignConnection) -> Released {
        self.run(Place::Released);
        self.inner.released(it)
    }

    fn classify(&self, error: &ForeignError) -> ErrorClass {
        self.run(Place::Classify);
        self.inner.classify(&error.error)
    }

    fn metadata(&self) -> Metadata {
        self.inner.metadata()
    }
}
