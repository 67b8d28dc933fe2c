//! A workload as a scenario has it: with a twist, and with notes of when it succeeded.

use std::borrow::Cow;
use std::sync::Arc;

use fastrand::Rng;
use pool_core::{Driver, Pool};
use tokio::sync::watch;

use super::leak::Leak;
use super::{Notes, Scenario, Twist, cold, hog, impatience, nested};
use crate::workload::{Checked, Step, StepError, Workload, WorkloadError};

/// A workload as a scenario has it; without a scenario, as it is.
pub(crate) struct Staged<D: Driver, W> {
    workload: W,
    scenario: Option<&'static Scenario>,
    notes: Arc<Notes>,
    /// Connections that nobody gives back.
    leak: Leak<D>,
    /// Whether whatever befell the server is over.
    calm: watch::Receiver<bool>,
}

impl<D: Driver, W> Staged<D, W> {
    /// `calm` becomes true, or its sender goes, once whatever befell the server is over.
    pub(crate) fn new(
        workload: W,
        scenario: Option<&'static Scenario>,
        notes: Arc<Notes>,
        calm: watch::Receiver<bool>,
    ) -> Self {
        Self { workload, scenario, notes, leak: Leak::default(), calm }
    }

    /// What is unusual about the work: nothing, before the load.
    fn twist(&self) -> Twist {
        let has_begun = self.notes.pulse.has_begun();
        self.scenario.filter(|_| has_begun).map_or(Twist::None, |scenario| scenario.twist)
    }
}

impl<D: Driver, W: Workload<D>> Workload<D> for Staged<D, W> {
    async fn prepare(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        self.workload.prepare(pool).await?;
        if self.scenario.is_some_and(|scenario| scenario.is_cold) {
            cold::cool_down(pool).await;
        }
        Ok(())
    }

    fn name(&self) -> Cow<'_, str> {
        self.workload.name()
    }

    fn kinds(&self) -> Vec<String> {
        self.workload.kinds()
    }

    fn draw(&self, rng: &mut Rng) -> usize {
        self.workload.draw(rng)
    }

    async fn step(&self, step: Step<'_, D>) -> Result<(), StepError> {
        let (workload, notes) = (&self.workload, &*self.notes);
        match self.twist() {
            Twist::None => workload.step(step).await?,
            Twist::Linger => hog::linger(workload, step).await?,
            Twist::Hog => hog::step(workload, step, notes).await?,
            Twist::Leak => self.leak.step(workload, step, notes).await?,
            Twist::Impatience => impatience::step(workload, step, notes).await?,
            Twist::Nested => nested::step(workload, step, notes).await?,
        }
        if self.scenario.is_some() {
            notes.pulse.beat();
        }
        Ok(())
    }

    async fn verify(&self, pool: &Pool<D>) -> Result<Checked, WorkloadError> {
        // A server that is being started again takes its time.
        let _ = self.calm.clone().wait_for(|is_calm| *is_calm).await;
        let checked = self.workload.verify(pool).await?;
        match (self.twist(), checked) {
            (Twist::Impatience, Checked::Held(held)) => impatience::verify(pool, &held).await,
            (_, checked) => Ok(checked),
        }
    }

    async fn clean_up(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        self.workload.clean_up(pool).await
    }
}
