//! `cargo xtask sim`: the engine, or a fleet (`cargo xtask sim fleet`), in virtual time, under whatever can
//! happen, for as many seeds as asked for; or the tuner (`cargo xtask sim tuner`) on simulated servers.
//!
//! What happens and what is checked is in the tests of pool-core (`tests/it/simulation`) and of
//! pool-monitor (`tests/it/fleet`, `tests/it/tuner`); here is how many, and what is said about it.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use crate::{child, shuttle};

/// What a release must have passed.
const RELEASE_GATE: u64 = 1_000_000;
/// What a run of `ci` takes: within a minute on two cores.
const SLICE: u64 = 50_000;

/// A test that takes seeds.
struct Simulation {
    package: &'static str,
    test: &'static str,
}

const ENGINE: Simulation =
    Simulation { package: "pool-core", test: "simulation::whatever_happens_no_rule_is_broken" };
const FLEET: Simulation = Simulation {
    package: "pool-monitor",
    test: "fleet::whatever_happens_a_fleet_keeps_to_its_budget",
};

/// Run the engine in virtual time under random trouble; a broken rule is a failure.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    which: Which,
    /// As many as a release must have passed: 1,000,000, and as many schedules of `shuttle`.
    #[arg(long, conflicts_with_all = ["seeds", "seed"])]
    release_gate: bool,
}

/// What else there is to run.
#[derive(Debug, Subcommand)]
enum Other {
    /// Run a fleet of pools that share a database's connections, under crashes, pauses, failovers and
    /// whatever else can happen.
    Fleet(Which),
    /// Judge the tuner on simulated servers: against the best fixed sizes, against others that size pools,
    /// and by what misleads it.
    Tuner(Judged),
}

#[derive(Clone, Copy, Debug, Args)]
struct Judged {
    /// How many seeds; each takes some seconds of a core, for it judges every case.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
}

#[derive(Clone, Copy, Debug, Args)]
struct Which {
    /// How many seeds.
    #[arg(long, default_value_t = 100_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// This seed alone, with each of its steps.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match arguments {
        Arguments { other: Some(Other::Fleet(which)), .. } => FLEET.run(*which),
        Arguments { other: Some(Other::Tuner(judged)), .. } => judge_tuner(*judged),
        Arguments { release_gate: true, which, .. } => pass_gate(which.from),
        Arguments { which, .. } => ENGINE.run(*which),
    }
}

/// What `ci` runs.
pub(crate) fn run_slice() -> Result<()> {
    ENGINE.run_seeds(0, SLICE)
}

fn pass_gate(from: u64) -> Result<()> {
    ENGINE.run_seeds(from, RELEASE_GATE)?;
    shuttle::run(RELEASE_GATE, from)
}

/// Its tests print their figures.
fn judge_tuner(Judged { seeds, from }: Judged) -> Result<()> {
    // One after the other, for each takes all cores.
    let arguments = ["--quiet", "--", "tuner::", "--nocapture", "--test-threads", "1"];
    let mut command = cargo_test("pool-monitor", &arguments);
    child::run(seeded(&mut command, from, seeds))
}

fn cargo_test(package: &str, arguments: &[&str]) -> Command {
    // Fast, and with the assertions of what is run.
    let mut command = child::cargo(&["test", "--profile", "simulation", "--test", "it"]);
    command.args(["--package", package]).args(arguments);
    command
}

fn seeded(command: &mut Command, from: u64, seeds: u64) -> &mut Command {
    command.env("POOL_SIM_FROM", from.to_string()).env("POOL_SIM_SEEDS", seeds.to_string())
}

impl Simulation {
    fn run(&self, which: Which) -> Result<()> {
        match which {
            Which { seed: Some(seed), .. } => self.replay(seed),
            Which { from, seeds, .. } => self.run_seeds(from, seeds),
        }
    }

    fn run_seeds(&self, from: u64, seeds: u64) -> Result<()> {
        child::run(cargo_test(self.package, &["--no-run"]).arg("--quiet"))?;
        let started = Instant::now();
        let printed = child::run_and_read(&mut self.seeded(from, seeds))?;
        let seconds = started.elapsed().as_secs_f64();
        let steps =
            steps(&printed).context("the simulation does not say how many steps it took")?;
        println!("{}", summary(seeds, steps, seconds));
        Ok(())
    }

    fn replay(&self, seed: u64) -> Result<()> {
        child::run(self.seeded(seed, 1).env("POOL_SIM_TRACE", "1"))
    }

    fn seeded(&self, from: u64, seeds: u64) -> Command {
        let arguments = ["--quiet", "--", "--exact", self.test, "--nocapture"];
        let mut command = cargo_test(self.package, &arguments);
        seeded(&mut command, from, seeds);
        command
    }
}

/// From the last line that says `SEEDS seeds, STEPS steps`.
fn steps(printed: &str) -> Option<u64> {
    let line = printed.lines().rev().find_map(|line| line.strip_suffix(" steps"))?;
    line.rsplit(' ').next()?.parse().ok()
}

fn summary(seeds: u64, steps: u64, seconds: f64) -> String {
    let rate = seeds as f64 / seconds;
    let each = steps as f64 / seeds as f64;
    format!(
        "no rule broken: {seeds} seeds, {steps} steps, {seconds:.1} s; {rate:.0} seeds a second, \
         {each:.0} steps a seed"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_counts_says_how_many_steps_there_were() {
        let printed = "10 seeds, 7 steps so far\nrunning 1 test\n20 seeds, 1234 steps\n\nok\n";
        assert_eq!(steps(printed), Some(1234));
        assert_eq!(steps("running 0 tests\n"), None);
    }

    #[test]
    fn a_summary_says_how_much_was_done_in_what_time() {
        assert_eq!(
            summary(1000, 90_000, 2.0),
            "no rule broken: 1000 seeds, 90000 steps, 2.0 s; 500 seeds a second, 90 steps a seed"
        );
    }
}
