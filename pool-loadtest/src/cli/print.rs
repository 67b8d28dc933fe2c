//! Results on standard output.

use std::fmt::Display;
use std::io::{Write as _, stdout};

use anyhow::Context as _;
use clap::ValueEnum;
use serde::Serialize;

use super::Failure;

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs, with the version of its schema.
    Json,
}

/// Prints a report.
///
/// # Errors
///
/// [`Failure::Run`] if it cannot be printed.
pub(super) fn print(report: &(impl Display + Serialize), output: Output) -> Result<(), Failure> {
    let text = match output {
        Output::Text => report.to_string(),
        Output::Json => {
            let json = serde_json::to_string_pretty(report).context("cannot write the report");
            json.map_err(Failure::Run)? + "\n"
        }
    };
    let mut out = stdout();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    printed.context("cannot print the report").map_err(Failure::Run)
}
