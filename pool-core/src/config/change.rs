//! What changed when a new configuration was applied.

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
