//! The command line: what is asked for, and how the program ends.
//!
//! Results go to standard output, progress and errors to standard error. Exit codes: 0 ok, 1 the
//! run failed, 2 usage or configuration, 130 interrupted.

mod arguments;
mod progress;
mod run;
mod target;

use std::process::ExitCode;

use clap::Parser as _;

use self::arguments::{Arguments, Command};

/// Why the program ends other than well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The run failed.
    Run(anyhow::Error),
    /// What was asked for makes no sense.
    Usage(anyhow::Error),
    /// The user stopped it; what there is was printed.
    Interrupted,
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let done = match command.unwrap_or_default() {
        Command::Run(arguments) => run::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Run(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
        Err(Failure::Usage(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
        Err(Failure::Interrupted) => ExitCode::from(130),
    }
}
