//! Reading [`SqliteOptions`] from a URL.
//!
//! One table of parameters says what is understood and what is allowed. Parameters of the pool are
//! not here.

use std::time::Duration;

use pool_core::{ConfigError, Problem};

use crate::options::{Access, Hygiene, JournalMode, Source, SqliteOptions, Synchronous};
use crate::validate::MAX_CACHE_SIZE_KIB;

/// What a URL looks like, for messages.
const FORMS: &str =
    "sqlite:relative/path, sqlite:/absolute/path, sqlite::memory: or sqlite:NAME?mode=memory";

/// The parameters of a URL.
const PARAMETERS: &[Parameter] = &[
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
            options.journal_mode = named(&JournalMode::ALL, JournalMode::name, text)?;
            Some(())
        },
    },
    Parameter {
        name: "synchronous",
        allowed: "off, normal, full or extra",
        write: |options, text| {
            options.synchronous = named(&Synchronous::ALL, Synchronous::name, text)?;
            Some(())
        },
    },
    Parameter {
        name: "busy_timeout",
        allowed: "a duration such as 5s or 250ms, or 0",
        write: |options, text| {
            options.busy_timeout = match text {
                "0" => Duration::ZERO,
                _ => humantime::parse_duration(text).ok()?,
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
            options.hygiene = named(&Hygiene::ALL, Hygiene::name, text)?;
            Some(())
        },
    },
];

struct Parameter {
    name: &'static str,
    allowed: &'static str,
    write: fn(&mut SqliteOptions, &str) -> Option<()>,
}

fn named<T: Copy>(all: &[T], name: fn(T) -> &'static str, text: &str) -> Option<T> {
    all.iter().copied().find(|value| name(*value).eq_ignore_ascii_case(text))
}

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
        let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut problems = Vec::new();
        let pairs = read_pairs(query, &mut problems);
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
        let names = PARAMETERS.iter().map(|parameter| parameter.name);
        let parameter = PARAMETERS
            .iter()
            .find(|parameter| parameter.name == name)
            .ok_or_else(|| Problem::unknown("parameter", name, names))?;
        (parameter.write)(self, value).ok_or_else(|| {
            Problem::invalid(parameter.name, value, "not understood", parameter.allowed)
        })
    }
}

/// What follows `sqlite:`. The URL of another database may hold a password: of such a one no more
/// than the scheme is repeated.
fn strip_scheme(url: &str) -> Result<&str, Problem> {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
    let length = url.find(|c| !is_scheme(c)).unwrap_or(url.len());
    let (scheme, rest) = url.split_at(length);
    match rest.strip_prefix(':') {
        Some(rest) if scheme.eq_ignore_ascii_case("sqlite") => Ok(rest),
        Some(_) => Err(Problem::unknown("scheme", scheme, ["sqlite"].into_iter())),
        None => Err(Problem::invalid("url", scheme, "no scheme", FORMS)),
    }
}

/// The parameters in their order, decoded.
fn read_pairs(query: &str, problems: &mut Vec<Problem>) -> Vec<(String, String)> {
    let mut pairs = Vec::<(String, String)>::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (decode(name, name), decode(name, value)) {
            (Ok(name), Ok(value)) if pairs.iter().any(|(known, _)| *known == name) => {
                problems.push(Problem::invalid(name, value, "given twice", "one value"));
            }
            (Ok(name), Ok(value)) => pairs.push((name, value)),
            (Err(problem), _) | (_, Err(problem)) => problems.push(problem),
        }
    }
    pairs
}

fn read_source(location: &str, in_memory: bool, problems: &mut Vec<Problem>) -> Option<Source> {
    let path = match strip_authority(location).and_then(|path| decode("path", path)) {
        Ok(path) => path,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    if path == ":memory:" {
        return Some(Source::PrivateMemory);
    }
    if in_memory {
        // `sqlite:name`, `sqlite:/name` and `sqlite:///name` are the same database.
        return Some(Source::SharedMemory(path.trim_start_matches('/').to_owned()));
    }
    if path.is_empty() {
        problems.push(Problem::invalid("path", "", "no database is named", FORMS));
        return None;
    }
    Some(Source::File(path.into()))
}

/// The path of a location; an authority, the part after `//`, must be empty.
fn strip_authority(location: &str) -> Result<&str, Problem> {
    if location.contains('#') {
        let why = "a fragment has no meaning here";
        return Err(Problem::invalid("path", location, why, "%23 for a # in the path"));
    }
    let Some(rest) = location.strip_prefix("//") else { return Ok(location) };
    if let Some(drive) = rest.strip_prefix('/').filter(|path| cfg!(windows) && has_drive(path)) {
        return Ok(drive);
    }
    if rest.starts_with('/') {
        return Ok(rest);
    }
    // What stands before an @ may be a password.
    let shown = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let mut problem = Problem::invalid("path", shown, "what follows // would be a host", FORMS);
    problem.nearest = Some(format!("sqlite:{shown}"));
    Err(problem)
}

fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

/// Percent-decodes. A plus sign is a plus sign.
fn decode(field: &str, text: &str) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        match byte {
            b'%' => match (digit(), digit()) {
                (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
                _ => {
                    let why = "a % without two hexadecimal digits";
                    return Err(Problem::invalid(field, text, why, "%25 for a % itself"));
                }
            },
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| {
        Problem::invalid(field, text, "not UTF-8 once decoded", "percent-encoded UTF-8")
    })
}
