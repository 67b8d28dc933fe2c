//! What a load consists of.

use std::borrow::Cow;
use std::error::Error;
use std::future::Future;

use fastrand::Rng;
use pool_core::{Driver, Pool};

/// Work for the connections of one kind of driver.
///
/// Any of its futures may be dropped at any await: when the run is stopped, or takes too long. What
/// was asked of the database by then may or may not have been done, which
/// [`verify`](Self::verify) must allow for. None but [`step`](Self::step) is bounded by the load
/// tester: whatever they wait for, they must bound themselves, as an acquire does.
pub trait Workload<D: Driver>: Send + Sync + 'static {
    /// Makes what the work needs.
    ///
    /// # Errors
    ///
    /// [`WorkloadError`] if it could not be made; there is no load then, and
    /// [`clean_up`](Self::clean_up) is called.
    ///
    /// # Cancel safety
    ///
    /// Dropped when the run is stopped; [`clean_up`](Self::clean_up) is called then.
    fn prepare(&self, pool: &Pool<D>) -> impl Future<Output = Result<(), WorkloadError>> + Send;

    /// What the work is called in reports. Default: `custom`.
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("custom")
    }

    /// The kinds of operation it does, such as `read` and `transfer`, each measured by itself; at
    /// least one, of which the first 16 are told apart. Asked once, before
    /// [`prepare`](Self::prepare). Default: one kind, `operation`.
    fn kinds(&self) -> Vec<String> {
        vec!["operation".to_owned()]
    }

    /// Chooses what kind the next operation is, before its connection is acquired: an index into
    /// [`kinds`](Self::kinds). Default: the first.
    fn draw(&self, rng: &mut Rng) -> usize {
        let _ = rng;
        0
    }

    /// Does one operation on a connection from the pool.
    ///
    /// # Errors
    ///
    /// Any. The operation counts as failed, the task pauses for a moment, and the load goes on.
    /// Errors are grouped by their words.
    ///
    /// # Cancel safety
    ///
    /// Dropped if it is still under way 5 s after the end of the load, or when the run is stopped
    /// while it waits for that.
    fn step(&self, step: Step<'_, D>) -> impl Future<Output = Result<(), StepError>> + Send;

    /// Checks, after the last operation, that none was lost or done twice.
    ///
    /// # Errors
    ///
    /// [`WorkloadError`] if it could not be checked, which is not the same as
    /// [`Checked::Broken`].
    ///
    /// # Cancel safety
    ///
    /// Dropped when the run is stopped; the invariant is unchecked then.
    fn verify(&self, pool: &Pool<D>)
    -> impl Future<Output = Result<Checked, WorkloadError>> + Send;

    /// Removes what [`prepare`](Self::prepare) made. Called last, whether or not the steps before
    /// succeeded. Default: nothing to remove.
    ///
    /// # Errors
    ///
    /// [`WorkloadError`] if something may be left; the report warns of it.
    ///
    /// # Cancel safety
    ///
    /// Dropped after half a second if something has gone wrong before or the run was stopped.
    fn clean_up(&self, pool: &Pool<D>) -> impl Future<Output = Result<(), WorkloadError>> + Send {
        let _ = pool;
        async { Ok(()) }
    }
}

/// One operation to do.
#[derive(Debug)]
#[non_exhaustive]
pub struct Step<'a, D: Driver> {
    /// What kind of operation, as [`Workload::draw`] chose.
    pub kind: usize,
    /// The connection it is done on. It goes back to the pool afterwards.
    pub connection: &'a mut D::Connection,
    /// The pool it is from.
    pub pool: &'a Pool<D>,
    /// The random numbers of the run.
    pub rng: &'a mut Rng,
}

/// Why an operation failed; `?` makes it of any error.
pub type StepError = Box<dyn Error + Send + Sync>;

/// What checking a workload's invariant found, in words for the report.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checked {
    /// Everything is as it must be.
    Held(String),
    /// Something was lost or done twice.
    Broken(String),
}

/// Preparing or checking a workload failed.
#[derive(Debug, thiserror::Error)]
#[error("{step} failed")]
#[non_exhaustive]
pub struct WorkloadError {
    /// What was being done.
    pub step: &'static str,
    /// Why it failed.
    pub source: Box<dyn Error + Send + Sync>,
}

impl WorkloadError {
    /// Says what was being done when `source` happened.
    pub fn during<E: Into<Box<dyn Error + Send + Sync>>>(
        step: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self { step, source: source.into() }
    }
}
