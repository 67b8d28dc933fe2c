//! Figures of a pool by name: what alerts watch and thresholds are set for.

use std::fmt;
use std::time::Duration;

use pool_core::{Circuit, CloseReason, HealthState, ShareState};

use crate::view::PoolView;
use crate::window::Window;

macro_rules! signals {
    ($($(#[doc = $doc:literal])* $variant:ident, $name:literal, $unit:literal;)*) => {
        /// A figure of a pool, by name.
        ///
        /// Some are of the moment; others are rates and percentiles over a stretch of time, at least a cell
        /// of the history (15 s) long.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Signal {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Signal {
            /// Every signal.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in rules and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Its unit: `s`, `1` for a part or a switch, or what is counted, a minute if it is a rate.
            #[must_use]
            pub const fn unit(self) -> &'static str {
                match self {
                    $(Self::$variant => $unit,)*
                }
            }
        }
    };
}

signals! {
    /// The part of `max_open` that is in use or being opened; 0 for an unlimited pool.
    Utilisation, "utilisation", "1";
    /// For how long the pool has been full without a break; 0 if it is not.
    FullFor, "full_for", "s";
    /// Connections in use.
    InUse, "in_use", "connections";
    /// Idle connections.
    Idle, "idle", "connections";
    /// Open connections.
    Open, "open", "connections";
    /// Acquires waiting.
    Waiting, "waiting", "acquires";
    /// The part of `max_waiters` that waits.
    QueueFill, "queue_fill", "1";
    /// How long the oldest waiting acquire has waited.
    OldestWait, "oldest_wait", "s";
    /// The wait that half of the acquires did not exceed, not counting those refused at once.
    WaitP50, "wait_p50", "s";
    /// The wait that 99 of 100 acquires did not exceed, not counting those refused at once.
    WaitP99, "wait_p99", "s";
    /// How long half of the connections were held at most.
    HeldP50, "held_p50", "s";
    /// How long 99 of 100 connections were held at most.
    HeldP99, "held_p99", "s";
    /// How long 99 of 100 connects took at most.
    ConnectP99, "connect_p99", "s";
    /// Acquires that ended.
    Acquires, "acquires", "acquires a minute";
    /// Acquires that failed.
    Failures, "failures", "acquires a minute";
    /// The part of the acquires that failed.
    FailureRatio, "failure_ratio", "1";
    /// Acquires that reached their deadline.
    Timeouts, "timeouts", "acquires a minute";
    /// Connections opened.
    Connects, "connects", "connections a minute";
    /// Connects that failed.
    ConnectFailures, "connect_failures", "connects a minute";
    /// Connections that were opened only to take the place of ones closed as surplus or idle.
    Churn, "churn", "connections a minute";
    /// Idle connections found dead by a check.
    CheckFailures, "check_failures", "connections a minute";
    /// Checkouts that came to be held for longer than `leak_after`.
    LeaksSuspected, "leaks_suspected", "connections a minute";
    /// 1 while connects fail, 0 while they succeed.
    CircuitOpen, "circuit_open", "1";
    /// 1 while whoever checks the pool calls it unhealthy, 0 while it is something else.
    Unhealthy, "unhealthy", "1";
    /// 1 while the pool may open nothing, since nothing is granted to it of a server that a fleet shares, or
    /// its lease has run out; 0 while it may.
    ShareWithheld, "share_withheld", "1";
    /// Configurations that were refused with an error.
    ConfigurationsRefused, "configurations_refused", "configurations a minute";
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Signal {
    /// The signal of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|signal| signal.name() == name)
    }

    /// Its value now, or over the last `over` if it is a rate or a percentile. `None` where there is none:
    /// the percentile of no waits, the ratio of no acquires, the health of a pool that nobody checks,
    /// the share of one that is in no fleet.
    #[must_use]
    pub fn value(self, view: &PoolView, over: Duration) -> Option<f64> {
        self.now(view).or_else(|| self.over(&view.history.last(over)))
    }

    /// Of the moment.
    pub(crate) fn now(self, view: &PoolView) -> Option<f64> {
        let snapshot = &view.snapshot;
        let stats = &snapshot.stats;
        Some(match self {
            Self::Utilisation => snapshot.utilisation(),
            Self::FullFor => snapshot.full_for.unwrap_or_default().as_secs_f64(),
            Self::InUse => stats.in_use as f64,
            Self::Idle => stats.idle as f64,
            Self::Open => stats.open as f64,
            Self::Waiting => stats.waiting as f64,
            Self::QueueFill => stats.waiting as f64 / view.config.max_waiters as f64,
            Self::OldestWait => stats.oldest_wait.as_secs_f64(),
            Self::CircuitOpen => f64::from(u8::from(stats.circuit != Circuit::Closed)),
            Self::Unhealthy => {
                f64::from(u8::from(snapshot.health?.state == HealthState::Unhealthy))
            }
            Self::ShareWithheld => {
                let share = snapshot.sizing.as_ref()?.share.as_ref()?;
                f64::from(u8::from(matches!(share.state, ShareState::Pending | ShareState::Lapsed)))
            }
            _ => return None,
        })
    }

    /// Over a stretch of time.
    pub(crate) fn over(self, window: &Window) -> Option<f64> {
        let seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64());
        let a_minute = |count| Some(window.per_minute(count));
        match self {
            Self::WaitP50 => seconds(window.wait.quantile(0.5)),
            Self::WaitP99 => seconds(window.wait.quantile(0.99)),
            Self::HeldP50 => seconds(window.held.quantile(0.5)),
            Self::HeldP99 => seconds(window.held.quantile(0.99)),
            Self::ConnectP99 => seconds(window.connect.quantile(0.99)),
            Self::Acquires => a_minute(window.ended()),
            Self::Failures => a_minute(window.acquires.failed()),
            Self::FailureRatio => match window.ended() {
                0 => None,
                ended => Some(window.acquires.failed() as f64 / ended as f64),
            },
            Self::Timeouts => a_minute(window.acquires.timed_out),
            Self::Connects => a_minute(window.opened),
            Self::ConnectFailures => a_minute(window.open_failed),
            Self::Churn => a_minute(window.churned()),
            Self::CheckFailures => a_minute(window.closed.of(CloseReason::CheckFailed)),
            Self::LeaksSuspected => a_minute(window.leaks_suspected),
            Self::ConfigurationsRefused => a_minute(window.configurations_refused),
            Self::Utilisation
            | Self::FullFor
            | Self::InUse
            | Self::Idle
            | Self::Open
            | Self::Waiting
            | Self::QueueFill
            | Self::OldestWait
            | Self::CircuitOpen
            | Self::Unhealthy
            | Self::ShareWithheld => None,
        }
    }
}
