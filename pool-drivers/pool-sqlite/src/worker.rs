//! The handle to a connection's thread: it sends jobs, waits for them, and cancels them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread::Builder;

use futures_channel::oneshot;
use rusqlite::Connection;

use crate::board::{Board, Left};
use crate::error::SqliteError;
use crate::mailbox::{Inbox, Outbox};
use crate::open::Opening;
use crate::thread::{Job, Message, Seat, serve};

/// The handle to a connection's thread. Dropping it cancels what runs and hangs up, without
/// waiting for the thread, which then closes the connection and ends.
pub(crate) struct Worker {
    outbox: Outbox<Message>,
    board: Arc<Board>,
    /// Number of the last job sent.
    last: u64,
    /// Ends when the thread is through with a job whose future was dropped; the next job is sent
    /// after that.
    outstanding: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Whether the future of the last job was dropped before it had told the job's end.
    abandoned: bool,
}

/// Whether the connection could be opened.
pub(crate) type Opened = oneshot::Receiver<Result<(), SqliteError>>;

impl Worker {
    /// Starts a thread that opens a connection.
    pub(crate) fn start(connection_id: u64, opening: Opening) -> io::Result<(Self, Opened)> {
        let board = Arc::new(Board::new());
        let inbox = Inbox::new();
        let outbox = inbox.outbox();
        let (opened, opening_result) = oneshot::channel();
        let thread = Builder::new().name(format!("sqlite-{connection_id}")).spawn({
            let board = Arc::clone(&board);
            move || serve(opening, board, opened, &inbox)
        })?;
        let outbox = outbox(thread.thread().clone());
        Ok((Self { outbox, board, last: 0, outstanding: None, abandoned: false }, opening_result))
    }

    /// How the connection is left; dirty while a job is outstanding.
    pub(crate) fn left(&self) -> Left {
        self.board.left(self.last)
    }

    /// Runs a closure on the thread.
    ///
    /// Dropping the future cancels the closure. Until the thread is through with it, the next call
    /// waits, and finds no transaction that the closure began.
    pub(crate) async fn run<R: Send + 'static>(
        &mut self,
        closure: impl FnOnce(&mut Connection) -> R + Send + 'static,
    ) -> Result<R, SqliteError> {
        if let Some(outstanding) = &mut self.outstanding {
            outstanding.await;
            self.outstanding = None;
        }
        let abandoned = std::mem::take(&mut self.abandoned);
        let answer =
            self.send(move |seat, number, answer| seat.run(number, abandoned, closure, answer))?;
        let pending = Pending { answer: Some(answer), worker: self };
        pending.await.unwrap_or(Err(SqliteError::ThreadGone))
    }

    /// Rolls back what is open. A job that is outstanding is cancelled: it ends first, or does not
    /// begin.
    pub(crate) async fn clean(&mut self) -> Result<(), SqliteError> {
        let answer = self.send(Seat::clean)?;
        answer.await.unwrap_or(Err(SqliteError::ThreadGone))
    }

    /// Closes the connection on its thread. A job that is outstanding ends first, or does not
    /// begin.
    pub(crate) async fn close(self) -> Result<(), SqliteError> {
        let (closed, answer) = oneshot::channel();
        self.outbox.send(Message::Close(closed)).map_err(|_| SqliteError::ThreadGone)?;
        answer.await.unwrap_or(Ok(())).map_err(SqliteError::Sqlite)
    }

    fn send<A: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut Seat, u64, oneshot::Sender<A>) + Send + 'static,
    ) -> Result<oneshot::Receiver<A>, SqliteError> {
        let (sender, receiver) = oneshot::channel();
        let number = self.last + 1;
        let job: Job = Box::new(move |seat| job(seat, number, sender));
        self.outbox.send(Message::Run(job)).map_err(|_| SqliteError::ThreadGone)?;
        self.last = number;
        Ok(receiver)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.board.cancel_all();
    }
}

/// The wait for the answer to the last job sent.
struct Pending<'a, A: Send + 'static> {
    /// Absent once it has come.
    answer: Option<oneshot::Receiver<A>>,
    worker: &'a mut Worker,
}

impl<A: Send + 'static> Future for Pending<'_, A> {
    type Output = Result<A, oneshot::Canceled>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self.answer.as_mut().expect("bug: polled after it was done");
        let result = ready!(Pin::new(answer).poll(cx));
        self.answer = None;
        Poll::Ready(result)
    }
}

impl<A: Send + 'static> Drop for Pending<'_, A> {
    fn drop(&mut self) {
        let Some(answer) = self.answer.take() else { return };
        self.worker.abandoned = true;
        let number = self.worker.last;
        if self.worker.board.has_finished(number) {
            return;
        }
        self.worker.board.cancel(number);
        self.worker.outbox.wake();
        self.worker.outstanding = Some(Box::pin(async { drop(answer.await) }));
    }
}
