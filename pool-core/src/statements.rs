//! Where a connection tells observers about its statements.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::comment::SqlComment;
use crate::listeners::{Observers, Wanted};
use crate::observer::{StatementFinished, StatementOutcome, StatementStarted};
use crate::runtime::{Instant, Runtime};

static NEXT_STATEMENT_ID: AtomicU64 = AtomicU64::new(1);

/// Where a driver's connection tells observers about its statements.
#[derive(Clone)]
pub struct Statements {
    observers: Arc<Observers>,
    runtime: Option<Arc<dyn Runtime>>,
    connection_id: u64,
}

impl Statements {
    pub(crate) fn new(
        observers: Arc<Observers>,
        runtime: Arc<dyn Runtime>,
        connection_id: u64,
    ) -> Self {
        Self { observers, runtime: Some(runtime), connection_id }
    }

    /// Tells nobody; for connections opened without a pool.
    #[must_use]
    pub fn unobserved() -> Self {
        let observers = Arc::new(Observers::new(Arc::from("")));
        Self { observers, runtime: None, connection_id: 0 }
    }

    /// Announces a statement; `None`, at the cost of one branch, if nobody wants to know.
    #[must_use]
    pub fn start<'a>(&'a self, text: Option<&'a str>) -> Option<RunningStatement<'a>> {
        if !self.observers.want(Wanted::STATEMENTS) {
            return None;
        }
        let statement_id = NEXT_STATEMENT_ID.fetch_add(1, Ordering::Relaxed);
        let connection_id = self.connection_id;
        self.observers.notify(Wanted::STATEMENTS, |observer, pool| {
            let event = StatementStarted { pool, connection_id, statement_id, text };
            observer.statement_started(&event);
        });
        Some(RunningStatement { statements: self, statement_id, text, started: self.now() })
    }

    fn now(&self) -> Instant {
        self.runtime.as_ref().map_or(Instant::EPOCH, |runtime| runtime.now())
    }
}

impl fmt::Debug for Statements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statements")
            .field("connection_id", &self.connection_id)
            .finish_non_exhaustive()
    }
}

/// A statement under way. Dropping it without [`finish`](Self::finish) reports it as cancelled.
#[derive(Debug)]
#[must_use = "a statement that is not finished is reported as cancelled"]
pub struct RunningStatement<'a> {
    statements: &'a Statements,
    statement_id: u64,
    text: Option<&'a str>,
    started: Instant,
}

impl RunningStatement<'_> {
    /// The statement with a comment in it, of what observers have to say to those who look at it on
    /// the server; `None` if they have nothing to say, or it has a comment already.
    ///
    /// For a driver that is about to send it as text. One that is prepared and kept is sent without:
    /// each comment would make it another one.
    #[must_use]
    pub fn commented(&self) -> Option<String> {
        let Self { statements, statement_id, text, .. } = *self;
        let text = text?;
        let comment = RefCell::new(SqlComment::default());
        statements.observers.notify(Wanted::STATEMENTS, |observer, _| {
            observer.sql_comment(statement_id, &mut comment.borrow_mut());
        });
        comment.into_inner().put_into(text)
    }

    /// Reports how the statement ended.
    pub fn finish(self, outcome: StatementOutcome<'_>) {
        self.report(outcome);
        // Holds references only; what is left of it is the report of a cancellation.
        std::mem::forget(self);
    }

    fn report(&self, outcome: StatementOutcome<'_>) {
        let Self { statements, statement_id, text, started } = *self;
        let took = statements.now().since(started);
        let connection_id = statements.connection_id;
        statements.observers.notify(Wanted::STATEMENTS, |observer, pool| {
            let event =
                StatementFinished { pool, connection_id, statement_id, text, took, outcome };
            observer.statement_finished(&event);
        });
    }
}

impl Drop for RunningStatement<'_> {
    fn drop(&mut self) {
        self.report(StatementOutcome::Cancelled);
    }
}
