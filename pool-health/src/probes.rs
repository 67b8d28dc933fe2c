//! What Kubernetes asks a program: does it live, is it ready, has it started; and how it ends.

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use pool_core::runtime::{NoRuntime, Runtime, default_runtime};
use pool_core::{Brief, CloseReport, ControlHandle, Driver};

use crate::checker::HealthChecker;
use crate::health::{Health, HealthState};
use crate::route::Router;

/// Whether a program is ready for requests, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Readiness {
    /// Whether it is.
    pub is_ready: bool,
    /// What speaks against it; empty if it is ready. Nothing secret.
    pub reasons: Vec<String>,
}

/// The three probes of a program, for an endpoint or an orchestrator of any kind.
///
/// `live` does not ask how the databases are: a program that is started anew beside one that is down
/// helps nobody. `ready` is what its required pools say; a pool that is saturated stays ready, as taking
/// the program out of rotation would only burden the others. Cloning gives another handle.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = pool_testkit::FakeServer::new(std::sync::Arc::new(pool_core::runtime::TokioRuntime::new()));
/// # let driver = pool_testkit::FakeDriver::new(&server);
/// # let pool = pool_core::Pool::new(driver, pool_core::PoolConfig::default())?;
/// use std::sync::Arc;
/// use pool_health::{HealthChecker, HealthOptions, Probes};
///
/// let probes = Probes::new();
/// let checker = HealthChecker::start(&pool.control(), HealthOptions::default())?;
/// probes.require(Arc::new(checker));
/// assert!(probes.live());
/// assert!(!probes.ready().is_ready); // nothing is known of the database yet
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Probes {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    pools: Mutex<Vec<Watched>>,
    routes: Mutex<Vec<Arc<Note>>>,
    notes: Mutex<Vec<Arc<Note>>>,
    has_started: AtomicBool,
    is_ending: AtomicBool,
}

/// Something to be looked at, as long as it says so.
type Note = dyn Fn() -> Option<String> + Send + Sync;

#[derive(Clone)]
struct Watched {
    checker: Arc<HealthChecker>,
    is_required: bool,
}

impl Probes {
    /// Probes that ask for nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The program is ready only while this pool serves.
    pub fn require(&self, checker: Arc<HealthChecker>) {
        self.inner.pools.lock().push(Watched { checker, is_required: true });
    }

    /// The program is ready only while a server of this route takes writes, whichever that is: a primary
    /// that was lost does not matter any more once another was promoted. Its pools are shown in details.
    pub fn require_route<D: Driver>(&self, router: &Arc<Router<D>>) {
        let route = Arc::clone(router);
        let lacks_primary = move || route.write().err().map(|error| error.to_string());
        self.inner.routes.lock().push(Arc::new(lacks_primary));
        router.checkers().for_each(|checker| self.show(checker));
    }

    /// This pool is shown in details; the program is ready without it.
    pub fn show(&self, checker: Arc<HealthChecker>) {
        self.inner.pools.lock().push(Watched { checker, is_required: false });
    }

    /// Shows in details what `note` says, as long as it says something: a configuration that is refused,
    /// for example. The program stays ready. It must be quick and wait for nothing: who asks for details
    /// is answered by the thread that answers all probes.
    pub fn note(&self, note: impl Fn() -> Option<String> + Send + Sync + 'static) {
        self.inner.notes.lock().push(Arc::new(note));
    }

    /// Whether the program lives. It does if it can say so.
    #[must_use]
    pub fn live(&self) -> bool {
        true
    }

    /// Whether requests should be sent to it; not while nothing is required or shown, as a program that has
    /// not come so far has begun, no more.
    #[must_use]
    pub fn ready(&self) -> Readiness {
        let not_ready = |why: &str| Readiness { is_ready: false, reasons: vec![why.to_owned()] };
        if self.inner.is_ending.load(Ordering::Acquire) {
            return not_ready("the program is ending");
        }
        let pools = self.inner.pools.lock();
        if pools.is_empty() && self.inner.routes.lock().is_empty() {
            return not_ready("nothing is required or shown yet");
        }
        let required = pools.iter().filter(|watched| watched.is_required);
        let health = required.map(|watched| watched.checker.health());
        let mut reasons: Vec<_> =
            health.filter(|health| !health.state.serves()).map(|it| it.to_string()).collect();
        drop(pools);
        reasons.extend(self.inner.routes.lock().iter().filter_map(|route| route()));
        Readiness { is_ready: reasons.is_empty(), reasons }
    }

