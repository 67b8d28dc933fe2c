//! Reading [`SqliteOptions`] from a URL.
//!
//! One table of parameters says what is understood and what is allowed. What stands before them is
//! read in `location.rs`; parameters of the pool are not here.

use std::time::Duration;

use pool_core::url::{Parameter, choice};
use pool_core::{ConfigError, Problem, parse_duration};

use crate::location::{authority, no_host, read_source, strip_scheme};
use crate::options::{Access, Hygiene, JournalMode, Source, SqliteOptions, Synchronous};
use crate::validate::MAX_CACHE_SIZE_KIB;

/// The parameters of a URL.
const PARAMETERS: &[Parameter<SqliteOptions>] = &[
    Parameter {
        name: "mode",
        allowed: "ro, rw, rwc or memory",
        write: |options, text| {
            options.access = match text {
                "ro" => Access::ReadOnly,
                "rw" => Access::ReadWrite,
                // Which database it is was decided before.
                "rwc" | "memory" => Access::Create,
                _ => return None,
            };
            Some(())
        },
    },
    Parameter {
        name: "journal_mode",
        allowed: "delete, truncate, persist, memory, wal or off",
        write: |options, text| {
            options.journal_mode = choice(&JournalMode::ALL, JournalMode::name, text)?;
            Some(())
        },
    },
    Parameter {
        name: "synchronous",
        allowed: "off, normal, full or extra",
        write: |options, text| {
            options.synchronous = choice(&Synchronous::ALL, Synchronous::name, text)?;
            Some(())
        },
    },
    Parameter {
        name: "busy_timeout",
        allowed: "a duration such as 5s or 250ms, or 0",
        write: |options, text| {
            options.busy_timeout = match text {
                "0" => Duration::ZERO,
                _ => parse_duration(text)?,
            };
            Some(())
        },
    },
    Parameter {
        name: "foreign_keys",
        allowed: "on or off",
        write: |options, text| {
            options.foreign_keys = match text {
                "on" => true,
                "off" => false,
                _ => return None,
            };
            Some(())
        },
    },
    Parameter {
        name: "cache_size",
        allowed: "a whole number of KiB such as 8192, at most 2147483647",
        write: |options, text| {
            options.cache_size_kib =
                text.parse().ok().filter(|size| *size <= MAX_CACHE_SIZE_KIB)?;
            Some(())
        },
    },
    Parameter {
        name: "statement_cache",
        allowed: "a whole number of statements such as 64",
        write: |options, text| {
            options.statement_cache = text.parse().ok()?;
            Some(())
        },
    },
    Parameter {
        name: "hygiene",
        allowed: "rollback or reopen",
        write: |options, text| {
            options.hygiene = choice(&Hygiene::ALL, Hygiene::name, text)?;
            Some(())
        },
    },
];

impl SqliteOptions {
    /// Reads a URL.
    ///
    /// | URL | database |
    /// |---|---|
    /// | `sqlite:data/orders.db` | a file, relative to the working directory |
    /// | `sqlite:/var/orders.db`, `sqlite:///var/orders.db` | a file |
    /// | `sqlite::memory:` | private to its one connection |
    /// | `sqlite:orders?mode=memory` | in memory, shared by all that use the name |
    ///
    /// Parameters: `mode` (`ro`, `rw`, `rwc`, `memory`), `journal_mode`, `synchronous`,
    /// `busy_timeout` (`5s`, `250ms`), `foreign_keys` (`on`, `off`), `cache_size` (KiB),
    /// `statement_cache`, `hygiene` (`rollback`, `reopen`). Paths and values are percent-decoded.
    ///
    /// ```
    /// use pool_sqlite::{Access, Source, SqliteOptions};
    ///
    /// let options = SqliteOptions::from_url("sqlite:my%20data.db?mode=ro&busy_timeout=250ms")?;
    /// assert_eq!(options.source, Source::File("my data.db".into()));
    /// assert_eq!(options.access, Access::ReadOnly);
    ///
    /// let error = SqliteOptions::from_url("sqlite:x.db?mod=ro&synchronous=never").unwrap_err();
    /// assert_eq!(error.problems().len(), 2);
    /// assert_eq!(error.problems()[0].nearest.as_deref(), Some("mode"));
    /// # Ok::<(), pool_core::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem at once: what was given, what is allowed, and the nearest
    /// name.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        let rest = strip_scheme(url)?;
        if let Some(authority) = authority(rest).filter(|_| rest.contains('@')) {
            // A password may hold any character: what looks like parameters may be part of it.
            return Err(no_host(authority).into());
        }
        let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains('@') {
            // Up to there, all may be the user and the password of another database.
            let why = "an @ after the ?, where no parameter allows one";
            return Err(Problem::not_shown("url", why, "%3F for a ? in the path").into());
        }
        let mut problems = Vec::new();
        let pairs = Parameter::read(PARAMETERS, query, &mut problems);
        let in_memory = pairs.iter().any(|(name, value)| name == "mode" && value == "memory");
        let source = read_source(location, in_memory, &mut problems);
        let mut options = Self::of(source.unwrap_or(Source::PrivateMemory));
        for (name, value) in pairs {
            problems.extend(options.set(&name, &value).err());
        }
        problems.extend(options.problems());
        ConfigError::from_problems(problems)?;
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        if name == "cache" {
            // Not "did you mean cache_size?": it is a parameter of SQLite's own URLs.
            let why = "shared caches answer SQLITE_LOCKED, for which no connection waits";
            return Err(Problem::invalid(name, value, why, "sqlite:NAME?mode=memory instead"));
        }
        Parameter::named(PARAMETERS, name)?.set(self, value)
    }
}
