//! The arguments and their defaults.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use pool_core::{FIELDS, PoolConfig, parse_duration};

use super::arrivals::LoadArguments;
use super::budget::{self, BudgetArguments};
use super::compare::CompareArguments;
use super::completions::{CompletionsArguments, ManArguments};
use super::criteria::CriteriaArguments;
#[cfg(feature = "monitor")]
use super::fleet::{self, FleetArguments};
use super::layers::{self, Layers};
use super::monitor::MonitorArguments;
use super::output::OutputArguments;
use super::progress::ProgressForm;
use super::scenarios::ScenariosArguments;
use super::schema::SchemaArguments;
use super::stage::StageArguments;
use super::sweep::SweepArguments;
use super::tune::TuneArguments;
use super::workload::WorkloadArguments;

/// Puts a connection pool under load and says in plain words what limits it.
///
/// Without a command: `run`, on an SQLite file in a temporary directory.
#[derive(Debug, Parser)]
#[command(
    name = "pool-loadtest",
    version,
    args_conflicts_with_subcommands = true,
    after_help = EXIT_CODES,
    after_long_help = after_long_help()
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArguments,
}

impl Arguments {
    /// What is to be done.
    pub(crate) fn chosen(self) -> Command {
        self.command.unwrap_or(Command::Run(self.run))
    }

