//! `cargo xtask ...`: the project's scripts, one file a command.
//!
//! Here is the command line; what a command does is in the module of its name.
#![forbid(unsafe_code)]

mod adaptive;
mod bench;
mod child;
mod ci;
mod db;
mod itest;
mod loom;
mod metadata;
mod models;
mod mutants;
mod page;
mod plugin;
mod shuttle;
mod sim;
mod sizing;
mod soak;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The scripts of this project.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(bench::Arguments),
    Ci(ci::Arguments),
    Db(db::Arguments),
    Itest(itest::Arguments),
    Loom(loom::Arguments),
    Mutants(mutants::Arguments),
    Shuttle(shuttle::Arguments),
    Sim(sim::Arguments),
    Soak(soak::Arguments),
}

fn main() -> ExitCode {
    match Xtask::parse().command {
        Command::Bench(arguments) => concluded(bench::run(&arguments)),
        Command::Ci(arguments) => ci::run(&arguments),
        Command::Db(arguments) => db::run(&arguments),
        Command::Itest(arguments) => itest::run(&arguments),
        Command::Loom(arguments) => concluded(loom::run_command(&arguments)),
        Command::Mutants(mutants::Arguments {}) => concluded(mutants::catch_all()),
        Command::Shuttle(arguments) => concluded(shuttle::run_command(&arguments)),
        Command::Sim(arguments) => concluded(sim::run(&arguments)),
        Command::Soak(arguments) => concluded(soak::run(&arguments)),
    }
}

fn concluded(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}
