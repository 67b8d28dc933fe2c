//! `pool-loadtest config`: what a pool would be told, and by whom.

use std::io::{Write as _, stdout};

use anyhow::Context as _;
use pool_core::{Resolved, json_schema};
use pool_sqlite::SqliteOptions;

use super::Failure;
use super::arguments::ExplainArguments;
use super::stage;
use super::target::{Target, Visit};
use crate::bank::Teller;

/// Prints every setting in effect and where it came from.
///
/// # Errors
///
/// [`Failure::Usage`] with every problem of every source.
pub(crate) fn explain(arguments: &ExplainArguments) -> Result<(), Failure> {
    let ExplainArguments { settings, scenario } = arguments;
    let more = |sources| match scenario {
        Some(scenario) => stage::settings(sources, scenario),
        None => sources,
    };
    let explained = Target::read(settings, more).resolve(SqliteOptions::file("bank.db"), Explain);
    print(&explained.map_err(|error| Failure::Usage(error.into()))?)
}

struct Explain;

impl Visit for Explain {
    type Output = String;

    fn visit<D: Teller + Clone>(self, _: D, resolved: Resolved) -> String {
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
