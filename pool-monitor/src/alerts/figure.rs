//! What a rule can look at: named figures of a pool.

use std::fmt;

/// What a figure is measured in, and with that how a threshold is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A part of a whole, 1 being all of it; written `"90%"`.
    Ratio,
    /// Seconds; written as a duration, `"250ms"`.
    Seconds,
    /// How many; written as a number.
    Count,
    /// How many a minute; written as a number.
    PerMinute,
}

/// A figure of a pool, over a stretch of time that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Figure {
    /// The largest part of `max_open` that was in use.
    Utilisation,
    /// The part of the time in which all of `max_open` was in use.
    Full,
    /// What 99 of 100 acquires waited at most.
    WaitP99,
    /// Acquires a minute.
    Acquires,
    /// Connects that failed, a minute.
    ConnectFailures,
    /// Checks of connections that failed, a minute.
    CheckFailures,
    /// Checkouts that were held for longer than `leak_after`.
    LeaksSuspected,
    /// Connects a minute while the pool did not grow.
    Churn,
    /// The largest part of `max_waiters` that waited.
    QueueFill,
}

impl Figure {
    /// Every figure, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Utilisation,
        Self::Full,
        Self::WaitP99,
        Self::Acquires,
        Self::ConnectFailures,
        Self::CheckFailures,
        Self::LeaksSuspected,
        Self::Churn,
        Self::QueueFill,
    ];

    /// The name used in rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utilisation => "utilisation",
            Self::Full => "full",
            Self::WaitP99 => "wait_p99",
            Self::Acquires => "acquires",
            Self::ConnectFailures => "connect_failures",
            Self::CheckFailures => "check_failures",
            Self::LeaksSuspected => "leaks_suspected",
            Self::Churn => "churn",
            Self::QueueFill => "queue_fill",
        }
    }

    /// What it is measured in.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::Utilisation | Self::Full | Self::QueueFill => Unit::Ratio,
            Self::WaitP99 => Unit::Seconds,
            Self::LeaksSuspected => Unit::Count,
            Self::Acquires | Self::ConnectFailures | Self::CheckFailures | Self::Churn => {
                Unit::PerMinute
            }
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
