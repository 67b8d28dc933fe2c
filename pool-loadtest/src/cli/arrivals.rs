//! `--tasks`, `--rate` and what goes with them: when operations are wanted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::error::ErrorKind;
use pool_core::{ConfigError, Problem, parse_duration};

use crate::arrivals::{Arrivals, Schedule, ThinkTime};

/// Most tasks a run may have, and most operations under way. Each takes some KiB, and no pool serves
/// as many at once.
const MOST_TASKS: u32 = 100_000;

const RATE: &str = "Arrivals that do not wait for each other, such as 'poisson 2000/s'";
const RATE_LONG: &str = "\
Arrivals that do not wait for each other, instead of tasks that wait for their answers. Each is
timed from the moment it was meant to start, so that a stall shows in the percentiles:

  constant 2000/s               at even distances
  poisson 2000/s                at random, independent of each other
  ramp 0/s..2000/s over 10s     more and more; the last rate stays
  ramp 0/s..1000/s over 5s, constant 1000/s for 20s
                                stages, with commas between them
  burst 100 every 1s            so many at once
  sine 500/s..1500/s every 30s  up and down
  trace FILE.csv                as a file says, see --trace";
const TRACE: &str = "Arrivals at the times that a CSV file tells in its first column";
const TRACE_LONG: &str = "\
Arrivals at the times that a CSV file tells in its first column: seconds since the load's
beginning, seconds of Unix time, or times such as 2026-05-01T12:00:00Z. The load ends with the
last of them. The same as --rate 'trace FILE.csv'";
const WARM_UP: &str = "How long the load runs, and grows, before it is measured, such as 5s";

/// What load to put on the pool.
#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    /// Tasks that each want a connection, again and again [default: 16, or what the scenario has].
    #[arg(long, value_name = "NUMBER", value_parser = number, allow_hyphen_values = true)]
    pub(crate) tasks: Option<u32>,
    /// How long a task pauses after each operation, such as 20ms or 'exponential 20ms'.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    think: Option<String>,
    #[arg(long, value_name = "SCHEDULE", help = RATE, long_help = RATE_LONG)]
    #[arg(allow_hyphen_values = true, conflicts_with_all = ["tasks", "think", "trace"])]
    rate: Option<String>,
    #[arg(long, value_name = "FILE.csv", help = TRACE, long_help = TRACE_LONG)]
    #[arg(conflicts_with_all = ["tasks", "think"])]
    trace: Option<PathBuf>,
    /// With --rate: most operations under way; arrivals beyond are dropped [default: 10000].
    #[arg(long, value_name = "NUMBER", value_parser = number, allow_hyphen_values = true)]
    in_flight: Option<u32>,
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = warm_up, help = WARM_UP)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) warm_up: Duration,
}

impl LoadArguments {
    /// When operations are wanted, by so many tasks if nobody says otherwise, and what is wrong with
    /// that. Reads the trace, if there is one.
    pub(crate) fn arrivals(&self, tasks: u32, think_time: ThinkTime) -> (Arrivals, Vec<Problem>) {
        let mut problems = self.contradictions();
        let mut found = |read: Result<Arrivals, ConfigError>| {
            read.unwrap_or_else(|error| {
                problems.extend(error.problems().iter().map(named));
                Arrivals::default()
            })
        };
        let arrivals = match (&self.rate, &self.trace) {
            (Some(rate), _) => found(rate.parse().map(|schedule| self.open(schedule))),
            (None, Some(file)) => found(self.replay(file)),
            (None, None) => found(self.closed(tasks, think_time)),
        };
        (arrivals, problems)
    }

    /// Random arrivals at the rate that an objective names, and what is wrong with that.
    pub(crate) fn of_objective(&self, rate: f64) -> (Arrivals, Vec<Problem>) {
        let mut problems = Vec::new();
        if let Some(argument) = self.said() {
            let why =
                format!("the objective names the load too, after `at`, and so does {argument}");
            let allowed = "--slo with `at`, or arguments about the load";
            problems.push(Problem::invalid("--slo", format!("at {rate}/s"), why, allowed));
        }
        let arrivals = Schedule::poisson(rate).map(|schedule| self.open(schedule));
        let arrivals = arrivals.unwrap_or_else(|error| {
            problems.extend(error.problems().iter().cloned());
            Arrivals::default()
        });
        (arrivals, problems)
    }

