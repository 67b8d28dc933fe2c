//! How to ask a task for a turn, and to wait until it has taken one or takes no more.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::select;
use tokio::sync::{Notify, watch};

use super::error::ExportError;

/// The turns of one task. Who waits can give up at any time; the task goes on.
pub(super) struct Turns {
    asked: AtomicU64,
    wake: Notify,
    done: watch::Sender<Done>,
}

/// What serves all requests, also those to come.
const ALL: u64 = u64::MAX;

/// The requests that were served by the last turn that served any, and how it went.
struct Done {
    served: u64,
    outcome: Result<(), ExportError>,
}

impl Turns {
    pub(super) fn new() -> Self {
        let done = watch::Sender::new(Done { served: 0, outcome: Ok(()) });
        Self { asked: AtomicU64::new(0), wake: Notify::new(), done }
    }

    /// Asks for a turn and waits for the end of one that began after this.
    pub(super) async fn ask(&self) -> Result<(), ExportError> {
        let request = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.wake.notify_one();
        let mut done = self.done.subscribe();
        let turn = done.wait_for(|done| done.served >= request).await;
        let outcome = turn.map(|done| done.outcome.clone());
        outcome.expect("bug: the sender is ours, and gone")
    }

    /// For the task: waits until it is asked.
    pub(super) async fn asked(&self) {
        self.wake.notified().await;
    }

    /// For the task: what the turn that begins now serves.
    pub(super) fn begin(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    /// For the task: the turn is over.
    pub(super) fn end(&self, served: u64, outcome: Result<(), ExportError>) {
        self.done.send_if_modified(|done| {
            // Not after the last of all.
            let is_news = served > done.served;
            if is_news {
                *done = Done { served, outcome };
            }
            is_news
        });
    }

    /// There are no more turns: who waits for one hears of it, and the task ends.
    pub(super) fn close(&self) {
        self.end(ALL, Err(ExportError::ShutDown));
    }

    /// Runs the task, until there are no more turns.
    pub(super) async fn run(&self, task: impl Future<Output = ()>) {
        let mut done = self.done.subscribe();
        let closed = done.wait_for(|done| done.served == ALL);
        select(pin!(closed), pin!(task)).await;
    }
}
