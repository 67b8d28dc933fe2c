//! Which database, with which settings: everything that can be wrong with a command line, found at
//! once.

use pool_core::{ConfigError, PoolConfig, Problem, Resolved, Sources, url_scheme};
use pool_sqlite::{SqliteDriver, SqliteOptions};
use tempfile::TempDir;

use super::arguments::{RunArguments, SettingsArguments};

/// What a URL looks like, for messages.
const FORMS: &str = "sqlite:PATH, sqlite::memory: or sqlite:NAME?mode=memory";

/// A database to run on, and the settings of its pool.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) driver: SqliteDriver,
    pub(crate) config: PoolConfig,
    /// Where the database is, if it is a temporary one; removed when dropped.
    pub(crate) _directory: Option<TempDir>,
}

impl Target {
    /// Reads the URL and the settings of every source.
    ///
    /// # Errors
    ///
    /// Every problem of all of them at once.
    pub(crate) fn new(
        arguments: &RunArguments,
        directory: Option<TempDir>,
    ) -> Result<Self, ConfigError> {
        let fallback = match &directory {
            Some(directory) => SqliteOptions::file(directory.path().join("bank.db")),
            None => SqliteOptions::private_memory(),
        };
        let (driver, resolved) = resolve(&arguments.settings, fallback)?;
        Ok(Self { driver, config: resolved.config().clone(), _directory: directory })
    }
}

/// The driver and the settings that all sources come to, with a database to use if none names one.
///
/// # Errors
///
/// Every problem of all of them at once.
pub(super) fn resolve(
    arguments: &SettingsArguments,
    fallback: SqliteOptions,
) -> Result<(SqliteDriver, Resolved), ConfigError> {
    let (sources, problems) = sources(arguments);
    let resolved = if sources.names_url() {
        sources.resolve_with(from_url)
    } else {
        let driver = SqliteDriver::new(fallback);
        sources.resolve_for(&driver).map(|resolved| (driver, resolved))
    };
    let found = resolved.as_ref().err().into_iter().flat_map(ConfigError::problems).cloned();
    ConfigError::from_problems(problems.into_iter().chain(found).collect())?;
    resolved
}

/// Reads a URL as the driver does. Of one that has no scheme nothing is repeated, unless it is
/// clearly a path: it may be the connection string of another database, with a password.
fn from_url(url: &str) -> Result<SqliteDriver, ConfigError> {
    let is_sqlite = |(scheme, _): (&str, _)| scheme.eq_ignore_ascii_case("sqlite");
    if url_scheme(url).is_some() || url.split_once(':').is_some_and(is_sqlite) {
        return SqliteDriver::from_url(url).map_err(|error| {
            let problems = error.problems().iter().cloned().map(of_this_build).collect();
            ConfigError::from_problems(problems).expect_err("bug: an error without problems")
        });
    }
    let mut problem = Problem::invalid("url", "", "no scheme", FORMS);
    if is_path(url) {
        url.clone_into(&mut problem.value);
        problem.nearest = Some(format!("sqlite:{url}").into());
    }
    Err(problem.into())
}

/// A scheme without a driver is one that this build has no driver for.
fn of_this_build(mut problem: Problem) -> Problem {
    if problem.field == "scheme" {
        "url scheme".clone_into(&mut problem.field);
        "this build has no driver for it".clone_into(&mut problem.why);
        // A database of its own is no slip of the pen.
        let others = ["mariadb", "mysql", "postgres", "postgresql"];
        problem.nearest = problem.nearest.filter(|_| !others.contains(&&*problem.value));
    }
    problem
}

/// Whether it looks like the path of an SQLite file and like nothing else.
fn is_path(url: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    [".db", ".db3", ".sqlite", ".sqlite3"].iter().any(|end| url.ends_with(end))
        && url.chars().all(plain)
}

/// Where settings come from, and what is wrong with the arguments among them.
pub(super) fn sources(arguments: &SettingsArguments) -> (Sources, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut sources = Sources::default().environment(std::env::vars_os());
    if let Some(file) = &arguments.file {
        sources = sources.toml_file(file);
    }
    let mut known = Vec::new();
    for (name, field, value) in
        [("--url", "url", &arguments.url), ("--preset", "preset", &arguments.preset)]
    {
        if let Some(value) = value {
            sources = sources.code(name, field, value);
            known.push(field);
        }
    }
    for setting in &arguments.pool {
        let Some((field, value)) = setting.split_once('=') else {
            let allowed = "FIELD=VALUE, such as max_open=8";
            problems.push(Problem::invalid("--pool", setting, "no value", allowed));
            continue;
        };
        let field = field.trim();
        if known.contains(&field) {
            problems.push(Problem::invalid("--pool", field, "given twice", "each field once"));
        }
        known.push(field);
        sources = sources.code("--pool", field, value);
    }
    (sources, problems)
}
