//! How often and for how long connections wait for each other's locks, counted for all of a
//! driver's together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Waits for the locks of other connections, whatever became of them.
///
/// SQLite lets one connection write at a time. With a write-ahead log, the default, that is all
/// there is to wait for; in the other journal modes, and in shared memory, writers and readers wait
/// for each other, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockWaits {
    /// Waits.
    pub count: u64,
    /// How long they were, in sum; those that last are counted as they go on.
    pub time: Duration,
}

/// Counts them.
#[derive(Debug, Default)]
pub(crate) struct LockWaitCounter {
    count: AtomicU64,
    nanos: AtomicU64,
}

impl LockWaitCounter {
    /// Another wait.
    pub(crate) fn begin(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// A wait went on for so long.
    pub(crate) fn go_on(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> LockWaits {
        LockWaits {
            count: self.count.load(Ordering::Relaxed),
            time: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)),
        }
    }
}
