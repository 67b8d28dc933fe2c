//! The pools that somebody shows the metrics of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pool_core::{ControlHandle, Observer, PoolState, Subscription};

use crate::closed::{Closed, make_room};
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
    /// It was shown closed.
    was_closed: AtomicBool,
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
        let mut entries = self.0.lock();
        if entries.iter().any(|entry| entry.pool.id() == pool.id()) {
            return;
        }
        let forgotten = make_room(&mut *entries, pool.name(), |entry| entry.closed());
        let name = free_name(pool.name(), |name| entries.iter().any(|entry| &*entry.name == name));
        let recorder = Arc::new(recorder(&name));
        let events = pool.observe(recorder.clone());
        let pool = Arc::clone(pool);
        let (was_closed, was_over) = (AtomicBool::new(false), AtomicBool::new(false));
        let entry = Entry { pool, recorder, name, _events: events, was_closed, was_over };
        entries.push(Arc::new(entry));
        drop(entries);
        // Ends subscriptions, outside the lock.
        drop(forgotten);
    }

    /// Those that are to be shown now. One that was over when this was called before is forgotten, so that
    /// its end is shown once.
    pub(crate) fn shown(&self) -> Vec<Arc<Entry<R>>> {
        let mut entries = self.0.lock();
        let forgotten: Vec<_> = entries.extract_if(.., |entry| entry.was_over()).collect();
        let shown = entries.clone();
        drop(entries);
        // Ends subscriptions, outside the lock.
        drop(forgotten);
        shown
    }
}

impl<R> Entry<R> {
    /// What is known of it, if it is closed, though connections may still be out.
    fn closed(&self) -> Option<Closed<'_>> {
        let is_told = self.was_closed.load(Ordering::Relaxed);
        self.is_closed().then_some(Closed { name: &self.name, is_told })
    }

    fn is_closed(&self) -> bool {
        self.pool.state() == PoolState::Closed
    }

    /// Whether nothing would happen in it any more when it was shown before. It is shown now, if not.
    fn was_over(&self) -> bool {
        let is_closed = self.is_closed();
        self.was_closed.store(is_closed, Ordering::Relaxed);
        let is_over = is_closed && self.pool.stats().open == 0;
        self.was_over.swap(is_over, Ordering::Relaxed) && is_over
    }
}
