//! leak: some operations take another connection and never give it back.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pool_core::{Driver, OwnedPoolGuard, PoolConfig};

use super::Notes;
use crate::workload::{Step, StepError, Workload};

/// One operation in so many.
const ONE_IN: u32 = 50;
/// How long the careless wait for the connection that they will forget: not so long that all of them
/// wait for each other.
const PATIENCE: Duration = Duration::from_millis(20);
/// Connections that are forgotten where the pool has no limit.
const MOST: usize = 16;

/// Connections that nobody gives back: they are counted as such when the run is over, and go with this.
pub(super) struct Leak<D: Driver>(Mutex<Vec<OwnedPoolGuard<D>>>);

impl<D: Driver> Default for Leak<D> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<D: Driver> Leak<D> {
    pub(super) async fn step<W: Workload<D>>(
        &self,
        workload: &W,
        step: Step<'_, D>,
        notes: &Notes,
    ) -> Result<(), StepError> {
        let Step { kind, connection, pool, rng, .. } = step;
        let is_careless = rng.u32(0..ONE_IN) == 0;
        workload.step(Step { kind, connection, pool, rng }).await?;
        // One is left: the workload's own check needs it.
        let most = match pool.config().max_open {
            PoolConfig::UNLIMITED => MOST,
            most => most - 1,
        };
        if is_careless
            && self.count() < most
            && let Ok(forgotten) = pool.acquire_owned_within(PATIENCE).await
            && self.forget(forgotten, most)
        {
            notes.twisted(1);
        }
        Ok(())
    }

    /// Keeps it, unless others did so meanwhile with as many as there may be.
    fn forget(&self, forgotten: OwnedPoolGuard<D>, most: usize) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = all.len() < most;
        if has_room {
            all.push(forgotten);
        }
        has_room
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
