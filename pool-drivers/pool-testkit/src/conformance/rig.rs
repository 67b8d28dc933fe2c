//! What the claims stand on: a pool of a fixture, tasks, and a bound on how long a claim takes.
//!
//! All of it goes through the pool's own runtime, so that the suite names none.

use std::any::type_name;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_channel::oneshot;
use pool_core::runtime::{Runtime, default_runtime};
use pool_core::{Driver, Pool, PoolConfig, PoolOptions};

use super::fixture::{Fixture, Supported, Unsupported};
use crate::not_tried;

/// No claim takes longer, however busy the machine is.
const LIMIT: Duration = Duration::from_mins(1);

/// Tries a claim out, and says so if the fixture cannot.
///
/// # Panics
///
/// If the claim is wrong, or takes longer than a minute.
pub async fn run<F: Fixture>(claim: &str, trial: impl Future<Output = Supported<()>>) {
    let runtime = runtime();
    let mut timer = runtime.timer().expect("inside a runtime");
    timer.reset(runtime.now().after(LIMIT));
    let mut trial = pin!(trial);
    let result = poll_fn(|cx| match trial.as_mut().poll(cx) {
        Poll::Pending => timer.poll_expired(cx).map(|()| None),
        Poll::Ready(result) => Poll::Ready(Some(result)),
    })
    .await;
    if let Err(Unsupported(why)) = result.expect("a claim that takes this long does not hold") {
        not_tried(&format!("{claim} on {}", type_name::<F>()), why);
    }
}

/// The runtime around the caller.
pub(super) fn runtime() -> Arc<dyn Runtime> {
    let default = default_runtime().expect("the suite needs pool-core with the feature tokio");
    #[cfg(feature = "smol")]
    if default.timer().is_err() {
        return Arc::new(pool_core::runtime::SmolRuntime::new());
    }
    default
}

/// These settings, on the runtime around the caller.
pub(super) fn options(config: impl Into<PoolOptions>) -> PoolOptions {
    PoolOptions { runtime: Some(runtime()), ..config.into() }
}

/// A pool of the fixture's, cold.
pub(super) fn pool<F: Fixture>(fixture: &F, options: impl Into<PoolOptions>) -> Pool<F::Driver> {
    Pool::new(fixture.driver(), self::options(options)).expect("the fixture's settings are valid")
}

/// A pool of at most one connection, which is not checked between two uses: what the first user
/// leaves is what the second finds.
pub(super) fn pool_of_one<F: Fixture>(fixture: &F) -> Pool<F::Driver> {
    let config = PoolConfig { max_open: 1, check_after_idle: None, ..fixture.config() };
    pool(fixture, config)
}

/// Runs a future to its end on smol, for the tests that [`conformance!`](crate::conformance!) makes.
#[cfg(feature = "smol")]
pub fn block_on_smol<T>(future: impl Future<Output = T>) -> T {
    smol::block_on(future)
}

/// Runs a future in a task of its own; resolves to `None` if it panicked.
pub(super) async fn spawn<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    start(future).await
}

/// Starts a task now; the future returned waits for it, and resolves to `None` if it panicked.
pub(super) fn start<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = Option<T>> {
    let (sender, receiver) = oneshot::channel();
    let task = Box::pin(async move {
        let _ = sender.send(future.await);
    });
    runtime().spawn(task).expect("inside a runtime");
    async { receiver.await.ok() }
}

/// Waits until so many connections are at rest: a driver that resets each of them at its release
/// does so in the background.
pub(super) async fn at_rest<D: Driver>(pool: &Pool<D>, idle: usize) {
    while pool.stats().idle < idle {
        yield_now().await;
    }
}

/// Lets other tasks run.
pub(super) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
