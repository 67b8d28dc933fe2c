//! What can go wrong with several pools at once.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::config::{ConfigError, Problem};
use crate::error::OpenError;
use crate::runtime::NoRuntime;

/// Why a manager could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum ManagerError {
    /// Something is wrong with the configuration of one pool or more.
    Config(ConfigError),
    /// There is no async runtime to use.
    NoRuntime(NoRuntime),
    /// These pools could not be opened.
    Open(Vec<(Arc<str>, OpenError)>),
}

impl fmt::Display for ManagerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::NoRuntime(error) => error.fmt(f),
            Self::Open(failures) => {
                let count = failures.len();
                let pools = if count == 1 { "pool" } else { "pools" };
                write!(f, "{count} {pools} could not be opened")?;
                for (pool, error) in failures {
                    write!(f, "\n  {pool}: {error}")?;
                    let mut source = error.source();
                    while let Some(cause) = source {
                        write!(f, ": {cause}")?;
                        source = cause.source();
                    }
                }
                Ok(())
            }
        }
    }
}

/// No `source()`: there may be several, and each is told by `Display` with its causes.
impl Error for ManagerError {}

impl From<ConfigError> for ManagerError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<NoRuntime> for ManagerError {
    fn from(missing: NoRuntime) -> Self {
        Self::NoRuntime(missing)
    }
}

/// Why there is no such pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolLookupError {
    /// None has that name.
    #[error(transparent)]
    Unknown(#[from] Problem),
    /// It has another driver.
    #[error("the driver of pool {pool:?} is {driver}, not {asked}")]
    OtherDriver {
        /// The pool.
        pool: String,
        /// The type of its driver.
        driver: &'static str,
        /// The type that was asked for.
        asked: &'static str,
    },
}
