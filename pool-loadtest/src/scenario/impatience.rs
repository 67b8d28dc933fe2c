//! cancel-storm: callers that give up while they wait. Nothing may be lost of it: neither a
//! connection nor room for one.

use std::time::Duration;

use fastrand::Rng;
use pool_core::{AcquireErrorKind, Driver, Pool, PoolConfig};
use tokio::task::yield_now;

use super::Notes;
use crate::words::counted;
use crate::workload::{Checked, Step, StepError, Workload, WorkloadError};

/// Callers that give up, for each operation.
const CALLERS: u32 = 3;
/// How often they let others go first at most, before they give up. A timer would count milliseconds.
const PATIENCE: u32 = 4;
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
        tokio::select! {
            biased;
            _ = pool.acquire() => {}
            () = lose_patience(rng) => notes.twisted(1),
        }
    }
    workload.step(Step { kind, connection, pool, rng }).await
}

async fn lose_patience(rng: &mut Rng) {
    for _ in 0..rng.u32(0..=PATIENCE) {
        yield_now().await;
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pool_core::runtime::TokioRuntime;
    use pool_testkit::{FakeDriver, FakeServer};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_cannot_be_had_any_more_is_lost() {
        let driver = FakeDriver::new(&FakeServer::new(Arc::new(TokioRuntime::new())));
        let pool = Pool::new(driver, PoolConfig { max_open: 3, ..PoolConfig::default() });
        let pool = pool.expect("valid");
        let whole = verify(&pool, "as counted").await.expect("checked");
        let expected = "as counted; all of 3 connections can be had at once";
        assert_eq!(whole, Checked::Held(expected.to_owned()));
        let _forgotten = pool.acquire().await.expect("there is one");
        let lost = verify(&pool, "as counted").await.expect("checked");
        let Checked::Broken(words) = lost else { panic!("{lost:?}") };
        assert!(words.starts_with("2 of 3 connections can be had"), "{words}");
    }
}
