//! nested-acquire: an operation wants a second connection while it has its first. With as many of
//! them as connections, all wait for each other.

use pool_core::{AcquireErrorKind, Driver};

use super::Notes;
use crate::workload::{Step, StepError, Workload};

/// A second connection could not be had while the first was held.
#[derive(Debug, thiserror::Error)]
#[error("no second connection while holding the first")]
struct NoSecond(#[source] pool_core::AcquireError);

pub(super) async fn step<D: Driver, W: Workload<D>>(
    workload: &W,
    step: Step<'_, D>,
    notes: &Notes,
) -> Result<(), StepError> {
    let second = step.pool.acquire().await;
    let second = second.map_err(|error| {
        if error.kind() == AcquireErrorKind::Timeout {
            notes.twisted(1);
        }
        NoSecond(error)
    })?;
    let done = workload.step(step).await;
    drop(second);
    done
}
