//! What a connection's user and its thread know of each other: which job runs, which are
//! cancelled, how the last one left the connection.
//!
//! Jobs are numbered in the order in which they are sent, and a cancel names a number. So it
//! belongs to one job: one that comes too late finds a higher number running and stops nothing,
//! which `sqlite3_interrupt`, that stops whatever runs, cannot promise.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// In what state a job left the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Left {
    Clean = 0,
    /// In a transaction, or after a panic.
    Dirty = 1,
    /// The thread has ended.
    Gone = 2,
}

#[derive(Debug)]
pub(crate) struct Board {
    /// The job that runs, or the last one that ran. Written by the thread.
    running: AtomicU64,
    /// Jobs up to this one are to stop, or not to start. Written by the user.
    cancelled: AtomicU64,
    /// Jobs up to this one have ended. Written by the thread, after `left`.
    finished: AtomicU64,
    /// How the last of them left the connection.
    left: AtomicU8,
}

impl Board {
    pub(crate) fn new() -> Self {
        Self {
            // Opening comes before all jobs and is nobody's.
            running: AtomicU64::new(u64::MAX),
            cancelled: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            left: AtomicU8::new(Left::Clean as u8),
        }
    }

    /// Cancels a job and all before it.
    pub(crate) fn cancel(&self, job: u64) {
        self.cancelled.fetch_max(job, Ordering::Release);
    }

    /// Cancels all that has come and will come.
    pub(crate) fn cancel_all(&self) {
        self.cancel(u64::MAX);
    }

    /// A job starts, unless it is cancelled.
    pub(crate) fn start(&self, job: u64) -> bool {
        self.running.store(job, Ordering::Relaxed);
        !self.must_stop()
    }

    /// What is done next belongs to no job: it stops only when all is cancelled.
    pub(crate) fn start_for_nobody(&self) {
        self.running.store(u64::MAX, Ordering::Relaxed);
    }

    /// Whether the job that runs is cancelled. Asked every few operations of SQLite's machine: two
    /// relaxed loads, and a cancel is seen as soon as the processor shows it.
    #[inline]
    pub(crate) fn must_stop(&self) -> bool {
        self.running.load(Ordering::Relaxed) <= self.cancelled.load(Ordering::Relaxed)
    }

    /// A job has ended, run or not.
    pub(crate) fn finish(&self, job: u64, left: Left) {
        self.left.store(left as u8, Ordering::Relaxed);
        self.finished.store(job, Ordering::Release);
    }

    /// The thread has ended.
    pub(crate) fn leave(&self) {
        self.finish(u64::MAX, Left::Gone);
    }

    /// Whether a job has ended.
    pub(crate) fn has_finished(&self, job: u64) -> bool {
        self.finished.load(Ordering::Acquire) >= job
    }

    /// How the connection is left once `last`, the last job sent, has ended; dirty before.
    pub(crate) fn left(&self, last: u64) -> Left {
        if !self.has_finished(last) {
            return Left::Dirty;
        }
        match self.left.load(Ordering::Relaxed) {
            0 => Left::Clean,
            1 => Left::Dirty,
            _ => Left::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_that_comes_too_late_stops_nothing() {
        let board = Board::new();
        assert!(board.start(1));
        board.finish(1, Left::Clean);
        board.cancel(1);
        assert!(board.start(2), "a job of its own");
        board.cancel(1);
        assert!(!board.must_stop());
    }

    #[test]
    fn a_job_cancelled_in_the_queue_does_not_start() {
        let board = Board::new();
        board.cancel(1);
        assert!(!board.start(1));
        assert!(board.start(2));
    }

    #[test]
    fn what_is_nobodys_stops_only_when_all_is_cancelled() {
        let board = Board::new();
        board.cancel(1);
        assert!(!board.must_stop(), "opening");
        assert!(!board.start(1));
        board.start_for_nobody();
        assert!(!board.must_stop());
        board.cancel_all();
        assert!(board.must_stop());
    }

    #[test]
    fn a_connection_is_dirty_until_its_last_job_has_ended() {
        let board = Board::new();
        assert_eq!(board.left(0), Left::Clean, "nothing was sent");
        assert!(board.start(1));
        assert_eq!(board.left(1), Left::Dirty);
        board.finish(1, Left::Clean);
        assert_eq!(board.left(1), Left::Clean);
        assert_eq!(board.left(2), Left::Dirty, "the second is on its way");
    }

    #[test]
    fn once_the_thread_is_gone_no_job_is_outstanding() {
        let board = Board::new();
        board.leave();
        assert_eq!(board.left(7), Left::Gone);
        assert!(board.has_finished(7));
    }
}
