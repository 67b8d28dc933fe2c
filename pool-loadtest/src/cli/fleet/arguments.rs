//! What `fleet` is asked for.

use std::time::Duration;

use clap::Args;
use pool_core::{Problem, parse_duration};
use pool_monitor::adaptive::{AdaptiveOptions, BudgetSource, FleetOptions, TunerOptions};
use pool_monitor::fleet::Timing;

use crate::cli::arguments::{SettingsArguments, duration, seed};
use crate::cli::arrivals::LoadArguments;
use crate::cli::monitor::TunerChoice;
use crate::cli::output::OutputArguments;
use crate::cli::start::StartArguments;
use crate::cli::workload::WorkloadArguments;
use crate::fleet::FleetBudget;

/// Most members: each is a process.
const MOST_MEMBERS: usize = 100;
/// The largest number of connections that makes sense anywhere.
const MOST: usize = 100_000;
const SHORTEST_HEARTBEAT: Duration = Duration::from_secs(1);
const LONGEST_HEARTBEAT: Duration = Duration::from_mins(1);
const LONGEST_LEASE: Duration = Duration::from_hours(1);
const HEARTBEATS_PER_LEASE: u32 = 3;
const TOTAL: &str = "Connections for all members together, instead of a part of the server's";
const TASKS_EACH: &str = "Tasks of the members in turn, such as 40,5, instead of --tasks";
const LEAVE_EVERY: &str = "\
Once all have joined, have one leave after the other, so long apart, the oldest first, until one is
left";

/// What `fleet --help` says at its end.
pub(crate) const ABOUT: &str = "\
Each member is a process of its own with a pool of its own, by the settings that are given
(--pool max_open=20). Together they keep to the budget: no member opens more than was granted
to it in the tables that they keep in the database (pool_fleet, pool_fleet_member).

While it runs, processes may be killed or stopped to see what becomes of their shares: each
member's process is told on standard error. Standard output has the report; --output-file
shares.svg draws the shares over time.

Exit codes:
  0    the fleet kept to its budget
  1    it did not, a member was refused by the server or failed, or the run could not be done
  2    the command line makes no sense
  130  a signal ended the run; the report of the part that ran is printed";

#[derive(Debug, Args)]
pub(crate) struct FleetArguments {
    /// How many processes.
    #[arg(long, value_name = "NUMBER", default_value = "8", value_parser = members)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) members: usize,
    #[command(flatten)]
    pub(crate) start: StartArguments,
    /// How long to run, from the start of the first member, such as 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) duration: Duration,
    /// Have members join so long after each other.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = pause)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) join_every: Duration,
    #[arg(long, value_name = "TIME", value_parser = duration, help = LEAVE_EVERY)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) leave_every: Option<Duration>,
    /// What the fleet is called: its members count as one, those of others do not.
    #[arg(long, value_name = "NAME", default_value = "loadtest")]
    pub(crate) fleet: String,
    /// How many percent of the server's connections are for all members together.
    #[arg(long, value_name = "PERCENT", default_value = "80", value_parser = percent)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) budget: u8,
    #[arg(long, value_name = "NUMBER", value_parser = connections, help = TOTAL)]
    #[arg(allow_hyphen_values = true, conflicts_with = "budget")]
    pub(crate) total: Option<usize>,
    /// Connections of these that are not given out: for members about to join, and for people.
    #[arg(long, value_name = "NUMBER", default_value = "3", value_parser = reserve)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) reserve: usize,
    /// The fewest connections that each member can work with.
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = connections)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) floor: usize,
    /// How often each member settles what it may have.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = heartbeat)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) heartbeat: Duration,
    /// For how long that holds; of one that is gone, its share is free after it.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = lease)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) lease: Duration,
    /// Whether each member also adapts its pool to its load, within its share.
    #[arg(long, value_name = "MODE", default_value = "off")]
    pub(crate) tuner: TunerChoice,
    #[command(flatten)]
    pub(crate) workload: WorkloadArguments,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = tasks)]
    #[arg(help = TASKS_EACH, conflicts_with_all = ["tasks", "rate", "trace"])]
    pub(crate) tasks_each: Vec<u32>,
    #[command(flatten)]
    pub(crate) settings: SettingsArguments,
    /// Which random numbers the first member's workload draws; each further one has the next.
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = seed)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

impl FleetArguments {
    /// What does not go together.
    pub(super) fn contradictions(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let shown = |duration| humantime::format_duration(duration).to_string();
        let shortest = self.heartbeat.saturating_mul(HEARTBEATS_PER_LEASE);
        if self.lease < shortest {
            let why = format!("two heartbeats of {} may fail", shown(self.heartbeat));
            let allowed = format!("{} or more", shown(shortest));
            problems.push(Problem::invalid("--lease", shown(self.lease), why, allowed));
        }
        if let Some(total) = self.total.filter(|total| *total <= self.reserve) {
            let why = format!("{total} connections are to be shared (--total)");
            let allowed = format!("0 to {}", total - 1);
            problems.push(Problem::invalid("--reserve", self.reserve.to_string(), why, allowed));
        }
        let joined = self.join_every.saturating_mul(self.members as u32 - 1);
        if joined >= self.duration {
            let why = format!("the last member would join after {}", shown(joined));
            let allowed = format!("less than {} with --join-every", shown(self.duration));
            problems.push(Problem::invalid("--join-every", shown(self.join_every), why, allowed));
        }
        problems
    }

