//! `cargo xtask bench`: the benchmarks, which print our figures beside those of peers.
//!
//! What is measured, and against which targets, is each benchmark's own. Those with peers stand outside
//! the workspace, with them.

use std::process::Command;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::{adaptive, child, sizing};

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
    /// What it costs a pool to be watched.
    Monitor,
    /// How soon probes are answered, and what asking costs a pool.
    Health,
    /// What the load generator costs, and whether its comparisons can be trusted.
    Loadtest,
    /// How many connections are right, for three databases; written into `docs/sizing.md`.
    Sizing,
    /// What a pool that adapts itself finds, alone and in a fleet; written into `docs/adaptive.md`.
    Adaptive,
    /// A load that exceeds its pool, as Prometheus sees it; drawn into `docs/plots`.
    Spike,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut command = match arguments.what {
        What::Engine => child::outside("pool-core/peers"),
        What::Servers => child::outside("pool-drivers/server-peers"),
        What::Sqlite => child::outside("pool-drivers/pool-sqlite/peers"),
        What::Spike => child::outside("pool-monitor/plot"),
        What::Monitor => of_member("pool-monitor", "prometheus", "cost"),
        What::Health => of_member("pool-health", "http", "answers"),
        What::Loadtest => of_member("pool-loadtest", "cli", "generator"),
        What::Sizing => return sizing::run(&arguments.passed_on),
        What::Adaptive => return adaptive::run(&arguments.passed_on),
    };
    child::run(command.args(&arguments.passed_on))
}

/// A benchmark without peers, within the workspace.
fn of_member(package: &str, features: &str, bench: &str) -> Command {
    child::cargo(&["bench", "--package", package, "--features", features, "--bench", bench, "--"])
}
