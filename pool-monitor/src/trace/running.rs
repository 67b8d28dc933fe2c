//! The spans of statements under way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry::global::BoxedSpan;
use parking_lot::Mutex;

/// More statements than any pool has connections. Those that were forgotten under way, rather than
/// finished or dropped, stay here until then.
const MOST: usize = 10_000;

/// The spans of statements under way that are recorded.
#[derive(Default)]
pub(super) struct Running {
    /// By the statement's number.
    spans: Mutex<HashMap<u64, Statement>>,
    /// How many they are, to be read without the lock: mostly there are none, because most traces are
    /// not sampled.
    count: AtomicUsize,
}

/// A statement that is being traced.
pub(super) struct Statement {
    pub(super) span: BoxedSpan,
    pub(super) started: std::time::SystemTime,
}

impl Running {
    /// Keeps a span until its statement ends. With far too many under way, it is given up.
    pub(super) fn insert(&self, statement_id: u64, statement: Statement) {
        let mut spans = self.spans.lock();
        if spans.len() < MOST {
            spans.insert(statement_id, statement);
            self.count.store(spans.len(), Ordering::Relaxed);
        } else {
            drop(spans);
            // Its end is the exporter's code.
            drop(statement);
        }
    }

    pub(super) fn remove(&self, statement_id: u64) -> Option<Statement> {
        self.peek()?;
        let mut spans = self.spans.lock();
        let statement = spans.remove(&statement_id);
        self.count.store(spans.len(), Ordering::Relaxed);
        statement
    }

    /// What `look` makes of the statement's span.
    pub(super) fn look<T>(
        &self,
        statement_id: u64,
        look: impl FnOnce(&BoxedSpan) -> T,
    ) -> Option<T> {
        self.peek()?;
        self.spans.lock().get(&statement_id).map(|statement| look(&statement.span))
    }

    /// Nothing, if there are none at all. Whoever asks for a statement has seen it start.
    fn peek(&self) -> Option<()> {
        (self.count.load(Ordering::Relaxed) > 0).then_some(())
    }
}
