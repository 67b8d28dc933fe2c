//! A thread for a server, so that it answers whatever the program's own runtime does.

use std::future::Future;
use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::dispatcher;
use tracing::subscriber::NoSubscriber;

use crate::EndpointError;

/// How long a server is waited for at the end.
const END: Duration = Duration::from_millis(250);
/// How long it waits itself for answers that are under way: less, as it has to go after that.
const LAST_ANSWERS: Duration = Duration::from_millis(200);

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
        let runtime = OwnRuntime::new().map_err(EndpointError::Thread)?;
        let listener = runtime.within(listen)?;
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
            runtime.get().block_on(serve(listener, ended));
            drop(runtime);
        });
        started.map_err(EndpointError::Thread)?;
        Ok(Self { end: Some(end), done })
    }
}

/// A runtime that may be dropped anywhere. Who starts a server may be in a runtime, where another one that
/// is of no use after all is not to be waited for: tokio's own panics then.
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn new() -> io::Result<Self> {
        Ok(Self(Some(Builder::new_current_thread().enable_all().build()?)))
    }

    fn get(&self) -> &Runtime {
        self.0.as_ref().expect("bug: used after it was dropped")
    }

    fn within<T>(&self, act: impl FnOnce() -> T) -> T {
        let _inside = self.get().enter();
        act()
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Waits for what is under way, at most as long as answers are waited for.
pub(crate) async fn last_answers(all: impl Future) {
    let _in_time = timeout(LAST_ANSWERS, all).await;
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        drop(self.end.take());
        let _done = self.done.recv_timeout(END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_used_after_all_is_dropped_within_another_runtime() {
        let outer = OwnRuntime::new().expect("a runtime");
        outer.get().block_on(async { drop(OwnRuntime::new().expect("another")) });
    }
}
