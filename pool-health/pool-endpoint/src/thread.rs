//! A thread for a server, so that it answers whatever the program's own runtime does.

use std::future::Future;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::dispatcher;
use tracing::subscriber::NoSubscriber;

use crate::EndpointError;

/// How long answers are waited for that are under way at the end.
const LAST_ANSWERS: Duration = Duration::from_millis(250);

/// A thread that runs one server. Dropping it ends the server, and waits for it at most a quarter of a
/// second.
#[derive(Debug)]
pub struct ServerThread {
    end: Option<oneshot::Sender<()>>,
    /// Hung up when the thread is done.
    done: mpsc::Receiver<()>,
}

/// Ready when a server is to take nobody any more, and to end.
pub type Ended = oneshot::Receiver<()>;

impl ServerThread {
    /// Starts the thread; `serve` runs until it has ended, with what `listen` gave within its runtime: what
    /// it fails by is told here.
    ///
    /// # Errors
    ///
    /// Those of `listen`; or the system has no thread or no descriptors left.
    pub fn start<L: Send + 'static, F: Future<Output = ()>>(
        name: &str,
        listen: impl FnOnce() -> Result<L, EndpointError>,
        serve: impl FnOnce(L, Ended) -> F + Send + 'static,
    ) -> Result<Self, EndpointError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(EndpointError::Thread)?;
        let listener = match within(&runtime, listen) {
            Ok(listener) => listener,
            Err(error) => {
                // Who calls may be in a runtime, where none may be waited for.
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let (end, ended) = oneshot::channel();
        let (alive, done) = mpsc::channel::<()>();
        let subscriber = dispatcher::get_default(Clone::clone);
        let thread = thread::Builder::new().name(name.to_owned());
        let started = thread.spawn(move || {
            let _alive = alive;
            // Whoever sees what is said where it was started, sees what is said here. If that is
            // nobody, a subscriber for all threads may still come.
            let is_seen = !subscriber.is::<NoSubscriber>();
            let _seen = is_seen.then(|| dispatcher::set_default(&subscriber));
            runtime.block_on(serve(listener, ended));
            runtime.shutdown_background();
        });
        started.map_err(EndpointError::Thread)?;
        Ok(Self { end: Some(end), done })
    }
}

fn within<T>(runtime: &Runtime, act: impl FnOnce() -> T) -> T {
    let _inside = runtime.enter();
    act()
}

/// Waits for what is under way, at most as long as answers are waited for.
pub(crate) async fn last_answers(all: impl Future) {
    let _in_time = timeout(LAST_ANSWERS, all).await;
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        drop(self.end.take());
        // A little more than the server itself waits.
        let _done = self.done.recv_timeout(2 * LAST_ANSWERS);
    }
}
