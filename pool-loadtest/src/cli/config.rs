//! `pool-loadtest config`: what a pool would be told, and by whom.

use std::io::{Write as _, stdout};

use anyhow::Context as _;
use pool_core::{Resolved, json_schema};
use pool_sqlite::SqliteOptions;

use super::Failure;
use super::arguments::SettingsArguments;
use super::target::{Target, Visit};
use crate::database::Database;

/// Prints every setting in effect and where it came from.
///
/// # Errors
///
/// [`Failure::Usage`] with every problem of every source.
pub(crate) fn explain(arguments: &SettingsArguments) -> Result<(), Failure> {
    let explained = Target::read(arguments).resolve(SqliteOptions::file("bank.db"), Explain);
    print(&explained.map_err(|error| Failure::Usage(error.into()))?)
}

struct Explain;

impl Visit for Explain {
    type Output = String;

    fn visit<D: Database + Clone>(self, _: D, resolved: Resolved) -> String {
        resolved.explain().to_string()
    }
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
