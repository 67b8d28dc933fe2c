//! The task that reads and writes for one connection. It ends when the connection has no user any
//! more, and sees to it that the server does not go on working for nobody.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::{Either, poll_immediate, select};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Connection};

use crate::cancel::Canceller;
use crate::notifications::Inbox;
use crate::wire::{Tap, Wire};

/// No goodbye takes longer: to a server that does not answer, the connection is simply closed.
const GOODBYE: Duration = Duration::from_secs(5);

/// What the task drives, and whom it tells.
pub(crate) struct Task {
    pub(crate) connection: Connection<Tap, Tap>,
    pub(crate) wire: Arc<Wire>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) canceller: Canceller,
    /// Resolves when the connection's last user is gone.
    pub(crate) unused: oneshot::Receiver<()>,
}

impl Task {
    /// Starts it on the tokio runtime around the caller.
    pub(crate) fn start(self) -> JoinHandle<()> {
        tokio::spawn(self.run())
    }

    async fn run(self) {
        let Self { mut connection, wire, inbox, canceller, unused } = self;
        let closing = ClosesInbox(Arc::clone(&inbox));
        let mut talk = pin!(poll_fn(|cx| {
            loop {
                match ready!(connection.poll_message(cx)) {
                    Some(Ok(AsyncMessage::Notification(notification))) => inbox.push(notification),
                    Some(Ok(_)) => {}
                    // Whoever waits for a reply is told; the others find the connection closed.
                    Some(Err(_)) | None => return Poll::Ready(()),
                }
            }
        }));
        if let Either::Right(_) = select(talk.as_mut(), unused).await {
            // What was asked for last is to be on the wire before its state is looked at.
            if poll_immediate(talk.as_mut()).await.is_none() {
                let _ = timeout(GOODBYE, say_goodbye(talk, &wire, &canceller)).await;
            }
        }
        drop(closing);
    }
}

/// A connection at rest says goodbye by itself. One with a statement under way would do so only at
/// its end: that is stopped, because nobody waits for it any more.
async fn say_goodbye(talk: Pin<&mut impl Future<Output = ()>>, wire: &Wire, canceller: &Canceller) {
    if wire.settled().is_some() {
        talk.await;
    } else {
        // A server that cannot be reached has nothing to stop.
        let _ = canceller.stop_until(talk).await;
    }
}

/// Also when the task is dropped by its runtime.
struct ClosesInbox(Arc<Inbox>);

impl Drop for ClosesInbox {
    fn drop(&mut self) {
        self.0.close();
    }
}
