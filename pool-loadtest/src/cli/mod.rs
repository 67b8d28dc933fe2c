//! The command line: what is asked for, and how the program ends.
//!
//! Results go to standard output, progress and errors to standard error. Exit codes: 0 ok, 1 the
//! run failed, 2 usage or configuration, 3 an objective or threshold is missed, 4 a regression,
//! 5 inconclusive, 130 interrupted.

mod arguments;
mod arrivals;
mod aside;
mod budget;
mod cell_arguments;
mod cells;
mod compare;
mod completions;
mod config;
mod criteria;
#[cfg(feature = "monitor")]
mod fleet;
mod health;
mod incidents;
mod layers;
mod live;
mod misfortune;
#[cfg(feature = "monitor")]
mod monitor;
#[cfg(not(feature = "monitor"))]
#[path = "unmonitored.rs"]
mod monitor;
mod on_database;
mod output;
#[cfg(all(feature = "start", target_os = "linux"))]
mod own;
#[cfg(not(all(feature = "start", target_os = "linux")))]
#[path = "unowned.rs"]
mod own;
#[cfg(test)]
mod panics_tests;
mod partial;
mod plan;
mod printed;
mod progress;
mod run;
mod scenarios;
mod schema;
mod signals;
mod stage;
mod start;
mod sweep;
mod target;
mod thread;
mod tune;
mod workload;

use std::ffi::OsString;
use std::io::{Write as _, stderr};
use std::process::ExitCode;

use pool_core::may_hold_password;

use self::arguments::{Command, ConfigCommand};
use self::layers::NotUnderstood;

/// The exit code of a run that failed.
const FAILED: u8 = 1;
/// The exit code of a command line that makes no sense.
const USAGE: u8 = 2;
/// The exit code of figures that an objective or a threshold does not allow.
const MISSED: u8 = 3;
/// The exit code of figures that are worse than they were.
const REGRESSED: u8 = 4;
/// The exit code of figures that say too little.
const INCONCLUSIVE: u8 = 5;
/// The exit code of a run that a signal ended.
const INTERRUPTED: u8 = 130;

/// Why the program ends other than well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The run failed.
    Run(anyhow::Error),
    /// What was asked for makes no sense.
    Usage(anyhow::Error),
    /// An objective or a threshold is missed.
    Missed(anyhow::Error),
    /// Figures are worse than they were.
    Regressed(anyhow::Error),
    /// Figures say too little.
    Inconclusive(anyhow::Error),
    /// A signal stopped it; what there is was printed.
    Interrupted,
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let line = std::env::args_os().collect();
    let arguments = match layers::read(line, std::env::vars_os()) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let done = match arguments.chosen() {
        Command::Run(arguments) => run::run(&arguments),
        Command::Sweep(arguments) => sweep::sweep(&arguments),
        Command::Tune(arguments) => tune::tune(&arguments),
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Budget(arguments) => budget::budget(&arguments),
        #[cfg(feature = "monitor")]
        Command::Fleet(arguments) => fleet::fleet(&arguments),
        #[cfg(feature = "monitor")]
        Command::FleetMember => fleet::member(),
        Command::Scenarios(arguments) => scenarios::list(&arguments),
        Command::Config(ConfigCommand::Explain(arguments)) => config::explain(&arguments),
        Command::Config(ConfigCommand::Schema) => config::schema(),
        Command::Schema(arguments) => schema::schema(&arguments),
        Command::Completions(arguments) => completions::completions(&arguments),
        Command::Man(arguments) => completions::man(&arguments),
    };
    let (error, code) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Interrupted) => return ExitCode::from(INTERRUPTED),
        Err(Failure::Run(error)) => (error, FAILED),
        Err(Failure::Usage(error)) => (error, USAGE),
        Err(Failure::Missed(error)) => (error, MISSED),
        Err(Failure::Regressed(error)) => (error, REGRESSED),
        Err(Failure::Inconclusive(error)) => (error, INCONCLUSIVE),
    };
    say(&format!("error: {error:#}"));
    ExitCode::from(code)
}

/// Prints what is wrong with the command line, or the help that was asked for.
fn refuse(NotUnderstood { error, arguments }: &NotUnderstood) -> ExitCode {
    let shown = error.to_string();
    let is_secret = |argument: &OsString| {
        let argument = argument.to_string_lossy();
        let value = argument.split_once('=').map_or("", |(_, value)| value);
        [&*argument, value].iter().any(|part| may_hold_password(part) && shown.contains(part))
    };
    if arguments.iter().skip(1).any(is_secret) {
        // It may be a URL with a password.
        say("error: an argument is not understood; a database is given as --url URL, see --help");
    } else {
        let _ = error.print();
        if let Some(why) = arrivals::explained(error) {
            say(&format!("\n{why}"));
        }
    }
    ExitCode::from(if error.use_stderr() { USAGE } else { 0 })
}

/// Prints a line on standard error, or has the live view show it. If nobody can read it, the run goes
/// on all the same.
fn say(line: &str) {
    if !live::tell(line) {
        let _ = writeln!(stderr(), "{line}");
    }
}
