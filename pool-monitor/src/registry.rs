//! The pools that somebody shows the metrics of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pool_core::{ControlHandle, Observer, PoolState, Subscription};

use crate::names::free_name;

/// Pools that are closed and were not shown since: where nobody collects, their ends are of use to nobody.
const MOST_CLOSED: usize = 100;

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
        self.make_room(pool.name());
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

    /// Forgets the closed pool of this name, and the oldest of too many closed ones.
    fn make_room(&self, name: &str) {
        let mut entries = self.0.lock();
        let closed = entries.iter().filter(|entry| entry.is_closed()).count();
        let mut surplus = closed.saturating_sub(MOST_CLOSED);
        let is_surplus = |entry: &mut Arc<Entry<R>>| {
            if !entry.is_closed() {
                return false;
            }
            let is_surplus = surplus > 0 || &*entry.name == name;
            surplus = surplus.saturating_sub(usize::from(is_surplus));
            is_surplus
        };
        let forgotten: Vec<_> = entries.extract_if(.., is_surplus).collect();
        drop(entries);
        // Ends subscriptions, outside the lock.
        drop(forgotten);
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
