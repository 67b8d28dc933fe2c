//! `pool-loadtest scenarios`: what there is to run.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Failure;
use crate::scenario::{ALL, Scenario};
use crate::words::paragraph;

/// What is started where a server is needed, for the list.
const SERVERS: &str = "--start postgres|mariadb|mysql";

#[derive(Debug, Args)]
pub(crate) struct ScenariosArguments {
    /// How to print the list.
    #[arg(long, value_name = "FORM", default_value = "text")]
    output: Listing,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Listing {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// One of them, for programs.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    does: &'static str,
    needs: Option<&'static str>,
    look_at: &'static str,
    expected: &'static str,
    duration_seconds: f64,
    shortest_seconds: f64,
    tasks: Option<u32>,
    rates: Vec<String>,
    settings: serde_json::Map<String, serde_json::Value>,
}

/// Prints every scenario.
///
/// # Errors
///
/// [`Failure::Run`] if the list cannot be printed.
pub(crate) fn list(arguments: &ScenariosArguments) -> Result<(), Failure> {
    let listed = match arguments.output {
        Listing::Text => Ok(as_text()),
        Listing::Json => as_json(),
    };
    let printed = listed.and_then(|text| {
        let mut out = stdout();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        written.context("cannot print the list")
    });
    printed.map_err(Failure::Run)
}

fn as_text() -> String {
    let mut text = String::new();
    for (number, scenario) in ALL.iter().enumerate() {
        let Scenario { name, does, look_at, .. } = scenario;
        if number > 0 {
            text.push('\n');
        }
        let _ = writeln!(text, "{name}");
        let _ = paragraph(&mut text, "  does", does);
        if scenario.needs_server() {
            let _ = paragraph(&mut text, "  needs", SERVERS);
        }
        let _ = paragraph(&mut text, "  look at", look_at);
    }
    text
}

fn as_json() -> anyhow::Result<String> {
    let listed: Vec<_> = ALL.iter().map(listed).collect();
    Ok(serde_json::to_string_pretty(&listed)? + "\n")
}

fn listed(scenario: &Scenario) -> Listed {
    let setting = |(field, value): &(&str, &str)| ((*field).to_owned(), (*value).into());
    Listed {
        name: scenario.name,
        does: scenario.does,
        needs: scenario.needs_server().then_some(SERVERS),
        look_at: scenario.look_at,
        expected: scenario.expected,
        duration_seconds: scenario.duration.as_secs_f64(),
        shortest_seconds: scenario.shortest.as_secs_f64(),
        tasks: scenario.rates.is_empty().then_some(scenario.tasks),
        rates: scenario.rates.iter().map(|share| format!("{}/s", share.what)).collect(),
        settings: scenario.settings.iter().map(setting).collect(),
    }
}
