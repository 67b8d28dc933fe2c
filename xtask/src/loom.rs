//! `cargo xtask loom`: the engine's races in every order with at most two (or three) preemptions, by
//! loom.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::child;
use crate::models::Tool;

/// Try the engine's races in every order with at most two (or three) preemptions.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only the models with this in their names.
    model: Option<String>,
    /// Look for the first interleaving in which a model fails, and run that one again with a log of
    /// each step.
    #[arg(long, requires = "model")]
    replay: bool,
}

pub(crate) fn run_command(arguments: &Arguments) -> Result<()> {
    let model = arguments.model.as_deref();
    if arguments.replay { replay(model) } else { run(model) }
}

/// Runs all models, or those with `filter` in their names.
///
/// # Errors
///
/// The first that fails, and how to see what happens in it.
pub(crate) fn run(filter: Option<&str>) -> Result<()> {
    for model in Tool::Loom.models(filter)? {
        child::run(&mut one(&model)).with_context(|| {
            format!("the interleaving that fails, step by step: cargo xtask loom --replay {model}")
        })?;
    }
    Ok(())
}

/// A process of its own for each: a deadlock that loom finds may abort it.
fn one(model: &str) -> Command {
    let mut command = Tool::Loom.tests(&["--quiet"]);
    command.args(["--exact", "--nocapture", model]);
    command
}

fn replay(filter: Option<&str>) -> Result<()> {
    let models = Tool::Loom.models(filter)?;
    let [model] = &models[..] else { bail!("which of these? {}", models.join(", ")) };
    let checkpoint = checkpoint(model);
    if checkpoint.exists() {
        fs::remove_file(&checkpoint)?;
    }
    let from_checkpoint = |mut command: Command| {
        command.env("LOOM_CHECKPOINT_FILE", &checkpoint).env("LOOM_CHECKPOINT_INTERVAL", "1");
        command
    };
    if child::run(&mut from_checkpoint(one(model))).is_ok() {
        println!("{model} holds in every order with at most two (or three) preemptions");
        return Ok(());
    }
    let mut again = from_checkpoint(one(model));
    again.env("LOOM_LOG", "trace").env("LOOM_LOCATION", "1").env("LOOM_MAX_BRANCHES", "10000");
    child::run(&mut again)
}

/// Where loom notes which interleaving it is at.
fn checkpoint(model: &str) -> PathBuf {
    Tool::Loom.folder().join(format!("{}.json", model.replace("::", ".")))
}
