//! `cargo xtask ci`: every check of the project, in order, up to the first that fails.
//!
//! Here is which steps run and how they are reported; what each one does is in its own module.

mod calls;
mod deny;
mod edges;
mod features;
mod peers;
mod report;
mod smoke;
mod step;
mod tidy;
mod verdict;

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use self::report::{Outcome, Report};
use self::step::Step;
use self::verdict::Verdict;

/// Run every check, stopping at the first that fails.
#[derive(Debug, Default, Args)]
pub(crate) struct Arguments {
    /// Start at this step.
    #[arg(long, value_name = "STEP", conflicts_with = "only")]
    from: Option<Step>,
    /// Run this step and no other; may be given several times.
    #[arg(long, value_name = "STEP")]
    only: Vec<Step>,
}

impl Arguments {
    fn chosen(&self) -> Vec<Step> {
        let from =
            Step::all().iter().copied().skip_while(|step| self.from.is_some_and(|f| f != *step));
        from.filter(|step| self.only.is_empty() || self.only.contains(step)).collect()
    }
}

/// Runs the chosen steps. The last line printed counts them.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let mut report = Report::default();
    for step in arguments.chosen() {
        if report.has_failed() {
            report.add_not_run(step);
        } else {
            println!("\n== {step}");
            let started = Instant::now();
            let outcome = outcome(step);
            report.add(step, outcome, started.elapsed());
        }
    }
    println!("\n{report}");
    if report.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn outcome(step: Step) -> Outcome {
    match step.run() {
        Ok(Verdict::Passed) => Outcome::Passed,
        Ok(Verdict::Lacks(plugin)) => {
            println!("SKIPPED {step}: {}", plugin.missing("nothing was checked"));
            Outcome::Skipped
        }
        Err(error) => {
            println!("FAILED {step}: {error:#}");
            println!("  this step again:   cargo xtask ci --only {step}");
            println!("  from here onwards: cargo xtask ci --from {step}");
            Outcome::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_choice_every_step_runs() {
        assert_eq!(Arguments::default().chosen(), Step::all());
    }

    #[test]
    fn from_leaves_out_the_steps_before() {
        let arguments = Arguments { from: Some(Step::Typos), only: Vec::new() };
        assert_eq!(arguments.chosen(), [Step::Typos, Step::Smoke, Step::Sim, Step::Mutants]);
    }

    #[test]
    fn only_keeps_the_order_of_the_steps() {
        let arguments = Arguments { from: None, only: vec![Step::Edges, Step::Fmt] };
        assert_eq!(arguments.chosen(), [Step::Fmt, Step::Edges]);
    }
}
