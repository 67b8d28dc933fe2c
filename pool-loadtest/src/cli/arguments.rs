//! The arguments and their defaults.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

/// Puts a connection pool under load and says in plain words what limits it.
///
/// Without a command: `run` with its defaults, on a SQLite database in a temporary file.
#[derive(Debug, Parser)]
#[command(name = "pool-loadtest", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a load and report throughput, latencies, statistics and a verdict.
    Run(RunArguments),
}

impl Default for Command {
    fn default() -> Self {
        let Arguments { command } = Arguments::parse_from(["pool-loadtest", "run"]);
        command.expect("bug: a command was given")
    }
}

const PRESET: &str = "Settings to start from: development, testing, staging, production, high_load";
const POOL: &str = "A setting of the pool, such as max_open=8 or acquire_timeout=250ms; may be \
                    given several times";

const URL: &str = "The database, such as sqlite:orders.db; a table pool_loadtest_... is created in \
                   it and dropped at the end, and the journal mode of a file becomes WAL, unless \
                   the URL says otherwise (?journal_mode=delete). Default: an SQLite file in a \
                   temporary directory";

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// How long to run, such as 10s or 1m 30s.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Tasks that each want a connection, again and again.
    #[arg(long, value_name = "NUMBER", default_value_t = 16, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) tasks: u32,
    #[arg(long, value_name = "NAME", help = PRESET)]
    pub(crate) preset: Option<String>,
    #[arg(long, value_name = "FIELD=VALUE", help = POOL)]
    pub(crate) pool: Vec<String>,
    #[arg(long, value_name = "URL", help = URL)]
    pub(crate) url: Option<String>,
    /// Which random numbers the workload draws.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How to print the report.
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs, with the version of its schema.
    Json,
}

fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) => Err("a run of no time measures nothing; allowed: more than zero".to_owned()),
        Err(error) => Err(format!("{error}; allowed: a duration such as 10s or 1m 30s")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_a_command_the_defaults_of_run_apply() {
        let Command::Run(arguments) = Command::default();
        assert_eq!((arguments.duration, arguments.tasks), (Duration::from_secs(10), 16));
        assert_eq!((arguments.url, arguments.output), (None, Output::Text));
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
