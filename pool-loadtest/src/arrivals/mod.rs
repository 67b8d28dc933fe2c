//! When operations are wanted: by tasks that wait for their answers, or by a schedule that does not.

mod curve;
mod schedule;
mod text;
mod think_time;
mod trace;

use std::fmt;

pub use self::schedule::{Offsets, Schedule, Stage};
pub use self::think_time::ThinkTime;

/// When operations are wanted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Arrivals {
    /// Tasks that each want a connection, work, give it back, think, and want one again. While the
    /// pool or the database stalls, fewer operations are asked for, so the percentiles understate
    /// what arrivals that do not wait for each other would see.
    Closed {
        /// How many.
        tasks: usize,
        /// How long each pauses between two operations.
        think_time: ThinkTime,
    },
    /// Arrivals at the times of a schedule, whatever became of those before. Each is timed from the
    /// moment it was meant to start, so that a stall shows in the percentiles.
    Open {
        /// When.
        schedule: Schedule,
        /// Most operations under way at once; an arrival beyond them is dropped and counted. At
        /// least one.
        in_flight: usize,
    },
}

impl Arrivals {
    /// Most operations under way at once of an open loop, unless it is told otherwise: as many as a
    /// server that is stalled for two seconds lets pile up at 5 000 a second. Each takes some KiB.
    pub const IN_FLIGHT: usize = 10_000;

    /// So many tasks that do not think.
    #[must_use]
    pub const fn closed(tasks: usize) -> Self {
        Self::Closed { tasks, think_time: ThinkTime::None }
    }

    /// By this schedule, with at most [`IN_FLIGHT`](Self::IN_FLIGHT) under way.
    #[must_use]
    pub const fn open(schedule: Schedule) -> Self {
        Self::Open { schedule, in_flight: Self::IN_FLIGHT }
    }
}

/// 16 tasks that do not think.
impl Default for Arrivals {
    fn default() -> Self {
        Self::closed(16)
    }
}

/// In words that the command line reads, but for the limits.
impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { think_time: ThinkTime::None, .. } => f.write_str("closed"),
            Self::Closed { think_time, .. } => write!(f, "closed, think {think_time}"),
            Self::Open { schedule, .. } => schedule.fmt(f),
        }
    }
}