    /// How each member's pool adapts itself.
    pub(super) fn adaptive(&self) -> AdaptiveOptions {
        let budget = self.budget_source();
        let (floor, reserve, timing) = (self.floor, self.reserve, self.timing());
        AdaptiveOptions {
            tuner: TunerOptions { mode: self.tuner.mode(), ..TunerOptions::default() },
            fleet: Some(FleetOptions { floor, budget, reserve, timing }),
            ..AdaptiveOptions::default()
        }
    }

    pub(super) fn budget_source(&self) -> BudgetSource {
        match self.total {
            Some(total) => BudgetSource::Fixed { total },
            None => BudgetSource::Server { percent: self.budget },
        }
    }

    /// What there is to share, as reports say it.
    pub(super) fn in_report(&self) -> FleetBudget {
        FleetBudget {
            total: self.total,
            reserve: self.reserve,
            source: match self.total {
                Some(_) => "--total".to_owned(),
                None => format!("{} % of the server's", self.budget),
            },
            floor: self.floor,
            heartbeat_seconds: self.heartbeat.as_secs_f64(),
            lease_seconds: self.lease.as_secs_f64(),
        }
    }

    fn timing(&self) -> Timing {
        Timing { heartbeat: self.heartbeat, lease: self.lease }
    }
}

fn whole(text: &str, least: usize, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("allowed: a whole number from {least} to {most}"))
}

fn members(text: &str) -> Result<usize, String> {
    whole(text, 1, MOST_MEMBERS)
}

fn connections(text: &str) -> Result<usize, String> {
    whole(text, 1, MOST)
}

fn reserve(text: &str) -> Result<usize, String> {
    whole(text, 0, MOST)
}

fn percent(text: &str) -> Result<u8, String> {
    whole(text, 1, 100).map(|number| number as u8)
}

fn tasks(text: &str) -> Result<u32, String> {
    whole(text, 1, MOST).map(|number| number as u32)
}

fn pause(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "allowed: a duration such as 0s or 2s".to_owned())
}

fn heartbeat(text: &str) -> Result<Duration, String> {
    let allowed = SHORTEST_HEARTBEAT..=LONGEST_HEARTBEAT;
    let found = parse_duration(text).filter(|duration| allowed.contains(duration));
    found.ok_or_else(|| "allowed: a duration from 1s to 1m".to_owned())
}

fn lease(text: &str) -> Result<Duration, String> {
    let found = parse_duration(text).filter(|duration| *duration <= LONGEST_LEASE);
    found.ok_or_else(|| "allowed: a duration up to 1h, of three heartbeats or more".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::arguments::{Arguments, Command};

    fn read(line: &str) -> FleetArguments {
        let line = ["pool-loadtest", "fleet"].into_iter().chain(line.split_whitespace());
        match Arguments::try_parse_from(line).expect("understood").chosen() {
            Command::Fleet(arguments) => arguments,
            _ => panic!("no fleet"),
        }
    }

    fn refused(line: &str) -> String {
        let line = ["pool-loadtest", "fleet"].into_iter().chain(line.split_whitespace());
        Arguments::try_parse_from(line).expect_err("makes no sense").to_string()
    }

    #[test]
    fn by_default_eight_members_have_four_fifths_of_the_server() {
        let arguments = read("");
        assert_eq!((arguments.members, arguments.floor, arguments.reserve), (8, 1, 3));
        assert_eq!(arguments.budget_source(), BudgetSource::Server { percent: 80 });
        assert_eq!(arguments.timing(), Timing::default());
        assert!(arguments.contradictions().is_empty());
    }

    #[test]
    fn a_total_takes_the_place_of_a_percentage() {
        assert_eq!(read("--total 48").budget_source(), BudgetSource::Fixed { total: 48 });
        assert!(refused("--total 48 --budget 50").contains("cannot be used with"));
    }

    #[test]
    fn numbers_that_make_no_sense_say_what_is_allowed() {
        for (line, words) in [
            ("--members 0", "from 1 to 100"),
            ("--budget 101", "from 1 to 100"),
            ("--floor 0", "from 1 to"),
            ("--heartbeat 500ms", "from 1s to 1m"),
            ("--lease 2h", "up to 1h"),
            ("--tasks-each 3,0", "from 1 to"),
        ] {
            assert!(refused(line).contains(words), "{line}: {}", refused(line));
        }
    }

    #[test]
    fn what_does_not_go_together_is_said_with_what_does() {
        for (line, field, allowed) in [
            ("--lease 10s", "--lease", "15s or more"),
            ("--total 3", "--reserve", "0 to 2"),
            ("--join-every 5s", "--join-every", "less than 30s with --join-every"),
        ] {
            let problems = read(line).contradictions();
            let [problem] = &problems[..] else { panic!("{line}: {problems:?}") };
            assert_eq!((&*problem.field, &*problem.allowed), (field, allowed));
        }
    }
}
