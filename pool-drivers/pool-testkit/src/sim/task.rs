//! A task of the simulated runtime.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::task::Wake;

use parking_lot::Mutex;
use pool_core::runtime::Task;

use super::Shared;

/// Makes one task ready.
pub(super) struct TaskWaker {
    runtime: Weak<Shared>,
    id: usize,
}

impl TaskWaker {
    pub(super) fn new(runtime: &Arc<Shared>, id: usize) -> Self {
        Self { runtime: Arc::downgrade(runtime), id }
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(runtime) = self.runtime.upgrade() {
            let mut state = runtime.state.lock();
            if !state.ready.contains(&self.id) {
                state.ready.push(self.id);
            }
        }
    }
}

/// A spawned task whose result can be asked for.
pub struct SimTask<T> {
    result: Arc<Mutex<Option<T>>>,
}

impl<T: Send + 'static> SimTask<T> {
    pub(super) fn new(future: impl Future<Output = T> + Send + 'static) -> (Task, Self) {
        let result = Arc::new(Mutex::new(None));
        let place = Arc::clone(&result);
        let task = async move {
            let value = future.await;
            *place.lock() = Some(value);
        };
        (Box::pin(task), Self { result })
    }

    /// The result, if the task is done; once.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        self.result.lock().take()
    }

    /// Whether the task is done and its result not taken.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.result.lock().is_some()
    }
}

impl<T> fmt::Debug for SimTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimTask").field("done", &self.result.lock().is_some()).finish()
    }
}
