//! transaction-hog: some operations keep their connection for long after their work. And churn: all of
//! them keep it for a moment, so that several are in use at once.

use std::time::Duration;

use pool_core::Driver;
use tokio::time::sleep;

use super::Notes;
use crate::workload::{Step, StepError, Workload};

/// One operation in so many.
const ONE_IN: u32 = 20;
/// For how long it keeps its connection.
pub(super) const HOLD: Duration = Duration::from_millis(250);

/// For how long each keeps it where connections are to be in use at once, on a database of any speed.
const LINGER: Duration = Duration::from_millis(3);

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

/// The operation, and a moment more.
pub(super) async fn linger<D: Driver, W: Workload<D>>(
    workload: &W,
    step: Step<'_, D>,
) -> Result<(), StepError> {
    workload.step(step).await?;
    sleep(LINGER).await;
    Ok(())
}
