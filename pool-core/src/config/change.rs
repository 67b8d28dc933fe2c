//! What changed when a new configuration was applied.

use std::fmt;

use super::{FIELDS, PoolConfig};

/// What a reconfiguration did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reconfigured {
    /// Number of the configuration now in force.
    pub generation: u64,
    /// The fields that changed.
    pub changes: Vec<Change>,
    /// Idle connections closed because they are surplus now.
    pub closed: usize,
    /// Connections beyond `max_open` that are in use, and are closed when they come back.
    pub awaiting_return: usize,
}

/// A field that changed, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Its name.
    pub field: &'static str,
    /// Its value before.
    pub from: String,
    /// Its value now.
    pub to: String,
}

impl Change {
    /// Every field in which two configurations differ.
    pub(crate) fn between(from: &PoolConfig, to: &PoolConfig) -> Vec<Self> {
        let changes = FIELDS.iter().filter_map(|field| {
            let (from, to) = (field.text(from), field.text(to));
            (from != to).then_some(Self { field: field.name, from, to })
        });
        changes.collect()
    }
}

/// As in `max_open 10 -> 4`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.field, self.from, self.to)
    }
}
