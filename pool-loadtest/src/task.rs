//! One task of the load: it acquires, works and releases until the time is up.

use std::sync::Arc;

use fastrand::Rng;
use pool_core::{AcquireError, AcquireErrorKind, Driver, Pool};
use tokio::sync::watch;
use tokio::task::consume_budget;
use tokio::time::{Instant, timeout};

use crate::backoff::Backoff;
use crate::recorder::{Failure, Measured, Recorder};
use crate::workload::{Step, Workload};

pub(crate) struct Task<D: Driver, W> {
    pub(crate) pool: Pool<D>,
    pub(crate) workload: Arc<W>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) number: usize,
    pub(crate) rng: Rng,
}

impl<D: Driver, W: Workload<D>> Task<D, W> {
    /// Works until the sender of `ended` is gone. An acquire is dropped then; an operation is not.
    pub(crate) async fn run(self, mut ended: watch::Receiver<()>) {
        let Self { pool, workload, recorder, number, mut rng } = self;
        let mut backoff = Backoff::new();
        while ended.has_changed().is_ok() {
            // On a runtime of one thread, work that never waits would keep the end from coming.
            consume_budget().await;
            let kind = workload.draw(&mut rng);
            let mut operation = Operation::new(&recorder, number);
            let acquired = tokio::select! {
                biased;
                _ = ended.changed() => return,
                acquired = pool.acquire() => acquired,
            };
            let mut connection = match acquired {
                Ok(connection) => connection,
                Err(error) => {
                    operation.failed(Failure::acquire(words(&error), &error));
                    pause(&mut backoff, &mut ended).await;
                    continue;
                }
            };
            operation.begin();
            let worked = {
                let (connection, rng) = (&mut *connection, &mut rng);
                workload.step(Step { kind, connection, pool: &pool, rng }).await
            };
            drop(connection);
            match worked {
                Ok(()) => {
                    operation.succeeded();
                    backoff.reset();
                }
                Err(error) => {
                    operation.failed(Failure::step(&*error));
                    pause(&mut backoff, &mut ended).await;
                }
            }
        }
    }
}

/// Pauses after an error, but not beyond the end.
async fn pause(backoff: &mut Backoff, ended: &mut watch::Receiver<()>) {
    let _ = timeout(backoff.pause(), ended.changed()).await;
}

/// An operation under way. One that is dropped without an end is recorded as unfinished, with the
/// age it has then: a stall must not vanish because nobody waited for its end.
struct Operation<'a> {
    recorder: &'a Recorder,
    task: usize,
    wanted: Instant,
    began: Option<Instant>,
    under_way: bool,
}

impl<'a> Operation<'a> {
    fn new(recorder: &'a Recorder, task: usize) -> Self {
        Self { recorder, task, wanted: Instant::now(), began: None, under_way: true }
    }

    /// It has its connection.
    fn begin(&mut self) {
        self.began = Some(Instant::now());
    }

    fn succeeded(mut self) {
        self.end(|shard| shard.succeeded += 1);
    }

    fn failed(mut self, failure: Failure) {
        self.end(|shard| shard.record_failure(failure));
    }

    fn end(&mut self, count: impl FnOnce(&mut Measured)) {
        self.under_way = false;
        let now = Instant::now();
        let (wait, service) = match self.began {
            None => (now - self.wanted, None),
            Some(began) => (began - self.wanted, Some(now - began)),
        };
        let mut shard = self.recorder.shard(self.task);
        shard.record_times(wait, service);
        count(&mut shard);
    }
}

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        if self.under_way {
            let began = self.began.is_some();
            self.end(|shard| {
                let unfinished = &mut shard.unfinished;
                *(if began { &mut unfinished.dropped } else { &mut unfinished.waiting }) += 1;
            });
        }
    }
}

/// What failed acquires have in common.
fn words(error: &AcquireError) -> String {
    match error.kind() {
        AcquireErrorKind::Timeout => format!("acquire timed out {}", error.details().phase),
        AcquireErrorKind::QueueFull => "acquire refused: too many waiting".to_owned(),
        AcquireErrorKind::Closed => "acquire refused: the pool is closed".to_owned(),
        AcquireErrorKind::ConnectFailed => "acquire failed: no connection can be opened".to_owned(),
        _ => "acquire failed".to_owned(),
    }
}
