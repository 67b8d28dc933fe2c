//! Prepared statements of one connection, by their text. Bounded: the one unused for longest makes
//! room.

use std::collections::HashMap;

use tokio_postgres::Statement;

/// Finding the one to evict looks at all: it is done once a prepare, next to a round trip.
#[derive(Debug)]
pub(crate) struct StatementCache {
    capacity: usize,
    clock: u64,
    entries: HashMap<Box<str>, Entry>,
}

struct Entry {
    statement: Statement,
    used: u64,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("used", &self.used).finish_non_exhaustive()
    }
}

impl StatementCache {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, clock: 0, entries: HashMap::new() }
    }

    /// Whether nothing is kept.
    pub(crate) fn is_off(&self) -> bool {
        self.capacity == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&mut self, sql: &str) -> Option<Statement> {
        let entry = self.entries.get_mut(sql)?;
        self.clock += 1;
        entry.used = self.clock;
        Some(entry.statement.clone())
    }

    pub(crate) fn put(&mut self, sql: &str, statement: Statement) {
        if self.is_off() {
            return;
        }
        if self.entries.len() >= self.capacity && !self.entries.contains_key(sql) {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            if let Some(oldest) = oldest.map(|(sql, _)| sql.clone()) {
                self.entries.remove(&oldest);
            }
        }
        self.clock += 1;
        self.entries.insert(sql.into(), Entry { statement, used: self.clock });
    }

    pub(crate) fn remove(&mut self, sql: &str) {
        self.entries.remove(sql);
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}
