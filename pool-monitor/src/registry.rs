//! The pools that somebody shows the metrics of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pool_core::{ControlHandle, Observer, PoolState, Subscription};

use crate::names::free_name;

/// The pools that somebody shows, each with what counts its events.
pub(crate) struct Registry<R>(Mutex<Vec<Arc<Entry<R>>>>);

/// One of them.
pub(crate) struct Entry<R> {
    pub(crate) pool: ControlHandle,
    pub(crate) recorder: Arc<R>,
    /// The pool's name, or the next that is free.
    name: Arc<str>,
    _events: Subscription,
    /// Its end was shown.
    is_over: AtomicBool,
}

impl<R> Default for Registry<R> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<R: Observer> Registry<R> {
    /// Adds `pool`, unless it is there.
    pub(crate) fn add(&self, pool: &ControlHandle, recorder: impl FnOnce(&str) -> R) {
        let mut entries = self.0.lock();
        if entries.iter().any(|entry| entry.pool.id() == pool.id()) {
            return;
        }
        let name = free_name(pool.name(), |name| entries.iter().any(|entry| &*entry.name == name));
        let recorder = Arc::new(recorder(&name));
        let events = pool.observe(recorder.clone());
        let pool = Arc::clone(pool);
        let is_over = AtomicBool::new(false);
        entries.push(Arc::new(Entry { pool, recorder, name, _events: events, is_over }));
    }

    pub(crate) fn entries(&self) -> Vec<Arc<Entry<R>>> {
        self.0.lock().clone()
    }

    /// Forgets pools that were closed when this was called before, so that the end of each is shown once.
    pub(crate) fn forget_closed(&self) {
        let forgotten: Vec<_> = self.0.lock().extract_if(.., |entry| entry.was_over()).collect();
        // Ends subscriptions, outside the lock.
        drop(forgotten);
    }
}

impl<R> Entry<R> {
    fn was_over(&self) -> bool {
        let is_over = self.pool.state() == PoolState::Closed && self.pool.stats().open == 0;
        self.is_over.swap(is_over, Ordering::Relaxed) && is_over
    }
}
