//! How to ask a task for a turn, and to wait until it has taken one.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, watch};

use super::error::ExportError;

/// The turns of one task. Who waits can give up at any time; the task goes on.
pub(super) struct Turns {
    asked: AtomicU64,
    wake: Notify,
    done: watch::Sender<Done>,
}

/// The requests that were served by the last turn, and how it went.
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
        self.done.send_replace(Done { served, outcome });
    }
}
