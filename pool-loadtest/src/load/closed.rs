//! A closed loop: each task asks again only after it has its answer.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use pool_core::Driver;
use tokio::sync::watch;
use tokio::task::coop::has_budget_remaining;
use tokio::task::{JoinSet, consume_budget};
use tokio::time::{Instant, timeout, timeout_at};

use super::later;
use super::operation::{Job, Wish};
use super::pauses::Pauses;
use crate::arrivals::ThinkTime;
use crate::backoff::Backoff;
use crate::workload::Workload;

/// Starts the tasks; while the load warms up, one after the other in the first half of that time.
pub(super) fn start<D: Driver, W: Workload<D>>(
    job: &Arc<Job<D, W>>,
    tasks: usize,
    think_time: ThinkTime,
    [began, from]: [Instant; 2],
    ended: &watch::Receiver<()>,
) -> JoinSet<()> {
    let mut started = JoinSet::new();
    let half = (from - began).as_secs_f64() / 2.0;
    let mut seeds = Rng::with_seed(job.seed);
    for number in 0..tasks {
        let starts = Duration::from_secs_f64(half * number as f64 / tasks as f64);
        let (mut rng, pauses) = (seeds.fork(), Pauses::new(think_time, seeds.fork()));
        let task = Task { job: Arc::clone(job), number, pauses, ended: ended.clone() };
        let starts = later(began, starts);
        started.spawn(async move { task.run(starts, &mut rng).await });
    }
    started
}

struct Task<D: Driver, W> {
    job: Arc<Job<D, W>>,
    number: usize,
    pauses: Pauses,
    ended: watch::Receiver<()>,
}

impl<D: Driver, W: Workload<D>> Task<D, W> {
    /// Works until the sender of `ended` is gone. An acquire is dropped then; an operation is not.
    async fn run(mut self, starts: Instant, rng: &mut Rng) {
        let job = Arc::clone(&self.job);
        let _witness = job.witness();
        if starts > Instant::now() {
            let _ = timeout_at(starts, self.ended.changed()).await;
        }
        let mut backoff = Backoff::new();
        let mut wanted = Instant::now();
        while self.ended.has_changed().is_ok() {
            let others_are_due = !has_budget_remaining();
            // On a runtime of one thread, work that never waits would keep the end from coming.
            consume_budget().await;
            if others_are_due {
                wanted = Instant::now();
            }
            let wish = Wish { at: wanted, asked: None };
            let Some(done) = self.job.operate(self.number, wish, rng, &mut self.ended).await else {
                return;
            };
            // The clock is read no more than needed.
            wanted = done.at;
            let pause = if done.failed {
                Some(backoff.pause())
            } else {
                backoff.reset();
                self.pauses.next()
            };
            if let Some(pause) = pause {
                // Not beyond the end.
                let _ = timeout(pause, self.ended.changed()).await;
                wanted = Instant::now();
                if !done.failed {
                    self.pauses.paused(wanted - done.at);
                }
            }
        }
    }
}
