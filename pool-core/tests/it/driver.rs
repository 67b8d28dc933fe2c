//! Drivers layered at run time, and what a driver may say against a pool's settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pool_core::{
    Capabilities, ConnectContext, Driver, ErrorClass, Guard, Metadata, OpenError, Pool, PoolConfig,
    PoolOptions, Problem, Released, async_trait,
};
use pool_testkit::{Answer, Call, FakeConnection, FakeDriver, FakeError, FakeServer, Sim};

use crate::rig::SEC;

type AnyFake = Arc<dyn Driver<Connection = FakeConnection, Error = FakeError>>;

/// Counts what goes through it to another driver, and objects to pools of more than two.
struct Counting {
    inner: AnyFake,
    calls: Arc<AtomicUsize>,
}

impl Counting {
    fn inner(&self) -> &AnyFake {
        self.calls.fetch_add(1, Ordering::Relaxed);
        &self.inner
    }
}

#[async_trait]
impl Driver for Counting {
    type Connection = FakeConnection;
    type Error = FakeError;

    async fn connect(&self, context: ConnectContext) -> Result<FakeConnection, FakeError> {
        self.inner().connect(context).await
    }
    async fn check(&self, connection: FakeConnection) -> Result<FakeConnection, FakeError> {
        self.inner().check(connection).await
    }
    async fn reset(&self, connection: FakeConnection) -> Result<FakeConnection, FakeError> {
        self.inner().reset(connection).await
    }
    async fn close(&self, connection: FakeConnection) -> Result<(), FakeError> {
        self.inner().close(connection).await
    }
    fn abort(&self, connection: FakeConnection) {
        self.inner().abort(connection);
    }
    fn released(&self, connection: &mut FakeConnection) -> Released {
        self.inner().released(connection)
    }
    fn classify(&self, error: &FakeError) -> ErrorClass {
        self.inner().classify(error)
    }
    fn metadata(&self) -> Metadata {
        self.inner.metadata()
    }
    fn objections(&self, config: &PoolConfig) -> Vec<Problem> {
        let mut problems = self.inner.objections(config);
        if config.max_open > 2 {
            let value = config.max_open.to_string();
            problems.push(Problem::invalid("max_open", value, "a licence for two", "1 or 2"));
        }
        problems
    }
    fn capabilities(&self) -> Capabilities<'_, FakeConnection, FakeError> {
        self.inner.capabilities()
    }
}

fn layered(server: &FakeServer) -> (AnyFake, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let inner = Arc::new(FakeDriver::new(server));
    (Arc::new(Counting { inner, calls: Arc::clone(&calls) }), calls)
}

fn options(sim: &Sim, max_open: usize) -> PoolOptions {
    let config = PoolConfig { max_open, ..PoolConfig::default() };
    PoolOptions { runtime: Some(sim.runtime()), ..config.into() }
}

#[test]
fn a_driver_behind_two_pointers_serves_a_pool_as_it_does_alone() {
    let sim = Sim::new(1);
    let server = FakeServer::new(sim.runtime());
    let (driver, calls) = layered(&server);
    let pool = Pool::new(driver, options(&sim, 2)).expect("valid");
    server.next(Call::Connect, &[Answer::Permanent, Answer::Ok]);
    let error = sim.block_on(pool.acquire()).expect_err("classified as permanent");
    assert_eq!(error.kind(), pool_core::AcquireErrorKind::ConnectFailed);
    sim.advance(SEC);
    // Connect, dirty, reset, idle, check, discard, close: each once.
    sim.block_on(pool.acquire()).expect("served").begin();
    sim.advance(SEC);
    Guard::discard(sim.block_on(pool.acquire()).expect("served"));
    sim.run();
    let counted = [Call::Connect, Call::Reset, Call::Check, Call::Close].map(|c| server.started(c));
    assert_eq!(counted, [2, 1, 1, 1]);
    let control = pool.control();
    assert_eq!(&*control.metadata().system_name, "fake");
    assert!(control.capabilities().role && control.capabilities().capacity);
    let held = sim.block_on(pool.acquire()).expect("served");
    sim.shut_down();
    Guard::discard(held);
    assert_eq!((server.started(Call::Abort), server.sockets()), (1, 0));
    // Two connects and a classification before the seven above, then connect and abort.
    assert!(calls.load(Ordering::Relaxed) >= 9);
}

#[test]
fn what_a_driver_objects_to_is_reported_with_everything_else() {
    let sim = Sim::new(1);
    let server = FakeServer::new(sim.runtime());
    let mut options = options(&sim, 3);
    options.config.min_idle = 9;
    let Err(OpenError::Config(error)) = Pool::new(layered(&server).0, options) else {
        panic!("two problems");
    };
    let fields: Vec<_> = error.problems().iter().map(|problem| &*problem.field).collect();
    assert_eq!(fields, ["min_idle", "max_open"]);
    let pool = Pool::new(layered(&server).0, self::options(&sim, 2)).expect("valid");
    let config = PoolConfig { max_open: 5, ..pool.config() };
    let error = pool.reconfigure(config).expect_err("a licence for two");
    assert!(error.to_string().contains("a licence for two"), "{error}");
    assert_eq!(pool.config().max_open, 2);
}
