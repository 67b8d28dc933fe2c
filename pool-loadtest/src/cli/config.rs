//! `pool-loadtest config`: what a pool would be told, and by whom.

use std::io::{Write as _, stdout};

use anyhow::Context as _;
use pool_core::{ConfigError, json_schema};

use super::Failure;
use super::arguments::SettingsArguments;
use super::target::sources;

/// Prints every setting in effect and where it came from.
///
/// # Errors
///
/// [`Failure::Usage`] with every problem of every source.
pub(crate) fn explain(arguments: &SettingsArguments) -> Result<(), Failure> {
    let (sources, problems) = sources(arguments);
    ConfigError::from_problems(problems).map_err(|error| Failure::Usage(error.into()))?;
    let resolved = sources.resolve().map_err(|error| Failure::Usage(error.into()))?;
    print(&resolved.explain().to_string())
}

/// Prints the JSON Schema of the TOML file.
///
/// # Errors
///
/// [`Failure::Run`] if it cannot be printed.
pub(crate) fn schema() -> Result<(), Failure> {
    print(&json_schema())
}

fn print(text: &str) -> Result<(), Failure> {
    let written = stdout().write_all(text.as_bytes()).context("cannot print");
    written.map_err(Failure::Run)
}