    /// What is said of when operations are wanted: the argument that says it.
    pub(crate) fn said(&self) -> Option<&'static str> {
        let said = [
            (self.tasks.is_some(), "--tasks"),
            (self.think.is_some(), "--think"),
            (self.rate.is_some(), "--rate"),
            (self.trace.is_some(), "--trace"),
        ];
        said.into_iter().find(|(is_said, _)| *is_said).map(|(_, argument)| argument)
    }

    fn closed(&self, tasks: u32, think_time: ThinkTime) -> Result<Arrivals, ConfigError> {
        let tasks = self.tasks.unwrap_or(tasks) as usize;
        let think_time = match &self.think {
            Some(text) => text.parse()?,
            None => think_time,
        };
        Ok(Arrivals::Closed { tasks, think_time })
    }

    fn replay(&self, file: &Path) -> Result<Arrivals, ConfigError> {
        Schedule::trace(file).map(|schedule| self.open(schedule))
    }

    fn open(&self, schedule: Schedule) -> Arrivals {
        let in_flight = self.in_flight.map_or(Arrivals::IN_FLIGHT, |number| number as usize);
        Arrivals::Open { schedule, in_flight }
    }

    fn contradictions(&self) -> Vec<Problem> {
        let Some(in_flight) = self.in_flight.filter(|_| self.rate.is_none()) else {
            return Vec::new();
        };
        if self.trace.is_some() {
            return Vec::new();
        }
        let why = "tasks wait for their answers, so never more are under way than there are";
        let allowed = "--tasks alone, or --in-flight with --rate or --trace";
        vec![Problem::invalid("--in-flight", in_flight.to_string(), why, allowed)]
    }
}

/// Why two arguments do not go together, if that is what is wrong.
pub(crate) fn explained(error: &clap::Error) -> Option<&'static str> {
    let words = error.to_string();
    let has = |argument: &str| words.contains(&format!("'{argument} <"));
    let is_open = error.kind() == ErrorKind::ArgumentConflict && (has("--rate") || has("--trace"));
    if is_open && has("--tasks") {
        Some(
            "arrivals at a rate wait for no task, so there is no number of tasks; --in-flight \
             limits the operations under way",
        )
    } else if is_open && has("--think") {
        Some("arrivals at a rate come whatever became of those before: nobody thinks in between")
    } else {
        None
    }
}

/// Called as the argument is that it came from.
fn named(problem: &Problem) -> Problem {
    let mut problem = problem.clone();
    let field = match &*problem.field {
        "think time" => "think",
        field => field,
    };
    problem.field = format!("--{field}");
    problem
}

fn number(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST_TASKS).contains(number));
    number.ok_or_else(|| format!("allowed: a whole number from 1 to {MOST_TASKS}"))
}

fn warm_up(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "allowed: a duration such as 5s or 1m 30s".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        load: LoadArguments,
    }

    fn read(arguments: &[&str]) -> (Arrivals, Vec<String>) {
        let line = Line::parse_from([&["load"], arguments].concat());
        let (arrivals, problems) = line.load.arrivals(16, ThinkTime::None);
        (arrivals, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn without_arguments_there_are_sixteen_tasks() {
        assert_eq!(read(&[]), (Arrivals::closed(16), Vec::new()));
    }

    #[test]
    fn tasks_think_and_arrivals_are_limited_as_told() {
        let think_time = ThinkTime::Exponential(Duration::from_millis(20));
        let (arrivals, problems) = read(&["--tasks", "4", "--think", "exponential 20ms"]);
        assert_eq!((arrivals, problems), (Arrivals::Closed { tasks: 4, think_time }, Vec::new()));
        let (arrivals, problems) = read(&["--rate", "poisson 5/s", "--in-flight", "7"]);
        let schedule = Schedule::poisson(5.0).expect("possible");
        assert_eq!((arrivals, problems), (Arrivals::Open { schedule, in_flight: 7 }, Vec::new()));
    }

    #[test]
    fn what_does_not_go_together_says_why() {
        for (arguments, expected) in [
            (["--rate", "constant 5/s", "--tasks", "4"], "wait for no task"),
            (["--tasks", "4", "--trace", "x.csv"], "--in-flight limits the operations"),
            (["--rate", "constant 5/s", "--think", "1s"], "nobody thinks in between"),
        ] {
            let line = [&["load"][..], &arguments].concat();
            let error = Line::try_parse_from(line).err().expect("a conflict");
            let why = explained(&error).unwrap_or_else(|| panic!("not explained: {error}"));
            assert!(why.contains(expected), "{why}");
        }
        let (_, problems) = read(&["--in-flight", "5"]);
        assert!(problems[0].starts_with("--in-flight = \"5\": tasks wait for their answers"));
    }

    #[test]
    fn what_is_not_understood_names_its_argument() {
        for (arguments, expected) in [
            (["--rate", "poisson 0/s"], "--rate = \"0/s\": impossible"),
            (["--rate", "poison 5/s"], "--rate = \"poison\": unknown"),
            (["--think", "soon"], "--think = \"soon\": not understood"),
            (["--trace", "no/such.csv"], "--trace = \"no/such.csv\": not read"),
        ] {
            let (_, problems) = read(&arguments);
            assert!(problems[0].starts_with(expected), "{problems:?}");
        }
    }
}
