//! Which database, with which settings: everything that can be wrong with a command line, found at
//! once.

use pool_core::{ConfigError, PoolConfig, Preset, Problem};
use pool_sqlite::{SqliteDriver, SqliteOptions};
use tempfile::TempDir;

use super::arguments::RunArguments;

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
    /// Reads the URL, the preset and the settings.
    ///
    /// # Errors
    ///
    /// Every problem of all three at once.
    pub(crate) fn new(
        arguments: &RunArguments,
        directory: Option<TempDir>,
    ) -> Result<Self, ConfigError> {
        let options = match (&arguments.url, &directory) {
            (Some(url), _) => from_url(url),
            (None, Some(directory)) => Ok(SqliteOptions::file(directory.path().join("bank.db"))),
            (None, None) => Ok(SqliteOptions::private_memory()),
        };
        let (options, mut problems) = match options {
            Ok(options) => (Some(options), Vec::new()),
            Err(error) => (None, error.problems().to_vec()),
        };
        let (config, wrong) = settings(options.as_ref(), arguments);
        let driver = options.map(SqliteDriver::new);
        problems.extend(wrong);
        match driver {
            Some(driver) if problems.is_empty() => {
                Ok(Self { driver, config, _directory: directory })
            }
            _ => {
                problems.extend(
                    config.validate().err().iter().flat_map(ConfigError::problems).cloned(),
                );
                ConfigError::from_problems(problems)?;
                unreachable!("bug: without a driver there is a problem")
            }
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

/// The settings asked for, and what is wrong with them.
fn settings(
    options: Option<&SqliteOptions>,
    arguments: &RunArguments,
) -> (PoolConfig, Vec<Problem>) {
    let mut problems = Vec::new();
    let base = match arguments.preset.as_deref().map(str::parse::<Preset>) {
        None => PoolConfig::default(),
        Some(Ok(preset)) => PoolConfig::preset(preset),
        Some(Err(problem)) => {
            problems.push(problem);
            PoolConfig::default()
        }
    };
    let mut config = match options {
        Some(options) => options.pool_defaults(base),
        None => base,
    };
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
        problems.extend(config.set(field, value).err());
    }
    (config, problems)
}
