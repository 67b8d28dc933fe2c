//! `pool-loadtest compare`.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use pool_core::ConfigError;

use super::Failure;
use super::criteria::{ThresholdArguments, conclude};
use super::output::OutputArguments;
use super::run::usage;
use crate::compare::{Comparison, read};
use crate::forms::{ComparedRuns, Form};

const ABOUT: &str = "\
Figures are worse if they differ both by more than the threshold and by more than chance would
have it, judged from the runs' seconds: at least 8 of each, and better 30. They are unchanged
only if a change of twice the threshold can be excluded. Errors are compared by the difference
of their shares, with a tenth of the threshold.

Exit codes:
  0  unchanged or improved
  2  a file cannot be read, or the runs are unlike each other
  4  regressed
  5  inconclusive: too few seconds, or they differ too much";

/// What `compare` is asked for.
#[derive(Debug, Args)]
#[command(after_help = ABOUT)]
pub(crate) struct CompareArguments {
    /// The report of the earlier run, saved as JSON.
    #[arg(value_name = "BEFORE")]
    before: PathBuf,
    /// The report of the later run.
    #[arg(value_name = "AFTER")]
    after: PathBuf,
    #[command(flatten)]
    threshold: ThresholdArguments,
    /// Compare runs that differ in more than their figures, such as in their load.
    #[arg(long)]
    anyway: bool,
    #[command(flatten)]
    output: OutputArguments,
}

/// Compares two saved reports.
///
/// # Errors
///
/// A [`Failure`], after the comparison was printed if there is one.
pub(crate) fn compare(arguments: &CompareArguments) -> Result<(), Failure> {
    let reports = [&arguments.before, &arguments.after].map(|path| read(path));
    let [before, after] = match reports {
        [Ok(before), Ok(after)] => [before, after],
        [Err(error), Err(other)] => {
            return Err(Failure::Usage(anyhow!("{error:#}\n       {other:#}")));
        }
        [Err(error), _] | [_, Err(error)] => return Err(Failure::Usage(error)),
    };
    let (outputs, problems) = arguments.output.open(&Form::OF_SEVERAL_RUNS);
    ConfigError::from_problems(problems).map_err(usage)?;
    let comparison = Comparison::beyond(arguments.threshold.threshold, &before, &after);
    // What was asked for makes no sense, whatever the figures are; `run --baseline` says the same before
    // it runs anything.
    if !comparison.differences.is_empty() && !arguments.anyway {
        let differences = comparison.differences.join("; ");
        let words = "the runs cannot be compared, unless --anyway is given";
        return Err(Failure::Usage(anyhow!("{words}: {differences}")));
    }
    let compared = ComparedRuns { comparison: &comparison, before: &before, after: &after };
    outputs.write(&compared).map_err(Failure::Run)?;
    conclude(&comparison)
}
