//! `cargo xtask shuttle`: small crowds at the engine under very many schedules, drawn by shuttle.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::child;
use crate::models::Tool;

/// Run small crowds at the engine under many schedules.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many, over all crowds.
    #[arg(long, default_value_t = 100_000)]
    schedules: u64,
    /// What they are drawn from: the same seed draws the same ones.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Run this one schedule instead, which a failure has printed, of the crowd named.
    #[arg(long, value_name = "SCHEDULE", requires = "crowd")]
    replay: Option<String>,
    /// Only the crowds with this in their names.
    crowd: Option<String>,
}

pub(crate) fn run_command(arguments: &Arguments) -> Result<()> {
    let crowd = arguments.crowd.as_deref();
    match &arguments.replay {
        Some(schedule) => replay(schedule, crowd),
        None => run_crowds(arguments.schedules, arguments.seed, crowd),
    }
}

/// Runs every crowd, under `schedules` drawn from `seed` in all.
///
/// # Errors
///
/// A crowd fails; what replays it is printed.
pub(crate) fn run(schedules: u64, seed: u64) -> Result<()> {
    run_crowds(schedules, seed, None)
}

fn run_crowds(schedules: u64, seed: u64, filter: Option<&str>) -> Result<()> {
    let crowds = Tool::Shuttle.models(filter)?;
    let each = schedules.div_ceil(crowds.len() as u64);
    let mut command = Tool::Shuttle.tests(&[]);
    command.env("POOL_SCHEDULES", each.to_string()).env("POOL_SEED", seed.to_string());
    let started = Instant::now();
    child::run(command.arg("--nocapture").args(filter))
        .context("the lines above say how to replay it")?;
    let (all, took) = (each * crowds.len() as u64, started.elapsed().as_secs_f64());
    println!("{all} schedules in {took:.1} s, {:.0} a second", all as f64 / took);
    Ok(())
}

fn replay(schedule: &str, filter: Option<&str>) -> Result<()> {
    let crowds = Tool::Shuttle.models(filter)?;
    let [crowd] = &crowds[..] else { bail!("of which of these? {}", crowds.join(", ")) };
    let mut command = Tool::Shuttle.tests(&[]);
    command.env("POOL_REPLAY", schedule).args(["--exact", "--nocapture", crowd]);
    child::run(&mut command)
}
