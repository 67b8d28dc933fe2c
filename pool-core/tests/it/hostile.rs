//! Drivers that do what a driver must not, on real runtimes: block, call back, build panics.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;

use parking_lot::Mutex;
use pool_core::{
    ConnectContext, Driver, Metadata, OpenError, Pool, PoolConfig, PoolGuard, Released, async_trait,
};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use crate::promptly::promptly;
use crate::rig::{MS, SEC};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Its first connect blocks the thread, as a look-up of a host name might.
struct Blocking {
    gate: Mutex<Option<Receiver<()>>>,
    began: Sender<()>,
    aborted: Arc<AtomicU64>,
}

#[async_trait]
impl Driver for Blocking {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self, context: ConnectContext) -> Result<u64, Infallible> {
        let gate = self.gate.lock().take();
        if let Some(gate) = gate {
            self.began.send(()).expect("awaited");
            gate.recv().expect("opened");
        }
        Ok(context.connection_id)
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
    fn abort(&self, _: u64) {
        self.aborted.fetch_add(1, Ordering::Relaxed);
    }
    fn released(&self, _: &mut u64) -> Released {
        Released::Clean
    }
    fn metadata(&self) -> Metadata {
        Metadata::new("blocking")
    }
}

#[test]
fn what_an_evicted_worker_still_brings_is_let_go_of_and_touches_nothing() {
    let (open, gate) = channel();
    let (began, has_begun) = channel();
    let aborted = Arc::new(AtomicU64::new(0));
    let driver = Blocking { gate: Mutex::new(Some(gate)), began, aborted: Arc::clone(&aborted) };
    let config = PoolConfig { max_open: 2, ..PoolConfig::default() };
    let pool = Pool::new(driver, config).expect("valid");

    let blocked = thread::spawn({
        let pool = pool.clone();
        move || current_thread().block_on(async { pool.acquire().await.map(|guard| *guard) })
    });
    has_begun.recv().expect("the first connect");
    let runtime = current_thread();
    // This one gives the blocked worker up and starts another, which opens for both of them, one
    // connection in the very slot that the blocked connect was for.
    let guard = runtime.block_on(pool.acquire()).expect("served");
    assert_eq!(*guard, 3);
    open.send(()).expect("awaited");
    assert_eq!(blocked.join().expect("no panic").expect("served"), 2);
    drop(guard);
    assert_eq!(aborted.load(Ordering::Relaxed), 1, "the late one is nobody's");
    let stats = pool.stats();
    assert_eq!((stats.open, stats.idle, stats.opened), (2, 2, 2), "{stats:?}");
}

/// Its resets never end, and its connections panic when they are dropped.
struct Clinging {
    dropped: Arc<AtomicU64>,
}

struct Panicking(Arc<AtomicU64>);

impl Drop for Panicking {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("in the drop of a connection");
    }
}

#[async_trait]
impl Driver for Clinging {
    type Connection = Panicking;
    type Error = Infallible;

    async fn connect(&self, _: ConnectContext) -> Result<Panicking, Infallible> {
        Ok(Panicking(Arc::clone(&self.dropped)))
    }
    async fn check(&self, connection: Panicking) -> Result<Panicking, Infallible> {
        Ok(connection)
    }
    async fn reset(&self, connection: Panicking) -> Result<Panicking, Infallible> {
        let _held = connection;
        pending().await
    }
    async fn close(&self, _: Panicking) -> Result<(), Infallible> {
        Ok(())
    }
    fn released(&self, _: &mut Panicking) -> Released {
        Released::Dirty
    }
    fn metadata(&self) -> Metadata {
        Metadata::new("clinging")
    }
}

