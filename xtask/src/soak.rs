//! `cargo xtask soak`: pools in trouble for minutes or days, and what they leave behind.
//!
//! What it takes is the program's own; `cargo xtask soak --help` lists it. It stands outside the
//! workspace.

use anyhow::Result;
use clap::Args;

use crate::child;

/// Keep pools of every driver in trouble, and look for leaks.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// For the program itself; `--help` lists what it takes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    passed_on: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut command = child::outside("pool-drivers/soak");
    // What is freed stays in fewer places, so that the memory in use says more.
    command.env("MALLOC_ARENA_MAX", "2");
    // To resolve one keeps 30 MiB of symbols.
    command.env("RUST_BACKTRACE", "0");
    child::run(command.args(&arguments.passed_on))
}