    /// Whether the program has found out how its pools are, once, those that are only shown as well; not
    /// whether they are well. Who does not start in time is started anew, and that helps no database that
    /// is down. Not while nothing is required or shown.
    #[must_use]
    pub fn started(&self) -> bool {
        let pools = self.inner.pools.lock();
        let is_known = |watched: &Watched| watched.checker.health().state != HealthState::Unknown;
        if !pools.is_empty() && pools.iter().all(is_known) {
            self.inner.has_started.store(true, Ordering::Release);
        }
        self.inner.has_started.load(Ordering::Acquire)
    }

    /// What is said by those who were given to [`note`](Self::note).
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        // Foreign code, outside the lock.
        let notes = self.inner.notes.lock().clone();
        notes.iter().filter_map(|note| said(&**note)).collect()
    }

    /// The health of every pool, in the order in which they were added.
    #[must_use]
    pub fn health(&self) -> Vec<Arc<Health>> {
        self.inner.pools.lock().iter().map(|watched| watched.checker.health()).collect()
    }

    /// From now on the program is not ready, for good.
    pub fn end(&self) {
        self.inner.is_ending.store(true, Ordering::Release);
    }

    /// Ends in order: the program is not ready any more, and its pools serve as before for `notice`, as
    /// requests still come from those who have not heard. Then the pools are closed: they open nothing any
    /// more, and connections in use are waited for, at most for `drain`.
    ///
    /// # Errors
    ///
    /// The calling thread is not inside an async runtime. The program is not ready nevertheless.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it leaves the program not ready, and the pools as far as they had come.
    pub async fn shutdown(
        &self,
        pools: &[ControlHandle],
        options: ShutdownOptions,
    ) -> Result<ShutdownReport, NoRuntime> {
        self.end();
        let ShutdownOptions { notice, drain, runtime } = options;
        let runtime = runtime.map_or_else(default_runtime, Ok)?;
        let began = runtime.now();
        let mut timer = runtime.timer()?;
        timer.reset(began.after(notice));
        poll_fn(|cx| timer.poll_expired(cx)).await;
        let reports = join_all(pools.iter().map(|pool| pool.close(drain))).await;
        let names = pools.iter().map(|pool| pool.name().into());
        Ok(ShutdownReport { took: runtime.now().since(began), pools: names.zip(reports).collect() })
    }
}

/// What a note says. One that panics is not to take a program out of rotation that is well.
fn said(note: &Note) -> Option<String> {
    catch_unwind(AssertUnwindSafe(note)).unwrap_or_else(|_| Some("a note panicked".to_owned()))
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probes").field("health", &self.health()).finish_non_exhaustive()
    }
}

/// How a program ends.
#[derive(Clone, Debug)]
pub struct ShutdownOptions {
    /// How long it goes on serving after it is not ready any more: until whoever sends requests has
    /// noticed. Default: 5 s, Kubernetes' endpoints take a few.
    pub notice: Duration,
    /// How long connections in use are waited for after that. Default: 20 s; both together should be less
    /// than the `terminationGracePeriodSeconds` of 30.
    pub drain: Duration,
    /// Instead of the default one.
    pub runtime: Option<Arc<dyn Runtime>>,
}

impl Default for ShutdownOptions {
    fn default() -> Self {
        Self { notice: Duration::from_secs(5), drain: Duration::from_secs(20), runtime: None }
    }
}

/// What ending came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct ShutdownReport {
    /// How long it took.
    pub took: Duration,
    /// Every pool's name and report.
    pub pools: Vec<(Arc<str>, CloseReport)>,
}

impl ShutdownReport {
    /// Whether every connection was back before the deadline.
    #[must_use]
    pub fn drained(&self) -> bool {
        self.pools.iter().all(|(_, report)| report.drained)
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ended after {}", Brief(self.took))?;
        for (pool, report) in &self.pools {
            write!(f, "\n  {pool}: {report}")?;
        }
        Ok(())
    }
}