#[test]
fn an_evicted_worker_drops_every_connection_though_each_panics() {
    let dropped = Arc::new(AtomicU64::new(0));
    let config = PoolConfig { max_open: 3, check_timeout: 200 * MS, ..PoolConfig::default() };
    let pool = Pool::new(Clinging { dropped: Arc::clone(&dropped) }, config).expect("valid");
    let left_alone = current_thread();
    left_alone.block_on(async {
        let held = [pool.acquire().await, pool.acquire().await, pool.acquire().await];
        drop(held.map(|guard| guard.expect("served")));
        // The worker begins the resets.
        yield_now().await;
    });
    assert_eq!(pool.stats().resetting, 3);

    // This one gives the worker up, which is due and does not run, and starts another.
    let guard = current_thread().block_on(pool.acquire()).expect("served");
    std::mem::forget(PoolGuard::detach(guard));
    left_alone.block_on(async {
        // The runtime sees that the timer is over, then runs the worker.
        for _ in 0..10 {
            yield_now().await;
        }
    });
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
}

static CALLED_BACK: OnceLock<Pool<CallingBack>> = OnceLock::new();

/// Its errors call the pool when they are dropped.
struct CallingBack;

#[derive(Debug)]
struct CallsBack;

impl fmt::Display for CallsBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for CallsBack {}

impl Drop for CallsBack {
    fn drop(&mut self) {
        drop(CALLED_BACK.get().expect("made").stats());
    }
}

#[async_trait]
impl Driver for CallingBack {
    type Connection = ();
    type Error = CallsBack;

    async fn connect(&self, context: ConnectContext) -> Result<(), CallsBack> {
        if context.connection_id <= 3 { Err(CallsBack) } else { Ok(()) }
    }
    async fn check(&self, (): ()) -> Result<(), CallsBack> {
        Ok(())
    }
    async fn reset(&self, (): ()) -> Result<(), CallsBack> {
        Ok(())
    }
    async fn close(&self, (): ()) -> Result<(), CallsBack> {
        Ok(())
    }
    fn released(&self, (): &mut ()) -> Released {
        Released::Clean
    }
    fn metadata(&self) -> Metadata {
        Metadata::new("calling back")
    }
}

#[test]
fn no_error_of_a_driver_is_dropped_under_the_lock() {
    let config = PoolConfig { outage_grace: None, ..PoolConfig::default() };
    let pool = CALLED_BACK.get_or_init(|| Pool::new(CallingBack, config).expect("valid"));
    // Three connects fail, each error replaces the one before, and a success ends the outage.
    promptly(|| {
        drop(current_thread().block_on(pool.acquire_within(5 * SEC)).expect("served"));
    });
}

/// Panics while it builds the future of its connect, as a hand-written driver may.
struct PanicsEarly;

impl Driver for PanicsEarly {
    type Connection = ();
    type Error = Infallible;

    fn connect<'a, 'f>(
        &'a self,
        _: ConnectContext,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        panic!("before there is a future");
    }
    fn check<'a, 'f>(
        &'a self,
        (): (),
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async { Ok(()) })
    }
    fn reset<'a, 'f>(
        &'a self,
        (): (),
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async { Ok(()) })
    }
    fn close<'a, 'f>(
        &'a self,
        (): (),
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async { Ok(()) })
    }
    fn released(&self, (): &mut ()) -> Released {
        Released::Clean
    }
    fn metadata(&self) -> Metadata {
        Metadata::new("panicking early")
    }
}

#[test]
fn a_panic_before_there_is_a_future_is_an_error_of_open_and_of_acquire() {
    let runtime = current_thread();
    let error = runtime.block_on(Pool::open(PanicsEarly, PoolConfig::default()));
    let error = error.expect_err("no connection");
    assert!(matches!(&error, OpenError::Connect { source, .. }
        if source.to_string().contains("before there is a future")));
    let pool = Pool::new(PanicsEarly, PoolConfig::default()).expect("valid");
    let error = runtime.block_on(pool.acquire_within(20 * MS)).expect_err("no connection");
    let source = std::error::Error::source(&error).expect("the panic");
    assert!(source.to_string().contains("before there is a future"), "{source}");
}
