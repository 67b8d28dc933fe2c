//! How long connections took to open while a load lasts. What that says of the pool is judged in
//! `verdict/churn.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pool_core::{ConnectionOpened, ControlHandle, Frequent, Observer, Subscription};

/// Adds up how long a pool's connections take to open, until it is dropped.
pub(crate) struct OpeningTime {
    sum: Arc<Sum>,
    _subscription: Subscription,
}

/// In nanoseconds.
#[derive(Default)]
struct Sum(AtomicU64);

impl Observer for Sum {
    fn frequent(&self) -> Frequent {
        Frequent::NONE
    }

    fn opened(&self, event: &ConnectionOpened<'_>) {
        let nanos = u64::try_from(event.took.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl OpeningTime {
    /// Begins to add up.
    pub(crate) fn start(pool: &ControlHandle) -> Self {
        let sum = Arc::new(Sum::default());
        let observer: Arc<dyn Observer> = sum.clone();
        Self { sum, _subscription: pool.observe(observer) }
    }

    /// What it comes to by now.
    pub(crate) fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum.0.load(Ordering::Relaxed))
    }
}
