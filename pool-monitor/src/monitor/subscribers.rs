//! Those who are told what a monitor saw.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::view::PoolView;

/// Told of every pool after every look.
pub trait Subscriber: Send + Sync + 'static {
    /// What was seen. Must not block; a panic is contained.
    fn seen(&self, view: &PoolView);
}

impl<F: Fn(&PoolView) + Send + Sync + 'static> Subscriber for F {
    fn seen(&self, view: &PoolView) {
        self(view);
    }
}

#[derive(Default)]
pub(super) struct Subscribers(Mutex<Vec<Arc<dyn Subscriber>>>);

impl Subscribers {
    pub(super) fn add(this: &Arc<Self>, subscriber: Arc<dyn Subscriber>) -> MonitorSubscription {
        this.0.lock().push(Arc::clone(&subscriber));
        MonitorSubscription { subscribers: Arc::downgrade(this), subscriber }
    }

    pub(super) fn tell(&self, view: &PoolView) {
        let subscribers = self.0.lock().clone();
        for subscriber in subscribers {
            // What it touched is its own.
            if catch_unwind(AssertUnwindSafe(|| subscriber.seen(view))).is_err() {
                let pool = &*view.snapshot.pool;
                tracing::error!(target: "pool_monitor", pool, "a subscriber of the monitor panicked");
            }
        }
    }
}

/// Keeps a subscriber subscribed; dropping it ends that.
#[must_use = "dropping the subscription ends it"]
pub struct MonitorSubscription {
    subscribers: Weak<Subscribers>,
    subscriber: Arc<dyn Subscriber>,
}

impl MonitorSubscription {
    /// Leaves the subscriber subscribed for as long as the monitor lives.
    pub fn keep(mut self) {
        self.subscribers = Weak::new();
    }
}

impl Drop for MonitorSubscription {
    fn drop(&mut self) {
        let Some(subscribers) = self.subscribers.upgrade() else { return };
        subscribers.0.lock().retain(|other| !Arc::ptr_eq(other, &self.subscriber));
    }
}

impl fmt::Debug for MonitorSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorSubscription").finish_non_exhaustive()
    }
}
