//! Pools under a mixed load, with all that can befall them and their servers, for minutes or days:
//! `cargo xtask soak`.
//!
//! A run is one of cycles: some time of trouble, then quiet, in which everything must be as it was
//! after the first cycle: memory, descriptors, tasks, threads, the server's sessions, the money. It
//! exits with 1 if something is not, if a user was wronged meanwhile, or if too little happened.
#![forbid(unsafe_code)]

mod audit;
mod cycles;
mod mayfly;
mod mysql;
mod place;
mod postgres;
mod resources;
mod server;
mod sqlite;
mod steward;
mod subject;
mod tally;
mod user;
mod wrongs;

use std::alloc::System;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use pool_testkit::servers::{Family, Product, chosen};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use self::cycles::Plan;
use self::server::ServerPlace;
use self::sqlite::SqlitePlace;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Keeps pools of real databases in trouble, and looks for what they leave behind.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask soak")]
struct Arguments {
    /// How long each driver is kept in trouble.
    #[arg(long, default_value_t = 5.0, value_parser = minutes)]
    minutes: f64,
    /// Only this; may be given several times. One after the other.
    #[arg(long)]
    driver: Vec<Name>,
    /// Of all that is drawn. What comes of it depends on the machine, too.
    #[arg(long)]
    seed: Option<u64>,
    #[command(subcommand)]
    helper: Option<Helper>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    Sqlite,
    Postgres,
    Mysql,
}

#[derive(Debug, Subcommand)]
enum Helper {
    /// Be another process that locks a SQLite database.
    #[command(hide = true)]
    HoldLock { file: PathBuf, millis: u64 },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Some(Helper::HoldLock { file, millis }) = &arguments.helper {
        return sqlite::hold_lock(file, Duration::from_millis(*millis));
    }
    user::expect_panics();
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    let plan = Plan { time: Duration::from_secs_f64(arguments.minutes * 60.0), seed };
    let mut bad = Vec::new();
    for name in Name::value_variants() {
        if arguments.driver.is_empty() || arguments.driver.contains(name) {
            let is_good = soak(*name, plan).unwrap_or_else(|error| {
                println!("WRONG: {name:?} cannot be tried: {error:#}");
                false
            });
            bad.extend((!is_good).then_some(format!("{name:?}")));
        }
    }
    ensure!(bad.is_empty(), "{}; again with --seed {seed}", bad.join(" and "));
    Ok(())
}

/// Whether all was well.
fn soak(name: Name, plan: Plan) -> Result<bool> {
    match name {
        Name::Sqlite => cycles::run(SqlitePlace::new()?, plan),
        Name::Postgres => {
            cycles::run(ServerPlace::new(chosen(Family::Postgres)?, postgres::driver)?, plan)
        }
        // Not what the environment chooses: the statements are MariaDB's.
        Name::Mysql => cycles::run(ServerPlace::new(Product::MariaDb, mysql::driver)?, plan),
    }
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| "not a number")?;
    if (0.5..=100_000.0).contains(&minutes) {
        Ok(minutes)
    } else {
        Err("from 0.5 to 100000".into())
    }
}
