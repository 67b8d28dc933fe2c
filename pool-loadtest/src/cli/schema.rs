//! `pool-loadtest schema`: what the JSON of a report is made of, as JSON Schema.

use std::io::{Write as _, stdout};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Failure;
use super::budget::Answer;
use super::printed::PrintedRun;
use crate::compare::Comparison;
#[cfg(feature = "monitor")]
use crate::fleet::FleetReport;
use crate::sweep::SweepReport;
use crate::tune::TuneReport;

#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// Of which command's report.
    #[arg(value_name = "REPORT")]
    report: Reported,
}

/// What has a report.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Reported {
    /// One load on one pool.
    Run,
    /// One or two settings over a range.
    Sweep,
    /// The search for a setting.
    Tune,
    /// Two runs beside each other.
    Compare,
    /// What share of a server's connections a pool may have.
    Budget,
    /// Processes that share one server.
    #[cfg(feature = "monitor")]
    Fleet,
}

/// Prints the schema of a report.
///
/// # Errors
///
/// [`Failure::Run`] if it cannot be printed.
pub(crate) fn schema(arguments: &SchemaArguments) -> Result<(), Failure> {
    let text = match arguments.report {
        Reported::Run => text_of::<PrintedRun<'_>>("A run of pool-loadtest"),
        Reported::Sweep => text_of::<SweepReport>("A sweep of pool-loadtest"),
        Reported::Tune => text_of::<TuneReport>("A search of pool-loadtest"),
        Reported::Compare => text_of::<Comparison>("A comparison of pool-loadtest"),
        Reported::Budget => text_of::<Answer>("A budget of pool-loadtest"),
        #[cfg(feature = "monitor")]
        Reported::Fleet => text_of::<FleetReport>("A fleet of pool-loadtest"),
    };
    let written = stdout().write_all(text.as_bytes()).context("cannot print");
    written.map_err(Failure::Run)
}

/// What is printed, not what would be understood: every field is there, be it null.
fn text_of<T: JsonSchema>(title: &str) -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = Value::from(settings.into_generator().into_root_schema_for::<T>());
    schema["title"] = title.into();
    if let Some(config) = schema.pointer_mut("/properties/config") {
        settle(config);
    }
    let text = serde_json::to_string_pretty(&schema).expect("bug: a schema is JSON");
    text + "\n"
}

/// The pool's settings have a schema of their own: that of a table of the TOML file.
fn settle(config: &mut Value) {
    let whole: Value = serde_json::from_str(&pool_core::json_schema()).expect("bug: it is JSON");
    let settings = &whole["$defs"]["pool"]["properties"];
    let described = |name: &str| Some((name.to_owned(), settings.get(name)?.clone()));
    let fields = pool_core::FIELDS.iter().filter_map(|field| described(field.name));
    config["properties"] = fields.collect::<serde_json::Map<_, _>>().into();
    config["required"] = pool_core::FIELDS.iter().map(|field| field.name).collect();
    config["additionalProperties"] = false.into();
}
