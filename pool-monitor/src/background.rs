//! A thread of its own for what talks to the network: exporters, sinks, an endpoint.
//!
//! It makes them independent of the program's runtime: they work beside smol, on a runtime that is
//! driven by one thread, and while that one waits for them.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use opentelemetry::Context;
#[cfg(feature = "otlp")]
use tokio::runtime::EnterGuard;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tracing::dispatcher;
use tracing::subscriber::NoSubscriber;

thread_local! {
    static IS_BACKGROUND: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is one of those here.
#[cfg(feature = "otlp")]
pub(crate) fn is_here() -> bool {
    IS_BACKGROUND.get()
}

/// A thread that runs tasks. Dropping it ends them where they are, without waiting.
#[derive(Debug)]
pub(crate) struct Background {
    handle: Handle,
    /// Dropped, it ends the thread.
    _end: oneshot::Sender<()>,
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system has no thread or no descriptors left.
    pub(crate) fn start(name: &str) -> io::Result<Self> {
        let (tell, told) = mpsc::channel();
        let (end, ended) = oneshot::channel::<()>();
        let subscriber = dispatcher::get_default(Clone::clone);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Made here: its end must not be waited for where it was asked for, which may be in another.
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(error))),
            };
            let _heard = tell.send(Ok(runtime.handle().clone()));
            // Whoever sees what is said where it was started, sees what is said here. If that is
            // nobody, a subscriber for all threads may still come.
            let is_seen = !subscriber.is::<NoSubscriber>();
            let _seen = is_seen.then(|| dispatcher::set_default(&subscriber));
            // Telemetry about sending telemetry would never end.
            let _quiet = Context::enter_telemetry_suppressed_scope();
            IS_BACKGROUND.set(true);
            // Ends as soon as the sender is gone, whatever still runs.
            let _gone = runtime.block_on(ended);
            runtime.shutdown_background();
        })?;
        let handle = told.recv().expect("bug: it tells first of all")?;
        Ok(Self { handle, _end: end })
    }

    /// Runs `task` in the thread, until it ends or the thread does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }

    /// While the guard lives, what is created on this thread belongs to that one's runtime.
    #[cfg(feature = "otlp")]
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Runs `task` in the thread and blocks this one for its result, at most for `bound`; nothing if
    /// it took longer. May be called on a thread of any runtime.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        bound: Duration,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (sender, result) = mpsc::channel();
        self.spawn(async move {
            // Whoever waited may have given up.
            let _sent = sender.send(task.await);
        });
        result.recv_timeout(bound).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGES: Duration = Duration::from_mins(1);

    #[test]
    fn a_task_is_run_and_its_result_comes_back_even_within_another_runtime() {
        let background = Background::start("test").expect("a thread");
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let result = runtime.block_on(async { background.run(AGES, async { 7 }) });
        assert_eq!(result, Some(7));
    }

    #[test]
    fn what_runs_there_makes_no_telemetry_of_its_own() {
        let background = Background::start("test").expect("a thread");
        let is_quiet = async { Context::is_current_telemetry_suppressed() };
        assert_eq!(background.run(AGES, is_quiet), Some(true));
    }

    #[test]
    fn what_takes_too_long_is_not_waited_for() {
        let background = Background::start("test").expect("a thread");
        let endless = std::future::pending::<()>();
        assert_eq!(background.run(Duration::from_millis(1), endless), None);
    }

    #[test]
    fn dropping_it_ends_its_tasks() {
        let background = Background::start("test").expect("a thread");
        let (held, dropped) = mpsc::channel::<()>();
        background.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        drop(background);
        assert_eq!(dropped.recv_timeout(AGES), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
