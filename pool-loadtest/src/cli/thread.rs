//! Work that blocks, on a thread of its own.

use std::thread;

use tokio::sync::oneshot;

/// Does it on a thread of its own, which nobody waits for at the end of the program, as the runtime
/// would.
///
/// # Panics
///
/// With the work.
///
/// # Cancel safety
///
/// The work goes on; what comes of it is dropped.
pub(super) async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = oneshot::channel();
    thread::spawn(move || done.send(work()));
    result.await.expect("bug: the work on a thread panicked")
}
