//! `pool-loadtest config`: what a pool would be told, and by whom.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};

use anyhow::Context as _;
use pool_core::{Resolved, json_schema};
use pool_sqlite::SqliteOptions;

use super::Failure;
use super::arguments::RunArguments;
use super::layers::OptionInEffect;
use super::stage::Stage;
use super::target::{Target, Visit};
use crate::database::Database;

/// Prints every setting of the pool in effect and where it came from, then each option of a run, and
/// what is set for other commands.
///
/// # Errors
///
/// [`Failure::Usage`] with every problem of every source.
pub(crate) fn explain(arguments: &RunArguments) -> Result<(), Failure> {
    let settings = &arguments.settings;
    // What goes against the stage is of no matter here.
    let (stage, _) = Stage::read(arguments);
    let target = Target::read(settings, |sources| stage.settle(sources));
    let explained = target.resolve(SqliteOptions::file("bank.db"), Explain);
    let mut lines = explained.map_err(|error| Failure::Usage(error.into()))?;
    lines.push_str("\nOf a run:\n");
    for OptionInEffect { name, value, origin } in &settings.layers.options {
        let (value, origin) = match (value, stage.chosen(name)) {
            (Some(value), _) => (value.clone(), origin.to_string()),
            (None, Some((value, origin))) => (value, origin),
            (None, None) => ("-".to_owned(), origin.to_string()),
        };
        let _ = writeln!(lines, "{name:<18} {value:<14} {origin}");
    }
    let of_others = &settings.layers.of_others;
    if !of_others.is_empty() {
        lines.push_str("\nOf sweep or tune alone:\n");
    }
    for OptionInEffect { name, value, origin } in of_others {
        let _ = writeln!(lines, "{name:<18} {:<14} {origin}", value.as_deref().unwrap_or("-"));
    }
    print(&lines)
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
