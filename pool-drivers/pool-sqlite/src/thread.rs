//! The life of a connection's thread: it opens, runs the jobs sent to it, and closes.
//!
//! The handle through which jobs get there is in `worker.rs`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_channel::oneshot;
use rusqlite::Connection;

use crate::board::{Board, Left};
use crate::busy;
use crate::error::SqliteError;
use crate::mailbox::Inbox;
use crate::open::Opening;

/// Work for the thread. It publishes its end on the board and answers by itself.
pub(crate) type Job = Box<dyn FnOnce(&mut Seat) + Send>;

/// How a closure ended: with its result, or why it has none.
pub(crate) type Outcome<R> = Result<R, SqliteError>;

pub(crate) enum Message {
    Run(Job),
    Close(oneshot::Sender<rusqlite::Result<()>>),
}

/// A connection on its thread.
pub(crate) struct Seat {
    connection: Connection,
    board: Arc<Board>,
    /// Whether a closure panicked since the connection was last cleaned.
    suspect: bool,
    /// Whether the job before this one began the transaction that is open.
    begun: bool,
}

impl Seat {
    pub(crate) fn new(connection: Connection, board: Arc<Board>) -> Self {
        Self { connection, board, suspect: false, begun: false }
    }

    /// Runs a user's closure, unless it is cancelled already. What the job before it began is
    /// rolled back first if that one was `abandoned`: nobody has seen how it ended, so nobody knows
    /// of the transaction, and what is written now would be lost in it.
    pub(crate) fn run<R>(
        &mut self,
        number: u64,
        abandoned: bool,
        closure: impl FnOnce(&mut Connection) -> R,
        answer: oneshot::Sender<Outcome<R>>,
    ) {
        let begun = std::mem::take(&mut self.begun);
        let rolled_back = if abandoned && begun { self.roll_back() } else { Ok(()) };
        if !self.board.start(number) {
            self.publish(number);
            return;
        }
        let outcome = rolled_back.map_err(SqliteError::Sqlite).and_then(|()| self.try_run(closure));
        // Before the answer: whoever has the answer may release the connection at once.
        self.publish(number);
        let _ = answer.send(outcome);
    }

    fn try_run<R>(&mut self, closure: impl FnOnce(&mut Connection) -> R) -> Outcome<R> {
        let outside = self.connection.is_autocommit();
        let result = catch_unwind(AssertUnwindSafe(|| closure(&mut self.connection)));
        self.begun = outside && !self.connection.is_autocommit();
        let result = result.map_err(|payload| {
            self.suspect = true;
            SqliteError::Panicked { message: panic_message(payload) }
        });
        // What half a closure has written must not be committed by who comes next. A cancel that
        // is seen in a BEGIN lets it take effect and calls it interrupted, so that the closure
        // believes to be in no transaction.
        let half_begun = self.begun && self.board.must_stop();
        if (result.is_err() || half_begun) && self.roll_back().is_ok() {
            self.begun = false;
        }
        result
    }

    /// Rolls back for good: what was cancelled does not stop this too.
    fn roll_back(&self) -> rusqlite::Result<()> {
        self.board.start_for_nobody();
        roll_back(&self.connection)
    }

    /// Cleans the connection for another user.
    pub(crate) fn clean(&mut self, number: u64, answer: oneshot::Sender<Result<(), SqliteError>>) {
        self.begun = false;
        self.board.start(number);
        let result = self.try_clean();
        self.publish(number);
        let _ = answer.send(result);
    }

    fn try_clean(&mut self) -> Result<(), SqliteError> {
        roll_back(&self.connection)?;
        if !is_clean(&self.connection) || self.connection.is_busy() {
            return Err(SqliteError::Unclean);
        }
        self.suspect = false;
        Ok(())
    }

    fn publish(&self, number: u64) {
        let clean = !self.suspect && is_clean(&self.connection);
        self.board.finish(number, if clean { Left::Clean } else { Left::Dirty });
    }
}

/// Asked of SQLite, not counted by the client: a transaction whose `BEGIN` was cancelled half-way
/// is seen too, and so is a read transaction kept by a statement that was leaked.
fn is_clean(connection: &Connection) -> bool {
    use rusqlite::TransactionState;
    let no_lock = matches!(connection.transaction_state::<&str>(None), Ok(TransactionState::None));
    connection.is_autocommit() && no_lock
}

fn roll_back(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_autocommit() { Ok(()) } else { connection.execute_batch("ROLLBACK") }
}

/// Says on the board that the thread has ended, however it ends.
struct Leave(Arc<Board>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Opens a connection, says how that went, and serves it until it is closed or nobody is left to
/// send.
pub(crate) fn serve(
    opening: Opening,
    board: Arc<Board>,
    opened: oneshot::Sender<Result<(), SqliteError>>,
    inbox: &Inbox<Message>,
) {
    let leave = Leave(Arc::clone(&board));
    busy::prepare(&board, opening.options.busy_timeout, &opening.lock_waits);
    let connection = match opening.open(&board) {
        Ok(connection) => connection,
        Err(error) => {
            drop(leave);
            let _ = opened.send(Err(error));
            return;
        }
    };
    // A connection keeps its memory database alive itself; the anchor is the driver's to drop.
    drop(opening);
    if opened.send(Ok(())).is_err() {
        return;
    }
    let mut seat = Seat::new(connection, board);
    while let Some(message) = inbox.next() {
        match message {
            Message::Run(job) => contain(|| job(&mut seat)),
            Message::Close(closed) => {
                let result = seat.connection.close().map_err(|(_connection, error)| error);
                drop(leave);
                let _ = closed.send(result);
                return;
            }
        }
    }
}

/// Keeps a panic of a user's value, dropped here, from ending the thread.
fn contain(code: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        panic_message(payload);
    }
}

/// The text of a panic's payload, which it consumes.
fn panic_message(payload: Box<dyn Any + Send>) -> String {
    let message = if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "no message".to_owned()
    };
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // A payload that panics while it is dropped is not dropped again.
        std::mem::forget(second);
    }
    message
}
