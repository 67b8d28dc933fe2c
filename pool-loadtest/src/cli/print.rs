//! Results on standard output.

use std::fmt::Display;
use std::io::{Write as _, stdout};

use anyhow::Context as _;
use serde::Serialize;

use super::Failure;
use super::arguments::Output;

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
