//! What an operation takes while nobody else works, to compare the load with.

use std::time::Duration;

use fastrand::Rng;
use pool_core::{Driver, Pool};
use tokio::time::{Instant, sleep, timeout};

use crate::backoff::Backoff;
use crate::load::later;
use crate::workload::{Step, Workload};

/// Works alone for the time of `most`, and returns what an operation took on average. Failed ones
/// are left out; `None` if none succeeded. An operation that is under way then may go on for as long
/// again.
pub(crate) async fn measure<D: Driver, W: Workload<D>>(
    pool: &Pool<D>,
    workload: &W,
    most: Duration,
    seed: u64,
) -> Option<Duration> {
    let mut alone = Alone { operations: 0, worked: Duration::ZERO };
    let until = later(Instant::now(), most);
    // If the last operation is dropped, those before it count.
    let _ = timeout(most.saturating_mul(2), alone.work(pool, workload, seed, until)).await;
    (alone.operations > 0).then(|| alone.worked / alone.operations)
}

struct Alone {
    operations: u32,
    worked: Duration,
}

impl Alone {
    async fn work<D: Driver, W: Workload<D>>(
        &mut self,
        pool: &Pool<D>,
        workload: &W,
        seed: u64,
        until: Instant,
    ) {
        let (mut rng, mut backoff) = (Rng::with_seed(seed), Backoff::new());
        while Instant::now() < until {
            if let Ok(mut connection) = pool.acquire().await {
                let began = Instant::now();
                let worked = {
                    let kind = workload.draw(&mut rng);
                    let (connection, rng) = (&mut *connection, &mut rng);
                    workload.step(Step { kind, connection, pool, rng }).await
                };
                drop(connection);
                if worked.is_ok() {
                    self.worked += began.elapsed();
                    self.operations += 1;
                    backoff.reset();
                    continue;
                }
            }
            sleep(backoff.pause()).await;
        }
    }
}
