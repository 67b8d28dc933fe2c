//! The way to the database, measured before the load: how long a statement that costs nothing takes,
//! and how many statements an operation has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pool_core::{ControlHandle, Frequent, Observer, StatementStarted, Subscription};
use tokio::time::timeout;

/// Round trips measured. The shortest counts: the others had company.
const TIMES: usize = 8;

/// How long the way there and back takes, on a connection outside the pool; `None` if that cannot be
/// measured within `most`.
pub(crate) async fn round_trip(pool: &ControlHandle, most: Duration) -> Option<Duration> {
    let mut shortest: Option<Duration> = None;
    let measured = timeout(most, async {
        let Ok(mut probe) = pool.probe().await else { return };
        for _ in 0..TIMES {
            let Ok(took) = probe.ping().await else { return };
            shortest = Some(shortest.map_or(took, |shortest| shortest.min(took)));
        }
    });
    // What was measured by then counts.
    let _ = measured.await;
    shortest
}

/// Counts the statements of a pool until it is dropped.
pub(crate) struct StatementCount {
    count: Arc<Count>,
    _subscription: Subscription,
}

#[derive(Default)]
struct Count(AtomicU64);

impl Observer for Count {
    fn frequent(&self) -> Frequent {
        Frequent::STATEMENTS
    }

    fn statement_started(&self, _: &StatementStarted<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl StatementCount {
    /// Begins to count.
    pub(crate) fn start(pool: &ControlHandle) -> Self {
        let count = Arc::new(Count::default());
        let observer: Arc<dyn Observer> = count.clone();
        Self { count, _subscription: pool.observe(observer) }
    }

    /// How many there were, if the driver tells of them.
    pub(crate) fn counted(&self) -> Option<u64> {
        Some(self.count.0.load(Ordering::Relaxed)).filter(|count| *count > 0)
    }
}
