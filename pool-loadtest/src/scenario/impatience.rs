//! cancel-storm: callers that give up while they wait. Nothing may be lost of it: neither a
//! connection nor room for one.

use std::time::Duration;

use pool_core::{AcquireErrorKind, Driver, Pool, PoolConfig};
use tokio::time::timeout;

use super::Notes;
use crate::words::counted;
use crate::workload::{Checked, Step, StepError, Workload, WorkloadError};

/// Callers that give up, for each operation.
const CALLERS: u32 = 3;
/// How long they wait at most, in microseconds.
const PATIENCE_US: u64 = 500;
/// How long the check waits for all connections at once; one is lost if that is not enough.
const LOST: Duration = Duration::from_secs(5);

/// The operation, with callers in the queue meanwhile that give up.
pub(super) async fn step<D: Driver, W: Workload<D>>(
    workload: &W,
    step: Step<'_, D>,
    notes: &Notes,
) -> Result<(), StepError> {
    let Step { kind, connection, pool, rng, .. } = step;
    for _ in 0..CALLERS {
        let patience = Duration::from_micros(rng.u64(0..PATIENCE_US));
        if timeout(patience, pool.acquire()).await.is_err() {
            notes.twisted(1);
        }
    }
    workload.step(Step { kind, connection, pool, rng }).await
}

/// Whether every connection that there may be can still be had, all at once.
pub(super) async fn verify<D: Driver>(
    pool: &Pool<D>,
    held: &str,
) -> Result<Checked, WorkloadError> {
    let most = pool.config().max_open;
    if most == PoolConfig::UNLIMITED {
        return Ok(Checked::Held(format!("{held}; without max_open there is no room to lose")));
    }
    let mut all = Vec::new();
    while all.len() < most {
        match pool.acquire_within(LOST).await {
            Ok(connection) => all.push(connection),
            Err(error) if error.kind() == AcquireErrorKind::Timeout => {
                let (had, stats) = (all.len(), pool.stats());
                return Ok(Checked::Broken(format!(
                    "{had} of {most} connections can be had, so the others are lost: {} open, {} \
                     in use, {} waiting; {held}",
                    stats.open, stats.in_use, stats.waiting
                )));
            }
            Err(error) => return Err(WorkloadError::during("acquiring all connections")(error)),
        }
    }
    let all = counted(most as u64, "connection");
    Ok(Checked::Held(format!("{held}; all of {all} can be had at once")))
}
