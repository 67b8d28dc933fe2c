//! The engine beside its peers: `cargo xtask bench`.
//!
//! Each measurement is a process of its own, so that nobody inherits another's heap or threads; the
//! order alternates from round to round. The figures go to standard output and, with JSON and plots,
//! to `target/bench/`. It exits with 1 if a target is missed,
//! or if a measurement failed, without which there is nothing to be ahead of.
#![forbid(unsafe_code)]

mod contender;
mod machine;
mod report;
mod results;
mod rounds;
mod shape;
mod verdict;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::contender::Who;
use crate::machine::Machine;
use crate::report::Report;
use crate::shape::{How, Shape, Windows};
use crate::verdict::Verdict;

/// Measures the engine beside its peers; a target that is missed is a failure.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench --", args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Only this shape; may be given several times.
    #[arg(long, value_name = "SHAPE")]
    only: Vec<Shape>,
    /// How often each contender is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// One short round: shows that everything works, and judges nothing.
    #[arg(long)]
    quick: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(hide = true)]
    Measure(Measurement),
}

/// Measures one contender once, and prints a line of JSON.
#[derive(Debug, Parser)]
struct Measurement {
    shape: Shape,
    who: Who,
    #[arg(long)]
    round: u32,
    #[arg(long)]
    quick: bool,
}

/// What was allocated while something ran, by its thread.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    pub allocations: u64,
    /// Those that were not freed; fewer than none, where others were.
    pub bytes_kept: i64,
}

/// Runs something and counts meanwhile.
pub type Count = fn(&mut dyn FnMut()) -> Counted;

/// The comparison, or one measurement of it, which the comparison starts as a process.
///
/// # Errors
///
/// Ours cannot be measured, or the reports not be written.
pub fn run() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Measure(measurement)) => measure(&measurement, None),
        None => compare(&arguments),
    }
}

/// One measurement, of a shape that is counted.
///
/// # Errors
///
/// The figures cannot be printed.
pub fn measure_counting(count: Count) -> Result<()> {
    measure(&Measurement::parse(), Some(count))
}

fn measure<T>(measurement: &Measurement, count: Option<Count>) -> Result<T> {
    let Measurement { shape, who, round, quick } = *measurement;
    let windows = if quick { Windows::QUICK } else { Windows::USUAL };
    let sample = shape.measure(who, How { windows, round, count });
    println!("{}", serde_json::to_string(&sample)?);
    // What is still running is of no interest.
    std::process::exit(0)
}

fn compare(arguments: &Arguments) -> Result<ExitCode> {
    let machine = Machine::describe();
    let rounds = if arguments.quick { 1 } else { arguments.rounds };
    let results = rounds::run(&chosen(&arguments.only), rounds, arguments.quick)?;
    let judged = verdict::judge(&results);
    let report = Report { machine: &machine, rounds, results: &results, judged: &judged };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
    println!("{}", report.write(&folder)?);
    println!("written to target/bench: figures.md, figures.json, plots");
    let failed = results.failures().len();
    if failed > 0 {
        println!("measurements that failed: {failed}");
    }
    let are_reached = if arguments.quick {
        println!("a quick round judges nothing");
        true
    } else {
        println!("{}", verdict::conclusion(&judged));
        judged.iter().all(|judged| judged.verdict == Verdict::Reached)
    };
    Ok(if failed == 0 && are_reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chosen(only: &[Shape]) -> Vec<Shape> {
    let all = <Shape as clap::ValueEnum>::value_variants().iter().copied();
    all.filter(|shape| only.is_empty() || only.contains(shape)).collect()
}
