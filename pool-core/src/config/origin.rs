//! Where a value of a configuration came from.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::Preset;

/// Where a value came from, lowest source first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The preset that was chosen.
    Preset(Preset),
    /// The program, for want of anybody else who set it; see
    /// [`Sources::fallback`](crate::Sources::fallback).
    Fallback {
        /// What the program calls it.
        name: Arc<str>,
    },
    /// The driver: nobody else set it, and its database cannot have the default.
    Driver {
        /// The database system.
        system: Cow<'static, str>,
    },
    /// A line of a file.
    File {
        /// The file as it was named.
        file: Arc<str>,
        /// The line, counted from 1.
        line: usize,
    },
    /// A parameter of the database's URL.
    Url {
        /// The parameter with its `pool_`.
        parameter: String,
    },
    /// An environment variable.
    Environment {
        /// The variable.
        variable: String,
    },
    /// The program itself, or what it takes for that, such as its command line.
    Code {
        /// What the program calls it.
        name: Arc<str>,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Preset(preset) => write!(f, "preset {preset}"),
            Self::Driver { system } => write!(f, "demanded by {system}"),
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Url { parameter } => write!(f, "{parameter} in the URL"),
            Self::Environment { variable } => f.write_str(variable),
            Self::Fallback { name } | Self::Code { name } => f.write_str(name),
        }
    }
}
