//! How a connection waits for the locks of others, and how a cancel ends the wait.
//!
//! SQLite's built-in busy timeout sleeps through a cancel. This handler sleeps in
//! `park_timeout`, from which whoever cancels wakes it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use crate::board::Board;
use crate::lock_waits::LockWaitCounter;

/// Milliseconds from one look at a lock to the next, as SQLite's own busy handler takes them; the
/// last one repeats.
const PAUSES_MS: [u64; 12] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];

thread_local! {
    /// The connection's thread and its patience. A thread-local because SQLite's busy handler is a
    /// plain function here.
    static PATIENCE: RefCell<Option<Patience>> = const { RefCell::new(None) };
}

struct Patience {
    board: Arc<Board>,
    timeout: Duration,
    counter: Arc<LockWaitCounter>,
    /// When the present wait began.
    since: Cell<Option<Instant>>,
    /// Whether a new wait goes on with the time of the one before.
    one_wait: Cell<bool>,
}

/// Gives the calling thread, a connection's, its patience, and where its waits are counted.
pub(crate) fn prepare(board: &Arc<Board>, timeout: Duration, counter: &Arc<LockWaitCounter>) {
    PATIENCE.set(Some(Patience {
        board: Arc::clone(board),
        timeout,
        counter: Arc::clone(counter),
        since: Cell::new(None),
        one_wait: Cell::new(false),
    }));
}

/// Has `connection`, which only the calling thread uses, wait with that patience.
pub(crate) fn install(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(wait))
}

/// Has all waits within `work` take one timeout together, from the beginning of the first.
pub(crate) fn as_one_wait<T>(work: impl FnOnce() -> T) -> T {
    let outer = PATIENCE.with_borrow(|patience| patience.as_ref().map(Patience::begin_one_wait));
    let result = work();
    PATIENCE.with_borrow(|patience| {
        if let (Some(patience), Some(outer)) = (patience, outer) {
            patience.one_wait.set(outer);
        }
    });
    result
}

/// Tries again while the database is locked, for what SQLite does not call its busy handler for, or
/// not each time. All attempts are one wait.
pub(crate) fn retry<T>(mut attempt: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    as_one_wait(|| {
        for round in 0.. {
            match attempt() {
                Err(error)
                    if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                        && wait(round) => {}
                result => return result,
            }
        }
        unreachable!("bug: patience without end")
    })
}

/// SQLite's busy handler: waits a little and says whether to try again. `round` counts from zero
/// within one wait.
fn wait(round: i32) -> bool {
    PATIENCE.with_borrow(|patience| patience.as_ref().is_some_and(|patience| patience.wait(round)))
}

impl Patience {
    /// Returns whether it was one wait before.
    fn begin_one_wait(&self) -> bool {
        let outer = self.one_wait.replace(true);
        if !outer {
            self.since.set(None);
        }
        outer
    }

    fn wait(&self, round: i32) -> bool {
        let now = Instant::now();
        let going_on = self.since.get().filter(|_| round > 0 || self.one_wait.get());
        let since = going_on.unwrap_or(now);
        self.since.set(Some(since));
        let left = self.timeout.saturating_sub(now.duration_since(since));
        if left.is_zero() || self.board.must_stop() {
            return false;
        }
        let step = usize::try_from(round).unwrap_or(0).min(PAUSES_MS.len() - 1);
        // A cancel is written before the thread is unparked, so it is either seen above, or ends
        // the pause at once. A stray wake-up means only that the lock is looked at early.
        park_timeout(left.min(Duration::from_millis(PAUSES_MS[step])));
        if going_on.is_none() {
            self.counter.begin();
        }
        self.counter.go_on(now.elapsed());
        !self.board.must_stop()
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn counter() -> Arc<LockWaitCounter> {
        Arc::default()
    }

    #[test]
    fn without_patience_it_gives_up_at_once() {
        prepare(&Arc::new(Board::new()), Duration::ZERO, &counter());
        assert!(!wait(0));
    }

    #[test]
    fn a_cancelled_job_gives_up_at_once_and_the_next_one_waits() {
        let board = Arc::new(Board::new());
        prepare(&board, Duration::from_hours(1), &counter());
        assert!(board.start(1));
        board.cancel(1);
        assert!(!wait(0));
        assert!(board.start(2));
        assert!(wait(0));
    }

    #[test]
    fn what_is_one_wait_has_one_timeout_however_often_it_begins() {
        let board = Arc::new(Board::new());
        prepare(&board, Duration::from_millis(20), &counter());
        assert!(board.start(1));
        let busy = || rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None);
        let mut attempts = 0;
        let result = retry(|| {
            attempts += 1;
            assert!((0..1000).any(|round| !wait(round)), "SQLite's own wait, to its end");
            Err::<(), _>(busy())
        });
        assert_eq!(result, Err(busy()));
        assert_eq!(attempts, 1, "no time is left for another");
        assert!(wait(0), "the next wait has its own");
    }

    #[test]
    fn each_wait_has_the_whole_timeout() {
        let board = Arc::new(Board::new());
        let counter = counter();
        prepare(&board, Duration::from_millis(20), &counter);
        assert!(board.start(1));
        for _ in 0..2 {
            let started = Instant::now();
            assert!((0..1000).any(|round| !wait(round)), "gives up");
            assert!(started.elapsed() >= Duration::from_millis(20), "not before the timeout");
        }
        let waited = counter.read();
        assert_eq!(waited.count, 2, "however often each looked");
        assert!(!waited.time.is_zero());
    }
}
