//! The pools that somebody shows the metrics of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pool_core::{ControlHandle, Observer, PoolState, Subscription};

use crate::closed::make_room;
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
    was_over: AtomicBool,
}

impl<R> Default for Registry<R> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<R: Observer> Registry<R> {
    /// Adds `pool`, unless it is there. One that was closed leaves it its name.
    pub(crate) fn add(&self, pool: &ControlHandle, recorder: impl FnOnce(&Arc<str>) -> R) {
        let forgotten = make_room(&mut *self.0.lock(), pool.name(), |entry| {
            entry.is_closed().then_some(&*entry.name)
        });
        // Ends subscriptions, outside the lock.
        drop(forgotten);
        let mut entries = self.0.lock();
        if entries.iter().any(|entry| entry.pool.id() == pool.id()) {
            return;
        }
        let name = free_name(pool.name(), |name| entries.iter().any(|entry| &*entry.name == name));
        let recorder = Arc::new(recorder(&name));
        let events = pool.observe(recorder.clone());
        let pool = Arc::clone(pool);
        let was_over = AtomicBool::new(false);
        entries.push(Arc::new(Entry { pool, recorder, name, _events: events, was_over }));
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
    /// Whether it is closed, though connections may still be out.
    fn is_closed(&self) -> bool {
        self.pool.state() == PoolState::Closed
    }

    /// Whether nothing will happen in it any more.
    fn is_over(&self) -> bool {
        self.is_closed() && self.pool.stats().open == 0
    }

    /// Whether that was so when this was asked before.
    fn was_over(&self) -> bool {
        let is_over = self.is_over();
        self.was_over.swap(is_over, Ordering::Relaxed) && is_over
    }
}
