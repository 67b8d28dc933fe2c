//! Scenarios: loads that show what a pool does when something is amiss. Each is data (see
//! `catalogue`), and some have a twist to the workload; the files beside this one are the twists.
//!
//! Not here: what befalls a server, which is in `cli/own`.

mod catalogue;
mod cold;
mod hog;
mod impatience;
mod leak;
mod memory;
mod nested;
mod notes;
mod pulse;
mod seen;
mod staged;

use std::time::Duration;

use crate::arrivals::{Schedule, Stage, ThinkTime};
use crate::change::{Action, Change};
use crate::report::{Aftermath, Report};

pub(crate) use self::catalogue::ALL;
pub(crate) use self::notes::Notes;
pub(crate) use self::seen::Seen;
pub(crate) use self::staged::Staged;

/// A load under which something is to be seen. What it sets, the user's own settings go before.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Its name on the command line and in reports.
    pub(crate) name: &'static str,
    /// What it does, in one line.
    pub(crate) does: &'static str,
    /// What to look at in its report, in one line.
    pub(crate) look_at: &'static str,
    /// How long it takes, unless that is said.
    pub(crate) duration: Duration,
    /// The least time in which there is something to be seen.
    pub(crate) shortest: Duration,
    /// How many tasks it has, unless that is said.
    pub(crate) tasks: u32,
    /// How long a task pauses between two operations, unless that is said.
    pub(crate) think_time: ThinkTime,
    /// Arrivals per second instead of tasks, each rate from its time on.
    pub(crate) rates: &'static [Share<u32>],
    /// Settings of the pool, unless a source has others.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// What is done to the pool.
    pub(crate) changes: &'static [Share<&'static str>],
    /// What befalls the server, which is one that was started for the run.
    pub(crate) misfortune: Option<Misfortune>,
    /// What is unusual about the work.
    pub(crate) twist: Twist,
    /// Whether the pool is to begin the load without a connection, and without a word of how long an
    /// operation takes alone.
    pub(crate) is_cold: bool,
    /// Whether that most operations fail is what it is about.
    pub(crate) expects_errors: bool,
    /// What is to be expected of it, in plain words.
    pub(crate) expected: &'static str,
    /// Whether that was seen.
    pub(crate) seen: fn(&Report, &Notes) -> Seen,
}

/// Something at a time that is a share of the duration, 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share<T> {
    pub(crate) at: f64,
    pub(crate) what: T,
}

/// Something that befalls a server, from one time to another, each a share of the duration. What
/// begins at 0 is there before the load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Misfortune {
    pub(crate) kind: Fault,
    pub(crate) from: f64,
    pub(crate) until: f64,
}

/// What can befall a server of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is killed without warning, and started again on its port.
    Killed,
    /// All its processes are held still, and go on.
    Frozen,
    /// Everything takes longer on its way, each way.
    Distant(Duration),
    /// Others take every connection that is left, and leave again.
    Crowded,
}

/// What is unusual about the work of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twist {
    /// Nothing.
    None,
    /// Operations keep their connection for a moment.
    Linger,
    /// Some operations keep their connection for long.
    Hog,
    /// Some operations never give a connection back.
    Leak,
    /// Callers give up while they wait.
    Impatience,
    /// An operation wants a second connection while it has its first.
    Nested,
}

impl Scenario {
    /// The one of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|scenario| scenario.name == name)
    }

    /// Whether it harms the server, so that it has one of its own.
    pub(crate) fn needs_server(&self) -> bool {
        self.misfortune.is_some()
    }

    /// Its arrivals in a load of this length, if it has its own.
    pub(crate) fn schedule_in(&self, duration: Duration) -> Option<Schedule> {
        let ends = self.rates.iter().skip(1).map(|share| share.at).chain([1.0]);
        let stage = |(share, end): (&Share<u32>, f64)| {
            let rate = f64::from(share.what);
            Stage { from: rate, to: rate, length: duration.mul_f64(end - share.at) }
        };
        let stages: Vec<_> = self.rates.iter().zip(ends).map(stage).collect();
        let is_its_own = !stages.is_empty();
        is_its_own.then(|| Schedule::stages(stages).expect("bug: the catalogue is right"))
    }

    /// What is done to the pool in a load of this length.
    pub(crate) fn changes_in(&self, duration: Duration) -> Vec<Change> {
        let change = |share: &Share<&str>| {
            let action: Action = share.what.parse().expect("bug: the catalogue is right");
            Change { at: duration.mul_f64(share.at), action }
        };
        self.changes.iter().map(change).collect()
    }

    /// What it was to show, and whether the run did.
    pub(crate) fn aftermath(&self, report: &Report, notes: &Notes) -> Aftermath {
        let Seen { seen, detail } = (self.seen)(report, notes);
        Aftermath { expected: self.expected.to_owned(), seen, detail }
    }
}

#[cfg(test)]
mod tests {
    use pool_core::PoolConfig;

    use super::*;

    #[test]
    fn every_scenario_is_consistent() {
        for scenario in ALL {
            let Scenario { name, duration, shortest, .. } = scenario;
            assert!(duration >= shortest, "{name}");
            assert_eq!(Scenario::named(name).map(|found| found.name), Some(*name));
            let mut config = PoolConfig::default();
            for (field, value) in scenario.settings {
                config.set(field, value).unwrap_or_else(|problem| panic!("{name}: {problem}"));
            }
            assert_eq!(scenario.schedule_in(*shortest).is_some(), !scenario.rates.is_empty());
            for change in scenario.changes_in(*duration) {
                assert!(change.at < *duration, "{name}");
                change.action.set(&mut config);
                config.validate().unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            if let Some(Misfortune { from, until, .. }) = scenario.misfortune {
                assert!(0.0 <= from && from < until && until < 1.0, "{name}");
            }
        }
    }
}
