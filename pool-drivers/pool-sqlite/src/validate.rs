//! What options can never be right, whatever the pool.

use pool_core::{ConfigError, Problem};

use crate::options::{Source, SqliteOptions};

/// The largest `cache_size` that SQLite can count in KiB. It takes more for none at all.
pub(crate) const MAX_CACHE_SIZE_KIB: u32 = i32::MAX.unsigned_abs();

impl SqliteOptions {
    /// Checks what no database could be opened with. A pool does this itself, and so does a connect.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem at once; values are never clamped.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::from_problems(self.problems())
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        match &self.source {
            Source::File(path) => {
                let value = path.to_string_lossy();
                if value.is_empty() {
                    let allowed = "a path, such as data/orders.db";
                    problems.push(Problem::invalid("source", "", "no database is named", allowed));
                }
                problems.extend(truncated(&value, "a path without NUL"));
            }
            Source::SharedMemory(name) => {
                if name.is_empty() {
                    // SQLite would give one to each connection apart.
                    let why = "a database in shared memory is found by its name";
                    let allowed = "any name, as in sqlite:NAME?mode=memory";
                    problems.push(Problem::invalid("source", "", why, allowed));
                }
                problems.extend(truncated(name, "a name without NUL"));
            }
            Source::PrivateMemory => {}
        }
        if self.cache_size_kib > MAX_CACHE_SIZE_KIB {
            let (value, allowed) =
                (self.cache_size_kib.to_string(), format!("at most {MAX_CACHE_SIZE_KIB}"));
            let why = "more than SQLite can count";
            problems.push(Problem::invalid("cache_size_kib", value, why, allowed));
        }
        problems
    }
}

/// A name of which SQLite would see a part.
fn truncated(name: &str, allowed: &str) -> Option<Problem> {
    let why = "SQLite reads a name up to its first NUL";
    name.contains('\0').then(|| Problem::invalid("source", name, why, allowed))
}
