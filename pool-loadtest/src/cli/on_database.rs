//! What every command has around it that works on a database: a runtime, signals, and the database,
//! which may be on a server of the command's own, or a file in a temporary directory if none is named.

use std::future::{Future, pending};
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use pool_core::{PoolConfig, Resolved};
use pool_sqlite::SqliteOptions;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::own::OwnServer;
use super::run::{PATIENCE, usage};
use super::signals::{Signals, Stopped, remove};
use super::start::OwnSetup;
use super::target::{Target, Visit};
use super::thread::on_a_thread;
use super::{Failure, say};
use crate::database::Database;
use crate::panics::{caught, words};

/// How long a server that nobody wants any more has to come up, so that it can be removed in full. One
/// that takes longer dies with this process.
const LAST_CHANCE: Duration = Duration::from_secs(2);

/// What a command does on a database, whichever it is.
pub(super) trait Work {
    /// Looks at what is to be done before anything is, and before a server is started for it.
    fn check<D: Database + Clone>(&self, driver: &D, config: &PoolConfig) -> Result<(), Failure>;

    /// Does it.
    async fn on<D: Database + Clone>(
        self,
        place: &Place,
        driver: D,
        resolved: Resolved,
    ) -> Result<(), Failure>;
}

/// Where a command works.
pub(super) struct Place {
    /// Whether a signal has come.
    pub(super) stopped: Stopped,
    /// The server that was started for it.
    pub(super) server: Option<Arc<OwnServer>>,
    /// Whether the database is a file that is about to be removed.
    pub(super) in_temporary_file: bool,
}

impl Place {
    /// What reports call a database that has no name of any use, as it is about to be removed.
    pub(super) fn name(&self) -> Option<String> {
        match &self.server {
            Some(server) => Some(server.name()),
            None => self.in_temporary_file.then(|| "a file in a temporary directory".to_owned()),
        }
    }
}

/// Works on the database that `target` names, or on one of a server that is started for it.
///
/// # Errors
///
/// [`Failure::Usage`] with every problem of the target; [`Failure::Interrupted`] if a signal comes
/// before the work begins; what the work fails with; [`Failure::Run`] with its panic.
pub(super) fn run(target: Target, own: Option<OwnSetup>, work: impl Work) -> Result<(), Failure> {
    if let Some(OwnSetup { product, .. }) = own {
        // A server that would be of no use is not started.
        let known = target.at("--start", product.url());
        known.resolve(SqliteOptions::private_memory(), Check(&work)).map_err(usage)??;
    }
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime");
    let ended = runtime.map_err(Failure::Run)?.block_on(caught(run_async(target, own, work)));
    ended.unwrap_or_else(|panic| Err(Failure::Run(anyhow!("the load tester {}", words(&*panic)))))
}

async fn run_async(
    mut target: Target,
    own: Option<OwnSetup>,
    work: impl Work,
) -> Result<(), Failure> {
    // First of all: whatever is made from here on is removed again.
    let signals = Signals::install().context("cannot listen to signals").map_err(Failure::Run)?;
    let in_temporary_file = own.is_none() && !target.names_url();
    let directory = in_temporary_file.then(TempDir::new).transpose();
    let directory = directory.context("cannot make a temporary directory").map_err(Failure::Run)?;
    let path = directory.as_ref().map(|directory| directory.path().to_owned());
    let started = Arc::new(OnceLock::new());
    let server = Arc::clone(&started);
    let stopped = signals.listen(move || tidy(path.as_deref(), server.get()));
    let server = match own {
        Some(own) => Some(start(own, &stopped).await?),
        None => None,
    };
    if let Some(server) = &server {
        let _ = started.set(Arc::clone(server));
        target = target.at("--start", &server.url());
    }
    let fallback = match &directory {
        Some(directory) => SqliteOptions::file(directory.path().join("bank.db")),
        None => SqliteOptions::private_memory(),
    };
    let place = Place { stopped, server, in_temporary_file };
    let working = target.resolve(fallback, Doing { work, place: &place }).map_err(usage)?;
    let ended = working.await;
    // Removed only now that every pool is closed.
    drop(directory);
    ended
}

/// Starts a server of the command's own.
async fn start(own: OwnSetup, stopped: &Stopped) -> Result<Arc<OwnServer>, Failure> {
    let mut starting = pin!(on_a_thread(move || OwnServer::start(own.product, own.fault)));
    let patience = async {
        sleep(PATIENCE).await;
        say("still starting the server");
        pending().await
    };
    let started = tokio::select! {
        started = &mut starting => started,
        never = patience => never,
        () = stopped.wait() => {
            // It is removed as it comes.
            drop(timeout(LAST_CHANCE, starting).await);
            return Err(Failure::Interrupted);
        }
    };
    started.map(Arc::new).map_err(Failure::Run)
}

/// What the second signal leaves no time for otherwise.
fn tidy(directory: Option<&Path>, server: Option<&Arc<OwnServer>>) {
    if let Some(directory) = directory {
        remove(directory);
    }
    let Some(server) = server.map(Arc::clone) else { return };
    let (ended, end) = mpsc::channel();
    // It may be busy starting again: then it ends with this process.
    thread::spawn(move || ended.send(server.end()));
    let _ = end.recv_timeout(PATIENCE);
}

/// Only looks at the work.
struct Check<'a, W>(&'a W);

impl<W: Work> Visit for Check<'_, W> {
    type Output = Result<(), Failure>;

    fn visit<D: Database + Clone>(self, driver: D, resolved: Resolved) -> Self::Output {
        self.0.check(&driver, resolved.config())
    }
}

/// Does the work.
struct Doing<'a, W> {
    work: W,
    place: &'a Place,
}

impl<'a, W: Work + 'a> Visit for Doing<'a, W> {
    type Output = Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

    fn visit<D: Database + Clone>(self, driver: D, resolved: Resolved) -> Self::Output {
        Box::pin(async move {
            let Self { work, place } = self;
            work.check(&driver, resolved.config())?;
            work.on(place, driver, resolved).await
        })
    }
}
