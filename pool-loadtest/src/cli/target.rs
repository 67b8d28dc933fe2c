//! Which database, with which settings: everything that can be wrong with a command line, found at
//! once.

use pool_core::{ConfigError, PoolConfig, Problem, Resolved, Sources};
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
    let (sources, mut problems) = sources(arguments);
    let options = sources.database_url().map_or(Ok(fallback), |url| from_url(url.expose()));
    let driver = options.map(SqliteDriver::new);
    let resolved = match &driver {
        Ok(driver) => sources.resolve_for(driver),
        Err(_) => sources.resolve(),
    };
    match (driver, resolved) {
        (Ok(driver), Ok(resolved)) if problems.is_empty() => Ok((driver, resolved)),
        (driver, resolved) => {
            let errors = [driver.err(), resolved.err()];
            problems.extend(errors.iter().flatten().flat_map(ConfigError::problems).cloned());
            Err(ConfigError::from_problems(problems).expect_err("bug: an error without problems"))
        }
    }
}

/// Reads a URL as the driver does. Of one that has no scheme nothing is repeated, unless it is
/// clearly a path: it may be the connection string of another database, with a password.
fn from_url(url: &str) -> Result<SqliteOptions, ConfigError> {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    match url.split_once(':') {
        Some((scheme, _)) if !scheme.is_empty() && scheme.chars().all(is_scheme) => {
            SqliteOptions::from_url(url).map_err(|error| {
                let problems = error.problems().iter().cloned().map(of_this_build).collect();
                ConfigError::from_problems(problems).expect_err("bug: an error without problems")
            })
        }
        _ => {
            let mut problem = Problem::invalid("--url", "", "no scheme", FORMS);
            if is_path(url) {
                url.clone_into(&mut problem.value);
                problem.nearest = Some(format!("sqlite:{url}").into());
            }
            Err(problem.into())
        }
    }
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
    let mut sources = Sources::default().environment(None, &[], std::env::vars_os());
    if let Some(file) = &arguments.file {
        sources = sources.toml_file(file);
    }
    if let Some(url) = &arguments.url {
        sources = sources.code("--url", "url", url);
    }
    if let Some(preset) = &arguments.preset {
        sources = sources.code("--preset", "preset", preset);
    }
    let mut known = Vec::new();
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
