//! The set of those who listen to a pool.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::contain::contain;
use crate::observer::Observer;

type Listener = (u64, Arc<dyn Observer>);

/// Those who listen to one pool.
pub(crate) struct Observers {
    pub(crate) pool: Arc<str>,
    /// Whether `listeners` is not empty: the one branch paid per event.
    any: AtomicBool,
    listeners: RwLock<Arc<[Listener]>>,
    next_id: AtomicU64,
}

impl Observers {
    pub(crate) fn new(pool: Arc<str>) -> Self {
        Self {
            pool,
            any: AtomicBool::new(false),
            listeners: RwLock::new(Arc::new([])),
            next_id: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Tells every observer; `event` is called with the pool's name.
    #[inline]
    pub(crate) fn notify(&self, event: impl Fn(&dyn Observer, &str)) {
        if self.any() {
            self.notify_listeners(&event);
        }
    }

    #[cold]
    fn notify_listeners(&self, event: &dyn Fn(&dyn Observer, &str)) {
        let listeners = self.listeners.read().clone();
        for (_, observer) in listeners.iter() {
            contain(|| event(&**observer, &self.pool));
        }
        // One that has left meanwhile is dropped here.
        contain(|| drop(listeners));
    }

    pub(crate) fn subscribe(self: &Arc<Self>, observer: Arc<dyn Observer>) -> Subscription {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.change(|listeners| listeners.push((id, observer)));
        Subscription { observers: Some(Arc::clone(self)), id }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Listener>)) {
        let old = {
            let mut listeners = self.listeners.write();
            let mut changed = listeners.to_vec();
            change(&mut changed);
            self.any.store(!changed.is_empty(), Ordering::Relaxed);
            std::mem::replace(&mut *listeners, changed.into())
        };
        // An observer's `Drop` is foreign code: outside the lock, contained.
        contain(|| drop(old));
    }
}

/// Keeps an observer subscribed; dropping it ends that.
#[must_use = "dropping the subscription ends it"]
pub struct Subscription {
    /// `None` once it is to be kept.
    observers: Option<Arc<Observers>>,
    id: u64,
}

impl Subscription {
    /// Leaves the observer subscribed for as long as the pool lives.
    pub fn keep(mut self) {
        self.observers = None;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(observers) = &self.observers else { return };
        let mut removed = None;
        observers.change(|listeners| {
            let position = listeners.iter().position(|(id, _)| *id == self.id);
            removed = position.map(|position| listeners.remove(position));
        });
        contain(|| drop(removed));
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("id", &self.id).finish_non_exhaustive()
    }
}
