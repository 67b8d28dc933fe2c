//! Whether the machine gave a test its time. What is promised in milliseconds cannot be held on one that
//! stands still for longer than that.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::time::sleep;

/// How often the runtime's pulse is felt.
const EACH: Duration = Duration::from_millis(10);

/// Longer than a task waits for its turn on a machine that is merely busy.
const STANDSTILL: Duration = Duration::from_millis(250);

/// How often a test is tried.
const ATTEMPTS: usize = 3;

/// Runs a test; again, if it failed on a machine that stood still meanwhile. The last time counts in any
/// case.
pub(super) async fn steadily<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for _ in 1..ATTEMPTS {
        let (failed, stood_still) = attempt(test()).await;
        let Some(failed) = failed else { return };
        if stood_still < STANDSTILL {
            resume_unwind(failed);
        }
        eprintln!("the machine stood still for {stood_still:?}: once more");
    }
    test().await;
}

/// Why the test failed, if it did, and for how long at most the runtime stood still.
async fn attempt(test: impl Future<Output = ()>) -> (Option<Box<dyn Any + Send>>, Duration) {
    let longest = Arc::new(AtomicU64::new(0));
    let felt = Arc::clone(&longest);
    let pulse = tokio::spawn(async move {
        loop {
            let begun = Instant::now();
            sleep(EACH).await;
            let late = begun.elapsed().saturating_sub(EACH);
            felt.fetch_max(late.as_millis() as u64, Ordering::Relaxed);
        }
    });
    let ended = AssertUnwindSafe(test).catch_unwind().await;
    pulse.abort();
    (ended.err(), Duration::from_millis(longest.load(Ordering::Relaxed)))
}
