//! `cargo xtask bench`: the benchmarks, which print our figures beside those of peers.
//!
//! What is measured, and against which targets, is each benchmark's own. They stand outside the
//! workspace, with the peers.

use std::process::{Command, ExitCode};

use clap::{Args, ValueEnum};
use pool_testkit::servers::{CACHE_VARIABLE, cache};

use crate::child;

/// Measure the pool beside its peers; a target that is missed is a failure.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What is measured.
    #[arg(default_value = "engine")]
    what: What,
    /// For the benchmark itself; `-- --help` lists what it takes.
    #[arg(last = true)]
    passed_on: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// The pool itself, without a database; figures and plots go to `target/bench`.
    Engine,
    /// The drivers of PostgreSQL, MariaDB and MySQL, on real servers.
    Servers,
    /// The driver of SQLite.
    Sqlite,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match child::run(command(arguments.what).args(&arguments.passed_on)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command(what: What) -> Command {
    match what {
        What::Engine => beside_peers("pool-core/peers"),
        What::Servers => beside_peers("pool-drivers/server-peers"),
        What::Sqlite => beside_peers("pool-drivers/pool-sqlite/peers"),
    }
}

/// A program outside the workspace.
fn beside_peers(package: &str) -> Command {
    let manifest = format!("{package}/Cargo.toml");
    let mut command = child::cargo(&["run", "--release", "--locked", "--manifest-path", &manifest]);
    command.arg("--target-dir").arg(child::root().join("target").join("peers"));
    // Its own target folder would be another cache.
    command.env(CACHE_VARIABLE, cache()).arg("--");
    command
}
