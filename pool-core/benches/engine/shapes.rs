//! The loads that are put on a pool.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::task::yield_now;

use crate::peers::Peer;

/// Rounds per pool, alternating.
pub(crate) const ROUNDS: usize = 9;

const UNCONTENDED_OPERATIONS: u32 = 1_000_000;
const SHARED_TIME: Duration = Duration::from_secs(1);

/// Nanoseconds for one acquire and release.
pub(crate) fn uncontended<P: Peer>() -> f64 {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let pool = P::new(8);
        pool.with(async {}).await;
        let started = Instant::now();
        for _ in 0..UNCONTENDED_OPERATIONS {
            pool.with(async {
                black_box(());
            })
            .await;
        }
        started.elapsed().as_nanos() as f64 / f64::from(UNCONTENDED_OPERATIONS)
    })
}

pub(crate) struct Throughput {
    /// Million operations per second.
    pub(crate) millions: f64,
    /// Operations of the task that got fewest over those of the task that got most.
    pub(crate) fairness: f64,
}

/// Tasks on two threads that acquire, yield once, and release.
pub(crate) fn shared<P: Peer>(tasks: usize, connections: usize) -> Throughput {
    let runtime =
        Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let pool = P::new(connections);
    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            let (pool, stop) = (pool.clone(), Arc::clone(&stop));
            runtime.spawn(async move {
                let mut operations = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    pool.with(yield_now()).await;
                    operations += 1;
                }
                operations
            })
        })
        .collect();
    thread::sleep(SHARED_TIME);
    stop.store(true, Ordering::Relaxed);
    let operations: Vec<u64> =
        tasks.into_iter().map(|task| runtime.block_on(task).expect("no panic")).collect();
    let seconds = started.elapsed().as_secs_f64();
    let (least, most) = (operations.iter().min(), operations.iter().max());
    let (least, most) = (*least.expect("a task") as f64, *most.expect("a task") as f64);
    let millions = operations.iter().sum::<u64>() as f64 / seconds / 1e6;
    Throughput { millions, fairness: least / most }
}
