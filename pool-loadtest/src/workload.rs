//! What a load consists of.

use std::error::Error;
use std::future::Future;

use fastrand::Rng;
use pool_core::{Driver, Pool};

/// Work for the connections of one kind of driver.
pub trait Workload<D: Driver>: Send + Sync + 'static {
    /// Makes what the work needs.
    fn prepare(&self, pool: &Pool<D>) -> impl Future<Output = Result<(), WorkloadError>> + Send;

    /// Does one operation on a connection from the pool. May be dropped halfway, at the end of a
    /// run that was interrupted.
    fn step(
        &self,
        connection: &mut D::Connection,
        rng: &mut Rng,
    ) -> impl Future<Output = Result<(), D::Error>> + Send;

    /// Checks, after the last operation, that none was lost or done twice.
    fn verify(&self, pool: &Pool<D>)
    -> impl Future<Output = Result<Checked, WorkloadError>> + Send;

    /// Removes what [`prepare`](Self::prepare) made. Called last, whether or not the steps before
    /// succeeded. Default: nothing to remove.
    fn clean_up(&self, pool: &Pool<D>) -> impl Future<Output = Result<(), WorkloadError>> + Send {
        let _ = pool;
        async { Ok(()) }
    }
}

/// What checking a workload's invariant found, in words for the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Everything is as it must be.
    Held(String),
    /// Something was lost or done twice.
    Broken(String),
}

/// Preparing or checking a workload failed.
#[derive(Debug, thiserror::Error)]
#[error("{step} failed")]
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
