//! transaction-hog: some operations keep their connection for long after their work.

use std::time::Duration;

use pool_core::Driver;
use tokio::time::sleep;

use super::Notes;
use crate::workload::{Step, StepError, Workload};

/// One operation in so many.
const ONE_IN: u32 = 20;
/// For how long it keeps its connection.
pub(super) const HOLD: Duration = Duration::from_millis(250);

pub(super) async fn step<D: Driver, W: Workload<D>>(
    workload: &W,
    step: Step<'_, D>,
    notes: &Notes,
) -> Result<(), StepError> {
    let is_hog = step.rng.u32(0..ONE_IN) == 0;
    workload.step(step).await?;
    if is_hog {
        notes.twisted(1);
        sleep(HOLD).await;
    }
    Ok(())
}
