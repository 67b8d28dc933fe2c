//! The client library's connection, let go of without its own way of doing so.
//!
//! A dropped `mysql_async::Conn` spawns a task on whatever tokio runtime is at hand, which reads the
//! rest of an answer, however long, and rolls back. Here it is closed there and then.

use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Waker};

use mysql_async::consts::StatusFlags;
use mysql_async::{Conn, QueryResult, TextProtocol};
use tokio::runtime::{Builder, EnterGuard, Handle};

/// A connection of the client library.
pub(crate) struct Wire(Option<Conn>);

impl Wire {
    pub(crate) fn new(conn: Conn) -> Self {
        Self(Some(conn))
    }

    pub(crate) fn into_conn(mut self) -> Conn {
        self.0.take().expect("bug: taken once, here")
    }

    /// Whether the next answer will be that to the next question: no call was cut short, and no
    /// answer is left unread.
    pub(crate) fn is_in_step(&mut self) -> bool {
        let conn = &mut **self;
        // The library marks it for as long as a call waits for the beginning of its answer.
        !conn.is_disconnected() && QueryResult::<TextProtocol>::new(conn).columns().is_none()
    }

    /// What the server said of the session with its last answer; nothing if that was an error.
    pub(crate) fn status(&self) -> Option<Status> {
        let flags = self.last_ok_packet()?.status_flags();
        Some(Status {
            in_transaction: flags.contains(StatusFlags::SERVER_STATUS_IN_TRANS),
            autocommit: flags.contains(StatusFlags::SERVER_STATUS_AUTOCOMMIT),
        })
    }

    /// Lets go of it at once, with a word of goodbye if that can be had without waiting.
    pub(crate) fn abort(mut self) {
        if self.is_in_step() {
            let conn = self.into_conn();
            let _nowhere = nowhere();
            let mut goodbye = pin!(conn.disconnect());
            // One poll: puts the goodbye into the socket's buffer, where there is room for it.
            let _ = goodbye.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl Deref for Wire {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        self.0.as_ref().expect("bug: taken only when it is dropped")
    }
}

impl DerefMut for Wire {
    fn deref_mut(&mut self) -> &mut Conn {
        self.0.as_mut().expect("bug: taken only when it is dropped")
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _nowhere = nowhere();
        drop(self.0.take());
    }
}

/// What the server says of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) in_transaction: bool,
    pub(crate) autocommit: bool,
}

/// Until it is dropped, what is spawned on tokio is dropped unrun: the runtime at hand is one that
/// was shut down before anything ran on it. Nothing to be done outside a runtime, where the library
/// spawns nothing.
pub(crate) fn nowhere() -> Option<EnterGuard<'static>> {
    static NOWHERE: OnceLock<Option<Handle>> = OnceLock::new();
    Handle::try_current().ok()?;
    let handle = NOWHERE.get_or_init(|| {
        let runtime = Builder::new_current_thread().build().ok()?;
        let handle = runtime.handle().clone();
        runtime.shutdown_background();
        Some(handle)
    });
    Some(handle.as_ref()?.enter())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    struct NoteDrop(Arc<AtomicBool>);

    impl Drop for NoteDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn what_is_spawned_nowhere_is_dropped_at_once_and_what_follows_runs() {
        let dropped = Arc::new(AtomicBool::new(false));
        {
            let _nowhere = nowhere().expect("inside a runtime");
            let held = NoteDrop(Arc::clone(&dropped));
            tokio::spawn(async move {
                let _held = held;
                std::future::pending::<()>().await;
            });
            assert!(dropped.load(Ordering::SeqCst), "there and then");
        }
        assert_eq!(tokio::spawn(async { 7 }).await.expect("ran"), 7);
    }

    #[test]
    fn outside_a_runtime_there_is_nothing_to_keep_away() {
        assert!(nowhere().is_none());
    }
}
