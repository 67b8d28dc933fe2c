//! Which database, with which settings: everything that can be wrong with a command line, found at
//! once.

use pool_core::{ConfigError, PoolConfig, Preset, Problem};
use pool_sqlite::{SqliteDriver, SqliteOptions};
use tempfile::TempDir;

use super::arguments::RunArguments;

/// URL schemes there is a driver for.
const SCHEMES: [&str; 1] = ["sqlite"];

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
        let driver = options.map(SqliteDriver::new);
        let default = driver.as_ref().map_or_else(PoolConfig::default, SqliteDriver::pool_config);
        let (config, wrong) = settings(default, arguments);
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

fn from_url(url: &str) -> Result<SqliteOptions, ConfigError> {
    let scheme = url.split(':').next().unwrap_or_default();
    if !SCHEMES.contains(&scheme) {
        // The scheme alone: the rest may hold a password.
        return Err(Problem::unknown("url scheme", scheme, SCHEMES.into_iter()).into());
    }
    SqliteOptions::from_url(url)
}

/// The settings asked for, and what is wrong with them.
fn settings(default: PoolConfig, arguments: &RunArguments) -> (PoolConfig, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut config = match arguments.preset.as_deref().map(str::parse::<Preset>) {
        None => default,
        Some(Ok(preset)) => PoolConfig::preset(preset),
        Some(Err(problem)) => {
            problems.push(problem);
            default
        }
    };
    for setting in &arguments.pool {
        match setting.split_once('=') {
            Some((field, value)) => problems.extend(config.set(field.trim(), value).err()),
            None => {
                let allowed = "FIELD=VALUE, such as max_open=8";
                problems.push(Problem::invalid("--pool", setting, "no value", allowed));
            }
        }
    }
    (config, problems)
}
