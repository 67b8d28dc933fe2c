//! One operation: it acquires, works and releases, and is timed.

use std::sync::Arc;

use fastrand::Rng;
use pool_core::{Driver, Pool};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::recorder::{End, Failure, Recorder, Sample};
use crate::workload::{Step, Workload};

/// What the tasks of a load do, and with what.
pub(super) struct Job<D: Driver, W> {
    pub(super) pool: Pool<D>,
    pub(super) workload: Arc<W>,
    pub(super) recorder: Arc<Recorder>,
    /// When the load begins to be measured.
    pub(super) from: Instant,
    pub(super) seed: u64,
    /// Becomes true when a task panics: nobody waits for one before the load has ended.
    pub(super) panicking: watch::Sender<bool>,
}

/// When an operation is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) at: Instant,
    /// When its connection is asked for, if that is later.
    pub(super) asked: Option<Instant>,
}

/// An operation has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) at: Instant,
    pub(super) failed: bool,
}

/// Tells of a panic of the task that holds it.
pub(super) struct Witness<'a>(&'a watch::Sender<bool>);

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.send_replace(true);
        }
    }
}

impl<D: Driver, W> Job<D, W> {
    /// Watches over a task.
    pub(super) fn witness(&self) -> Witness<'_> {
        Witness(&self.panicking)
    }
}

impl<D: Driver, W: Workload<D>> Job<D, W> {
    /// Does one operation; `None` if the load ended before it had a connection. `task` is whoever
    /// does it.
    pub(super) async fn operate(
        &self,
        task: usize,
        wish: Wish,
        rng: &mut Rng,
        ended: &mut watch::Receiver<()>,
    ) -> Option<Ended> {
        let kind = self.workload.draw(rng);
        let mut operation = Operation::new(self, task, kind, wish);
        let acquired = tokio::select! {
            // Mostly it need not wait, and whoever asked has just looked whether this is the end.
            biased;
            acquired = self.pool.acquire() => acquired,
            _ = ended.changed() => return None,
        };
        let mut connection = match acquired {
            Ok(connection) => connection,
            Err(error) => return Some(operation.failed(Failure::acquire(&error))),
        };
        operation.began = Some(Instant::now());
        let worked = {
            let connection = &mut *connection;
            self.workload.step(Step { kind, connection, pool: &self.pool, rng }).await
        };
        drop(connection);
        Some(match worked {
            Ok(()) => operation.succeeded(),
            Err(error) => operation.failed(Failure::step(&*error)),
        })
    }
}

/// An operation under way. One that is dropped without an end is recorded as unfinished, with the
/// age it has then: a stall must not vanish because nobody waited for its end.
struct Operation<'a> {
    recorder: &'a Recorder,
    from: Instant,
    task: usize,
    kind: usize,
    wish: Wish,
    began: Option<Instant>,
    under_way: bool,
}

impl<'a> Operation<'a> {
    fn new<D: Driver, W>(job: &'a Job<D, W>, task: usize, kind: usize, wish: Wish) -> Self {
        let (recorder, from) = (&*job.recorder, job.from);
        Self { recorder, from, task, kind, wish, began: None, under_way: true }
    }

    fn succeeded(mut self) -> Ended {
        let at = self.end(End::Succeeded, None);
        Ended { at, failed: false }
    }

    fn failed(mut self, failure: Failure) -> Ended {
        let at = self.end(End::Failed, Some(failure));
        Ended { at, failed: true }
    }

    fn end(&mut self, end: End, failure: Option<Failure>) -> Instant {
        self.under_way = false;
        let (now, wanted) = (Instant::now(), self.wish.at);
        if now < self.from {
            return now;
        }
        let (wait, service) = match self.began {
            None => (now - wanted, None),
            Some(began) => (began - wanted, Some(now - began)),
        };
        let sample = Sample {
            kind: self.kind,
            is_timed: wanted >= self.from,
            end,
            wait,
            service,
            lateness: self.wish.asked.map(|asked| asked - wanted),
        };
        match failure {
            None => self.recorder.record(self.task, sample),
            Some(failure) => self.recorder.record_failure(&sample, failure),
        }
        now
    }
}

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        if self.under_way {
            let end = if self.began.is_some() { End::Dropped } else { End::Waiting };
            self.end(end, None);
        }
    }
}
