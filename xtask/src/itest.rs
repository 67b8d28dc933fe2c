//! `cargo xtask itest`: the conformance suite, against one driver or all of them.
//!
//! The suite is in pool-testkit; the crate of each driver runs it from its own tests.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use crate::{child, metadata};

/// Run the conformance suite of the drivers.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only this driver; without it, all of them.
    #[arg(long, value_name = "NAME")]
    driver: Option<Driver>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Driver {
    /// The scripted driver of pool-testkit.
    Fake,
    /// The driver of pool-sqlite.
    Sqlite,
}

impl Driver {
    fn package(self) -> &'static str {
        match self {
            Self::Fake => "pool-testkit",
            Self::Sqlite => "pool-sqlite",
        }
    }
}

/// Runs the suite for each chosen driver, whether or not it failed for another.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let drivers = arguments.driver.as_ref().map_or(Driver::value_variants(), std::slice::from_ref);
    let failed = drivers.iter().filter(|driver| !conforms(driver.package())).count();
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs the suite and says how it went.
fn conforms(package: &str) -> bool {
    let outcome = run_suite(package);
    match &outcome {
        Ok(tests) => println!("{package} conforms: {tests} tests passed"),
        Err(error) => println!("FAILED {package}: {error:#}"),
    }
    outcome.is_ok()
}

/// How many tests passed.
fn run_suite(package: &str) -> Result<usize> {
    metadata::require_member(package)?;
    let mut command = child::cargo(&["test", "--package", package, "--test", "it", "conformance"]);
    let tests = passed(&child::run_and_read(&mut command)?);
    ensure!(tests > 0, "no test ran; the suite's tests must have `conformance` in their names");
    Ok(tests)
}

/// The sum over all lines like `test result: ok. 12 passed; 0 failed; ...`.
fn passed(printed: &str) -> usize {
    let closing = printed.lines().filter_map(|line| line.strip_prefix("test result: ok. "));
    closing.filter_map(|line| line.split(' ').next()?.parse::<usize>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_counted_from_the_closing_lines() {
        let printed = "running 2 tests\ntest conformance::a ... ok\n\n\
                       test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured\n\
                       test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured\n";
        assert_eq!(passed(printed), 5);
    }

    #[test]
    fn a_run_in_which_every_test_was_filtered_out_counts_none() {
        let printed = "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; \
                       0 measured; 12 filtered out\n";
        assert_eq!(passed(printed), 0);
    }
}
