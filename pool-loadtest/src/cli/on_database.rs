//! What sweeps and searches have around them: a runtime, signals, and a database to work on, which is a
//! file in a temporary directory if none is named.

use std::future::Future;
use std::pin::Pin;

use anyhow::Context as _;
use pool_sqlite::SqliteOptions;
use tempfile::TempDir;

use super::Failure;
use super::run::usage;
use super::signals::{Signals, Stopped, remove};
use super::target::{Target, Visit};

/// What a command does on a database.
pub(super) type Working<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

/// What a command is told of where it works.
pub(super) struct Place {
    /// Whether a signal has come.
    pub(super) stopped: Stopped,
    /// What to call a database whose path is of no use to anybody, as it is about to be removed.
    pub(super) in_temporary_file: bool,
}

/// Works on the database that `target` names.
///
/// # Errors
///
/// [`Failure::Usage`] with every problem of the target; what the work fails with.
pub(super) fn run<'a, V>(target: Target, work: impl FnOnce(Place) -> V) -> Result<(), Failure>
where
    V: Visit<Output = Working<'a>>,
{
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime");
    runtime.map_err(Failure::Run)?.block_on(async {
        // First of all: whatever is made from here on is removed again.
        let signals = Signals::install().context("cannot listen to signals");
        let signals = signals.map_err(Failure::Run)?;
        let in_temporary_file = !target.names_url();
        let directory = in_temporary_file.then(TempDir::new).transpose();
        let directory = directory.context("cannot make a temporary directory");
        let directory = directory.map_err(Failure::Run)?;
        let path = directory.as_ref().map(|directory| directory.path().to_owned());
        let stopped = signals.listen(move || {
            if let Some(path) = &path {
                remove(path);
            }
        });
        let fallback = match &directory {
            Some(directory) => SqliteOptions::file(directory.path().join("bank.db")),
            None => SqliteOptions::private_memory(),
        };
        let place = Place { stopped, in_temporary_file };
        let working = target.resolve(fallback, work(place)).map_err(usage)?;
        let ended = working.await;
        // Removed only now that every pool is closed.
        drop(directory);
        ended
    })
}
