//! What a load consists of.

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

    /// Does one operation on a connection from the pool.
    ///
    /// # Errors
    ///
    /// The driver's. The operation counts as failed, the task pauses for a moment, and the load
    /// goes on. Errors are grouped by their words.
    ///
    /// # Cancel safety
    ///
    /// Dropped if it is still under way 5 s after the end of the load, or when the run is stopped
    /// while it waits for that.
    fn step(
        &self,
        connection: &mut D::Connection,
        rng: &mut Rng,
    ) -> impl Future<Output = Result<(), D::Error>> + Send;

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
