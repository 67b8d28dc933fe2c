//! How the fake driver's calls answer.

use std::collections::VecDeque;
use std::time::Duration;

/// A call of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// `Driver::connect`.
    Connect,
    /// `Driver::check`.
    Check,
    /// `Driver::reset`.
    Reset,
    /// `Driver::close`.
    Close,
    /// `Driver::abort`, which can only succeed, panic with the connection in its hands (`Error`), or
    /// panic once it has let go of it.
    Abort,
    /// `Driver::released`, which can only tell the truth, say discard (`Error`), or panic.
    Released,
    /// Any question of the driver's [capabilities](pool_core::Capabilities).
    Ask,
    /// `Driver::take_over`, which can only succeed or panic before anything has changed.
    TakeOver,
}

impl Call {
    pub(super) const COUNT: usize = 8;
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It succeeds at once.
    Ok,
    /// It fails with a transient error.
    Error,
    /// It fails with a permanent error, as a wrong password.
    Permanent,
    /// It panics.
    Panic,
    /// It never ends.
    Never,
    /// It succeeds after this long.
    Late(Duration),
    /// It fails with a transient error after this long.
    LateError(Duration),
    /// It waits at a gate until the test opens it with another answer.
    Gate,
}

/// The answers of one kind of call.
#[derive(Debug)]
pub(super) struct Script {
    /// For the next calls, in order.
    next: VecDeque<Answer>,
    /// For all others.
    pub(super) otherwise: Answer,
}

impl Default for Script {
    fn default() -> Self {
        Self { next: VecDeque::new(), otherwise: Answer::Ok }
    }
}

impl Script {
    pub(super) fn push(&mut self, answers: &[Answer]) {
        self.next.extend(answers);
    }

    pub(super) fn answer(&mut self) -> Answer {
        self.next.pop_front().unwrap_or(self.otherwise)
    }
}
