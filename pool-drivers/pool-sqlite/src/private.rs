//! A private database in memory is gone with its one connection: what a pool of it may not do.

use pool_core::{Field, PoolConfig, Problem};

use crate::options::{Hygiene, Source, SqliteOptions};

/// What one can do instead of what is objected to.
const SHARED: &str = "or a database in shared memory, sqlite:NAME?mode=memory";

impl SqliteOptions {
    /// `base` as a pool of this database can have it: unchanged, but for a
    /// [private database in memory](Source::PrivateMemory) with one connection that is never
    /// closed, because the database would be gone with it.
    ///
    /// That is: `max_open` 1, `max_idle` at least 1, `min_idle` at most 1, no `max_lifetime` and no
    /// `max_idle_time`. Settings that a user made on purpose are better put on top of the result
    /// than into `base`: the driver objects to those that cannot be, and the user learns why.
    ///
    /// ```
    /// use pool_core::{PoolConfig, Preset};
    /// use pool_sqlite::SqliteOptions;
    ///
    /// let options = SqliteOptions::private_memory();
    /// let config = options.pool_defaults(PoolConfig::preset(Preset::Testing));
    /// assert_eq!((config.max_open, config.max_lifetime), (1, None));
    /// ```
    #[must_use]
    pub fn pool_defaults(&self, base: PoolConfig) -> PoolConfig {
        match self.source {
            Source::PrivateMemory => PoolConfig {
                max_open: 1,
                max_idle: base.max_idle.max(1),
                min_idle: base.min_idle.min(1),
                max_lifetime: None,
                max_idle_time: None,
                ..base
            },
            Source::File(_) | Source::SharedMemory(_) => base,
        }
    }
}

/// What speaks against a pool of a private database: a second connection, and whatever closes the
/// only one while it is good.
pub(crate) fn objections(options: &SqliteOptions, config: &PoolConfig) -> Vec<Problem> {
    let apart = "each connection to sqlite::memory: is a database of its own";
    let gone = "a database in sqlite::memory: is gone once its connection is closed";
    [
        (config.max_open > 1, "max_open", apart, "1"),
        (config.max_idle == 0, "max_idle", gone, "1 or more"),
        (config.max_lifetime.is_some(), "max_lifetime", gone, "off"),
        (config.max_idle_time.is_some(), "max_idle_time", gone, "off"),
        (options.hygiene == Hygiene::Reopen, "hygiene", gone, Hygiene::Rollback.name()),
    ]
    .into_iter()
    .filter(|(wrong, ..)| *wrong)
    .map(|(_, field, why, allowed)| {
        let value = Field::named(field)
            .map_or_else(|_| options.hygiene.name().to_owned(), |field| field.text(config));
        Problem::invalid(field, value, why, format!("{allowed}; {SHARED}"))
    })
    .collect()
}
