//! A workload that was prepared once, for several runs one after the other.

use std::borrow::Cow;
use std::sync::Arc;

use fastrand::Rng;
use pool_core::{Driver, Pool};

use crate::workload::{Checked, Step, StepError, Workload, WorkloadError};

/// A workload that is prepared before a run and cleaned up after it by somebody else. What it counts
/// goes on from run to run, as what is in the database does.
#[derive(Debug)]
pub(crate) struct Prepared<W>(Arc<W>);

impl<W> Prepared<W> {
    /// One that was prepared.
    pub(crate) fn new(workload: &Arc<W>) -> Self {
        Self(Arc::clone(workload))
    }
}

impl<D: Driver, W: Workload<D>> Workload<D> for Prepared<W> {
    async fn prepare(&self, _: &Pool<D>) -> Result<(), WorkloadError> {
        Ok(())
    }

    fn name(&self) -> Cow<'_, str> {
        self.0.name()
    }

    fn kinds(&self) -> Vec<String> {
        self.0.kinds()
    }

    fn draw(&self, rng: &mut Rng) -> usize {
        self.0.draw(rng)
    }

    async fn step(&self, step: Step<'_, D>) -> Result<(), StepError> {
        self.0.step(step).await
    }

    async fn verify(&self, pool: &Pool<D>) -> Result<Checked, WorkloadError> {
        self.0.verify(pool).await
    }

    async fn clean_up(&self, _: &Pool<D>) -> Result<(), WorkloadError> {
        Ok(())
    }
}
