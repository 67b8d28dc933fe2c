//! `pool-loadtest config`: what a pool would be told, and by whom.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};

use anyhow::Context as _;
use pool_core::{Resolved, json_schema};
use pool_sqlite::SqliteOptions;

use super::Failure;
use super::arguments::RunArguments;
use super::layers::OptionInEffect;
use super::stage;
use super::target::{Target, Visit};
use crate::bank::Teller;

/// Prints every setting of the pool in effect and where it came from, and then each option of a run.
///
/// # Errors
///
/// [`Failure::Usage`] with every problem of every source.
pub(crate) fn explain(arguments: &RunArguments) -> Result<(), Failure> {
    let settings = &arguments.settings;
    let more = |sources| match arguments.stage.scenario {
        Some(scenario) => stage::settings(sources, scenario),
        None => sources,
    };
    let explained = Target::read(settings, more).resolve(SqliteOptions::file("bank.db"), Explain);
    let mut lines = explained.map_err(|error| Failure::Usage(error.into()))?;
    lines.push_str("\nOf a run:\n");
    for OptionInEffect { name, value, origin } in &settings.layers.options {
        let value = value.as_deref().unwrap_or("-");
        let _ = writeln!(lines, "{name:<18} {value:<14} {origin}");
    }
    print(&lines)
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
