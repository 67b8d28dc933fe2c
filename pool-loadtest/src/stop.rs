//! Stopping a run from outside.

use std::future::Future;
use std::pin::Pin;

/// A signal to stop, which comes once or never. Whatever phase the run is in ends then; what follows
/// is not cut short any more.
pub(crate) struct Stop<F> {
    signal: Pin<Box<F>>,
    came: bool,
}

impl<F: Future<Output = ()>> Stop<F> {
    pub(crate) fn new(signal: F) -> Self {
        Self { signal: Box::pin(signal), came: false }
    }

    pub(crate) fn came(&self) -> bool {
        self.came
    }

    /// Does `work` to its end, or drops it when the signal comes.
    pub(crate) async fn or<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        if self.came {
            return Some(work.await);
        }
        tokio::select! {
            biased;
            () = &mut self.signal => {
                self.came = true;
                None
            }
            done = work => Some(done),
        }
    }
}
