//! What a pool that adapts itself is to do, and why it cannot.

use std::sync::Arc;
use std::time::Duration;

use pool_core::PoolConfig;
use pool_core::runtime::{NoRuntime, Runtime};

use crate::fleet::Timing;

/// How a pool adapts itself. By default it does not.
#[derive(Clone, Debug, Default)]
pub struct AdaptiveOptions {
    /// To its load.
    pub tuner: TunerOptions,
    /// To its share of a server; `None` if it shares with nobody.
    pub fleet: Option<FleetOptions>,
    /// Instead of the default one.
    pub runtime: Option<Arc<dyn Runtime>>,
}

/// What the tuner may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TunerMode {
    /// It is not there.
    #[default]
    Off,
    /// It says what it would do, and changes nothing.
    Shadow,
    /// It tries sizes and keeps what is better.
    On,
}

/// How the tuner works.
#[derive(Clone, Debug)]
pub struct TunerOptions {
    /// What it may do. Default: off.
    pub mode: TunerMode,
    /// It never makes the pool smaller than this. Default: 1.
    pub least: usize,
    /// It never makes the pool larger than this, nor than the pool is configured. What it only recommends
    /// may be more than is configured. Default: no limit of its own.
    pub most: usize,
    /// How often it decides: from 100 ms to a minute. Default: 1 s.
    pub period: Duration,
}

impl Default for TunerOptions {
    fn default() -> Self {
        Self { mode: TunerMode::Off, least: 1, most: usize::MAX, period: Duration::from_secs(1) }
    }
}

/// The shortest period: in less, too little comes back to tell sizes apart.
const SHORTEST_PERIOD: Duration = Duration::from_millis(100);
/// The longest: a load changes sooner.
const LONGEST_PERIOD: Duration = Duration::from_mins(1);

impl TunerOptions {
    /// Whether a pool that is configured so can be tuned by them.
    pub(super) fn check(&self, config: &PoolConfig) -> Result<(), AdaptiveError> {
        let Self { least, most, period, .. } = *self;
        if !(SHORTEST_PERIOD..=LONGEST_PERIOD).contains(&period) {
            return Err(AdaptiveError::Period(period));
        }
        if most == 0 {
            return Err(AdaptiveError::Most);
        }
        let most = most.min(config.max_open);
        if !(1..=most).contains(&least) {
            return Err(AdaptiveError::Least { least, most });
        }
        Ok(())
    }
}

/// How a pool takes part in a fleet. Which fleet it is, its driver says: its connections bear
/// the member's [tag](pool_core::FleetName::tag), by the URL's parameter `fleet=NAME`.
///
/// All members of a fleet are to have the same budget and reserve: of two that differ, what was written
/// last counts. Beside its share, each has a connection for settling.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// The fewest connections it can work with: from 1 to the pool's `max_open`. Default: 1.
    pub floor: usize,
    /// What the fleet may have in sum.
    pub budget: BudgetSource,
    /// How many of that are not given out: for members about to join, whose control connections are
    /// there before they have a share, and for people. Default: 3.
    pub reserve: usize,
    /// How often it settles, and for how long that holds: from 1 s to a minute, and for three heartbeats
    /// to an hour.
    pub timing: Timing,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self { floor: 1, budget: BudgetSource::default(), reserve: 3, timing: Timing::default() }
    }
}

/// What a fleet may have in sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BudgetSource {
    /// So many percent (1 to 100) of what the server gives to anybody, less what it reserves; no more than
    /// the account or the database may have. Asked for anew each minute.
    Server {
        /// How many percent.
        percent: u8,
    },
    /// So many connections.
    Fixed {
        /// How many.
        total: usize,
    },
}

impl Default for BudgetSource {
    fn default() -> Self {
        Self::Server { percent: 80 }
    }
}

/// Why a pool cannot adapt itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdaptiveError {
    /// The tuner's period is out of its range.
    #[error("the tuner cannot decide every {0:?}: choose a period from 100ms to 1min")]
    Period(Duration),
    /// The tuner may have no connection.
    #[error("the tuner cannot keep a pool at 0 connections: choose a most of 1 or more")]
    Most,
    /// The tuner is to keep none, or more than it or the pool may have.
    #[error(
        "the tuner cannot keep {least} connections at least: choose from 1 to {most}, the smaller of its \
         most and the pool's max_open, or raise that"
    )]
    Least {
        /// What was given.
        least: usize,
        /// The most that may be open.
        most: usize,
    },
    /// Another one adapts the pool.
    #[error(
        "the pool {pool:?} is adapted already: keep that AdaptiveSize, or start another one once it is \
         dropped and its tasks have ended"
    )]
    AlreadyAdapted {
        /// The pool's name.
        pool: String,
    },
    /// The calling thread is not inside an async runtime.
    #[error(transparent)]
    NoRuntime(#[from] NoRuntime),
    /// The pool's connections do not bear the tag of a member of a fleet.
    #[error(
        "the pool's connections call themselves {}, which is no tag of a fleet's member: put \
         `fleet=NAME` into its URL, by which each process draws a tag of its own",
        .application.as_ref().map_or_else(|| "nothing".to_owned(), |name| format!("{name:?}"))
    )]
    NotTagged {
        /// What they call themselves.
        application: Option<String>,
    },
    /// The driver keeps no ledger for fleets.
    #[error(
        "the members of a fleet agree by a ledger in the database that they share, and the driver for \
         {system} keeps none: a pool of PostgreSQL, MySQL or MariaDB can be a member"
    )]
    NoLedger {
        /// Its database system.
        system: String,
    },
    /// The driver cannot ask the server how many connections it has.
    #[error(
        "the driver for {system} cannot ask how many connections the server has: say it, with \
         BudgetSource::Fixed"
    )]
    NoCapacity {
        /// Its database system.
        system: String,
    },
    /// The floor is out of its range.
    #[error(
        "a floor of {floor} connections is not possible: choose one from 1 to the pool's max_open of \
         {max_open}"
    )]
    Floor {
        /// What was given.
        floor: usize,
        /// What the pool may have at most.
        max_open: usize,
    },
    /// The percentage of the server's connections is out of its range.
    #[error("{0} % of the server's connections cannot be shared: choose from 1 to 100")]
    Percent(u8),
    /// The reserve leaves nothing to share.
    #[error(
        "a reserve of {reserve} leaves nothing of a total of {total} connections: choose a smaller \
         reserve or a larger total"
    )]
    Reserve {
        /// What was given.
        reserve: usize,
        /// What there is.
        total: usize,
    },
    /// The timing is out of its range.
    #[error(
        "a heartbeat of {:?} with a lease of {:?} is not possible: choose a heartbeat from 1s to 60s, \
         and a lease of at least three heartbeats and at most an hour",
        .0.heartbeat, .0.lease
    )]
    Timing(Timing),
}