    /// The settings of the command, if its options come from variables and tables, too.
    pub(crate) fn settings_mut(&mut self) -> Option<&mut SettingsArguments> {
        match &mut self.command {
            None => Some(&mut self.run.settings),
            Some(Command::Run(run) | Command::Config(ConfigCommand::Explain(run))) => {
                Some(&mut run.settings)
            }
            Some(Command::Sweep(sweep)) => Some(&mut sweep.cells.settings),
            Some(Command::Tune(tune)) => Some(&mut tune.cells.settings),
            #[cfg(feature = "monitor")]
            Some(Command::Fleet(fleet)) => Some(&mut fleet.settings),
            Some(_) => None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a load and report throughput, latencies, statistics and a verdict.
    #[command(after_help = EXIT_CODES, after_long_help = after_long_help())]
    Run(RunArguments),
    /// Run the same load with each value of one or two settings, and say which is enough.
    #[command(after_help = EXIT_CODES, after_long_help = after_long_help())]
    Sweep(SweepArguments),
    /// Find the smallest value of a setting that meets an objective, ready to paste.
    #[command(after_help = EXIT_CODES, after_long_help = after_long_help())]
    Tune(TuneArguments),
    /// Compare two saved reports of runs: improved, regressed, or unchanged.
    Compare(CompareArguments),
    /// Ask how many connections of a server each replica of an application may have.
    #[command(after_help = budget::ABOUT)]
    Budget(BudgetArguments),
    /// Have several processes share a server's connections, and plot their shares.
    #[cfg(feature = "monitor")]
    #[command(after_help = fleet::ABOUT, after_long_help = fleet_long_help())]
    Fleet(FleetArguments),
    /// Be a process of a fleet, as standard input says.
    #[cfg(feature = "monitor")]
    #[command(name = fleet::MEMBER, hide = true)]
    FleetMember,
    /// List the scenarios that `run --scenario` has.
    Scenarios(ScenariosArguments),
    /// Show the settings of a pool and where each comes from.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the JSON Schema of a report.
    Schema(SchemaArguments),
    /// Print the script with which a shell completes the command line.
    #[command(after_help = COMPLETIONS)]
    Completions(CompletionsArguments),
    /// Print the manual page, for `man`.
    #[command(after_help = MAN)]
    Man(ManArguments),
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one for a process, and clap cannot box it")]
pub(crate) enum ConfigCommand {
    /// Print every setting of the pool and of a run in effect and where it came from.
    #[command(after_help = SOURCES)]
    Explain(RunArguments),
    /// Print the JSON Schema of the TOML file.
    Schema,
}

const SOURCES: &str = "\
Sources, the later ones win: preset, scenario, --file, pool_* parameters of the URL, POOL_*
variables of the environment, arguments; of a run's own options: the table [loadtest] of --file,
LOADTEST_* variables of the environment, arguments";
const COMPLETIONS: &str = "\
Such as: pool-loadtest completions bash > ~/.local/share/bash-completion/completions/pool-loadtest";
const MAN: &str = "\
Such as: pool-loadtest man > ~/.local/share/man/man1/pool-loadtest.1";
const EXIT_CODES: &str = "\
Exit codes:
  0    the run was completed
  1    the run failed: the database could not be used, the invariant did not hold or could not be
       checked, more than half of the operations failed, or the report could not be printed
  2    the command line makes no sense
  3    an objective or a threshold is missed; the report is printed
  4    figures are worse than they were; the report is printed
  5    inconclusive: too little was measured, or the load generator could not keep up
  130  a signal ended the run; the report of the part that ran is printed";
const PRESET: &str = "Settings to start from: development, testing, staging, production, high_load";
const POOL: &str = "A setting of the pool, such as max_open=8; may be given for several fields";
const POOL_LONG: &str = "\
A setting of the pool, such as max_open=8 or acquire_timeout=250ms; may be given for
several fields, which are listed below";
const AT: &str = "Change the pool under load: --at 3s max_open=4; may be given several times";
const AT_LONG: &str = "\
Change the pool under load, so long after the load began to be measured; may be given
several times:
--at 3s max_open=4 --at 6s pause --at 8s resume.

A change is settings with commas between them, such as 'max_open=4, acquire_timeout=1s', with
the fields of --pool; or pause (acquires wait), resume, invalidate (every connection is
retired) or renew (each is replaced once the next one is open). A pool that is still paused at
the end of the load is resumed. The report says what was changed and when; its figures are of
several pools then, so it gives no verdict";
const URL: &str = "The database, such as sqlite:orders.db [default: a temporary SQLite file]";
const URL_LONG: &str = "\
The database, such as sqlite:orders.db; without it, an SQLite file in a temporary
directory.

Tables with names of their own (pool_loadtest_...) are created in the database, and they are
dropped at the end. The journal mode of a file becomes WAL and stays so, unless the URL
says otherwise, as in sqlite:orders.db?journal_mode=delete";

/// What `--help` says at its end.
fn after_long_help() -> String {
    fields() + "\n" + layers::HELP + "\n\n" + EXIT_CODES
}

/// What `fleet --help` says at its end.
#[cfg(feature = "monitor")]
fn fleet_long_help() -> String {
    fields() + "\n" + layers::HELP + "\n\n" + fleet::ABOUT
}

fn fields() -> String {
    let (mut help, defaults) = (String::from("Fields of --pool:\n"), PoolConfig::default());
    for field in FIELDS {
        let lines = [
            format!("  {:<18}{}", field.name, field.meaning),
            format!("  {:<18}{} [default: {}]", "", field.allowed, field.text(&defaults)),
        ];
        help.extend(lines.map(|line| line + "\n"));
    }
    help
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) stage: StageArguments,
    /// How long to run, such as 10s or 1m 30s [default: 10s, or what the scenario takes].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) duration: Option<Duration>,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
    #[command(flatten)]
    pub(crate) workload: WorkloadArguments,
    #[command(flatten)]
    pub(crate) settings: SettingsArguments,
    #[arg(long, value_names = ["TIME", "CHANGE"], num_args = 2, help = AT, long_help = AT_LONG)]
    pub(crate) at: Vec<String>,
    #[arg(long, value_name = "NUMBER", help = budget::REPLICAS, value_parser = budget::replicas)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) replicas: Option<usize>,
    /// Which random numbers the workload draws.
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = seed)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    /// How to show progress on standard error.
    #[arg(long, value_name = "FORM", default_value = "auto")]
    pub(crate) progress: ProgressForm,
    #[command(flatten)]
    pub(crate) criteria: CriteriaArguments,
    #[command(flatten)]
    pub(crate) monitor: MonitorArguments,
}

#[derive(Args)]
pub(crate) struct SettingsArguments {
    #[arg(long, value_name = "NAME", help = PRESET)]
    pub(crate) preset: Option<String>,
    /// A TOML file: settings in its table [pool], options of a run in [loadtest].
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
    #[arg(long, value_name = "FIELD=VALUE", help = POOL, long_help = POOL_LONG)]
    pub(crate) pool: Vec<String>,
    #[arg(long, value_name = "URL", help = URL, long_help = URL_LONG)]
    pub(crate) url: Option<String>,
    /// What comes from elsewhere.
    #[arg(skip)]
    pub(crate) layers: Layers,
}

/// Says nothing of the URL, which may have a password.
impl fmt::Debug for SettingsArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettingsArguments").finish_non_exhaustive()
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Some(duration) if !duration.is_zero() => Ok(duration),
        Some(_) => Err("a run of no time measures nothing; allowed: more than zero".to_owned()),
        None => Err("allowed: a duration such as 10s or 1m 30s".to_owned()),
    }
}

pub(super) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("allowed: a whole number from 0 to {}", u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forms::Form;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_a_command_the_defaults_of_run_apply() {
        let Command::Run(arguments) = Arguments::parse_from(["pool-loadtest"]).chosen() else {
            panic!("not a run")
        };
        assert_eq!((arguments.duration, arguments.load.tasks), (None, None));
        assert_eq!((arguments.settings.url, arguments.output.output), (None, Form::Text));
    }

    #[test]
    fn durations_that_make_no_sense_say_what_is_allowed() {
        for (text, words) in [("0s", "more than zero"), ("10", "such as 10s"), ("soon", "such as")]
        {
            let error = duration(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
