//! The set of those who listen to a pool.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::contain::contain;
use crate::observer::{Frequent, Observer};

struct Listener {
    id: u64,
    wanted: Wanted,
    observer: Arc<dyn Observer>,
}

impl Clone for Listener {
    fn clone(&self) -> Self {
        Self { observer: Arc::clone(&self.observer), ..*self }
    }
}

/// What is told to whom: a frequent event to those who want it, a rare one to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted(u8);

impl Wanted {
    pub(crate) const ACQUIRE_STARTED: Self = Self(Frequent::ACQUIRE_STARTED.bits());
    pub(crate) const ACQUIRE_SUCCEEDED: Self = Self(Frequent::ACQUIRE_SUCCEEDED.bits());
    pub(crate) const RELEASED: Self = Self(Frequent::RELEASED.bits());
    pub(crate) const STATEMENTS: Self = Self(Frequent::STATEMENTS.bits());
    pub(crate) const RARE: Self = Self(1 << 7);

    fn by(observer: &dyn Observer) -> Self {
        // One that cannot say what it wants is told everything.
        let frequent = contain(|| observer.frequent()).unwrap_or(Frequent::ALL);
        Self(frequent.bits() | Self::RARE.0)
    }

    fn has(self, event: Self) -> bool {
        self.0 & event.0 != 0
    }
}

/// Those who listen to one pool.
pub(crate) struct Observers {
    pub(crate) pool: Arc<str>,
    /// What any of `listeners` wants: the one branch paid per event.
    wanted: AtomicU8,
    /// Read without a lock and without touching a counter that other threads touch, too: with two events an
    /// acquire, that is what monitoring costs.
    listeners: ArcSwap<Vec<Listener>>,
    /// Held by who changes `listeners`.
    changing: Mutex<()>,
    next_id: AtomicU64,
}

impl Observers {
    pub(crate) fn new(pool: Arc<str>) -> Self {
        Self {
            pool,
            wanted: AtomicU8::new(0),
            listeners: ArcSwap::default(),
            changing: Mutex::new(()),
            next_id: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn want(&self, event: Wanted) -> bool {
        Wanted(self.wanted.load(Ordering::Relaxed)).has(event)
    }

    /// Tells the observers that want it; `event` is called with the pool's name.
    #[inline]
    pub(crate) fn notify(&self, wanted: Wanted, event: impl Fn(&dyn Observer, &str)) {
        if self.want(wanted) {
            self.notify_listeners(wanted, &event);
        }
    }

    #[cold]
    fn notify_listeners(&self, wanted: Wanted, event: &dyn Fn(&dyn Observer, &str)) {
        let listeners = self.listeners.load();
        for listener in listeners.iter().filter(|listener| listener.wanted.has(wanted)) {
            contain(|| event(&*listener.observer, &self.pool));
        }
        // One that has left meanwhile is dropped here.
        contain(|| drop(listeners));
    }

    pub(crate) fn subscribe(self: &Arc<Self>, observer: Arc<dyn Observer>) -> Subscription {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let wanted = Wanted::by(&*observer);
        self.change(|listeners| listeners.push(Listener { id, wanted, observer }));
        Subscription { observers: Some(Arc::clone(self)), id }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Listener>)) {
        let old = {
            let _alone = self.changing.lock();
            let mut changed = self.listeners.load().to_vec();
            change(&mut changed);
            let wanted = changed.iter().fold(0, |all, listener| all | listener.wanted.0);
            self.wanted.store(wanted, Ordering::Relaxed);
            self.listeners.swap(Arc::new(changed))
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
            let position = listeners.iter().position(|listener| listener.id == self.id);
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
