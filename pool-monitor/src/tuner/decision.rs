//! What a controller decides, and why, in words for who has to answer for it at night.

use std::fmt;
use std::time::Duration;

use pool_core::Brief;

/// Another limit, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Decision {
    /// The limit until now.
    pub from: usize,
    /// The limit from now on. The same, if what was tried is kept.
    pub to: usize,
    /// Why.
    pub reason: Reason,
}

/// Why a limit is what it is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The limit serves what is asked for, as far as is known.
    Enough {
        /// The part of it that is in use.
        utilisation: f64,
    },
    /// More are tried, since acquires wait for them.
    TryMore {
        /// The part of the limit in use.
        utilisation: f64,
        /// How long acquires wait.
        mean_wait: Duration,
        /// Connections given back a second until now.
        rate: f64,
    },
    /// Fewer are tried, since as many may be in each other's way.
    TryFewer {
        /// The part of the limit in use.
        utilisation: f64,
        /// Connections given back a second until now.
        rate: f64,
    },
    /// What was tried stays.
    Kept(Outcome),
    /// What was tried is taken back.
    TakenBack(Outcome),
    /// What was tried stays, since clients wait less long, for a connection and with it. Throughput does not
    /// tell where the pool does all that is asked for.
    Shorter {
        /// How long they waited.
        before: Duration,
        /// And with the size that was tried.
        after: Duration,
    },
    /// What was tried is taken back, since clients wait no less.
    NoShorter {
        /// How long they waited.
        before: Duration,
        /// And with the size that was tried.
        after: Duration,
    },
    /// What was tried stays, since acquires find connections at once.
    QueueGone,
    /// What was tried is taken back: the new connections did not come to be used in time.
    Unanswered {
        /// How long it was waited for.
        waited: Duration,
    },
    /// The load is back that this limit was found for.
    Returned,
    /// Far fewer were needed lately.
    Demand {
        /// The most in use or waited for at once.
        peak: usize,
    },
    /// The database takes far longer than usual.
    Slow {
        /// How long it works for a checkout.
        service: Duration,
        /// And how long usually.
        usual: Duration,
    },
    /// Fewer connections did not make the database faster: its statements take longer, whoever sends them.
    NotTheCause(Outcome),
    /// The server refused connects, since it has too many connections.
    Refused {
        /// How many it refused.
        overloads: u64,
    },
    /// The limit was out of bounds.
    Bounds {
        /// The least allowed.
        least: usize,
        /// The most allowed.
        most: usize,
    },
}

/// What came of a size that was tried.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// Connections given back a second before.
    pub before: f64,
    /// And with the size that was tried.
    pub after: f64,
    /// By how many percent throughput grows for one percent more connections.
    pub elasticity: f64,
}

impl Reason {
    /// Whether only a trial can tell if it is right. Where nothing may be tried, it is a guess.
    #[must_use]
    pub const fn is_trial(&self) -> bool {
        matches!(self, Self::TryMore { .. } | Self::TryFewer { .. } | Self::Slow { .. })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after, elasticity } = self;
        // What rounds to none is not below none.
        let elasticity = (elasticity * 100.0).round() / 100.0 + 0.0;
        write!(f, "{after:.0} checkouts/s, {before:.0} before (elasticity {elasticity:.2})")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Enough { utilisation } => {
                write!(f, "{:.0} % are in use: as many as are needed", 100.0 * utilisation)
            }
            Self::TryMore { utilisation, mean_wait, rate } => write!(
                f,
                "{:.0} % are in use and acquires wait for {}: tries whether more connections do more \
                 than {rate:.0} checkouts/s",
                100.0 * utilisation,
                Brief(mean_wait)
            ),
            Self::TryFewer { utilisation, rate } => write!(
                f,
                "{:.0} % are in use: tries whether fewer connections do {rate:.0} checkouts/s as well",
                100.0 * utilisation
            ),
            Self::Kept(outcome) => write!(f, "kept: {outcome}"),
            Self::TakenBack(outcome) => write!(f, "taken back: {outcome}"),
            Self::Shorter { before, after } => {
                write!(f, "kept: clients wait {}, {} before", Brief(after), Brief(before))
            }
            Self::NoShorter { before, after } => {
                write!(f, "taken back: clients wait {}, {} before", Brief(after), Brief(before))
            }
            Self::QueueGone => f.write_str("kept: acquires do not wait any more"),
            Self::Unanswered { waited } => write!(
                f,
                "taken back: it could not be measured within {}, the connections were not all in use",
                Brief(waited)
            ),
            Self::Returned => f.write_str("the load is back that as many were found right for"),
            Self::Demand { peak } => {
                write!(f, "never more than {peak} were needed at once in the last half minute")
            }
            Self::Slow { service, usual } => write!(
                f,
                "the database works {} for a checkout, and {} usually: it is overloaded",
                Brief(service),
                Brief(usual)
            ),
            Self::NotTheCause(outcome) => write!(
                f,
                "taken back: fewer connections did not relieve the database, {outcome}; what takes \
                 longer is the statements"
            ),
            Self::Refused { overloads } => write!(
                f,
                "the server refused {overloads} connects, it has too many connections; no more are \
                 tried for a while"
            ),
            Self::Bounds { least, most } => write!(f, "{least} to {most} are allowed"),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, reason } = self;
        if from == to {
            write!(f, "max_open {to}: {reason}")
        } else {
            write!(f, "max_open {from} -> {to}: {reason}")
        }
    }
}

/// The sizes that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sizes {
    /// The limit.
    pub max_open: usize,
    /// As many idle connections as come back from the last half minute's peak: fewer would be closed only
    /// to be opened again.
    pub max_idle: usize,
    /// As many idle connections as a peak needs beyond the usual use: they are opened ahead of it.
    pub min_idle: usize,
}
