//! What whoever checks a pool has told of its health. The core asks nobody how a database is, and judges
//! nothing; `pool-health` does.

use std::fmt;

use parking_lot::Mutex;

use crate::listeners::{Observers, Wanted};
use crate::observer::HealthChanged;
use crate::stats::Circuit;

/// How well a pool and its database can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HealthState {
    /// Nothing was found out yet, or nobody asks any more.
    Unknown,
    /// Nothing is wrong.
    Healthy,
    /// It serves, and something wants to be looked at: it is saturated, lagging, paused, or a probe has
    /// failed and not enough of them to be sure.
    Degraded,
    /// It cannot serve.
    Unhealthy,
}

impl HealthState {
    /// Every state, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Healthy, Self::Degraded, Self::Unhealthy];

    /// The name used in reports and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// Whether it is worth sending requests to.
    #[must_use]
    pub const fn serves(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What was told of a pool's health last: see [`Control::tell_health`](crate::Control::tell_health).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ToldHealth {
    /// How well it can serve.
    pub state: HealthState,
    /// Whether probes succeed, as the engine's own [`Circuit`] says whether connects do.
    pub probe_circuit: Circuit,
}

/// The health of one pool, for those who ask and those who listen.
#[derive(Default)]
pub(crate) struct Told(Mutex<Option<ToldHealth>>);

impl Told {
    pub(crate) fn last(&self) -> Option<ToldHealth> {
        *self.0.lock()
    }

    /// Remembers `health`, and tells `observers` if it is not what they know.
    pub(crate) fn tell(&self, health: ToldHealth, reasons: &[String], observers: &Observers) {
        let known = self.0.lock().replace(health);
        let nothing = ToldHealth { state: HealthState::Unknown, probe_circuit: Circuit::Closed };
        let known = known.unwrap_or(nothing);
        if known == health {
            return;
        }
        let ToldHealth { state: to, probe_circuit } = health;
        observers.notify(Wanted::RARE, |observer, pool| {
            let from = known.state;
            observer.health_changed(&HealthChanged { pool, from, to, reasons, probe_circuit });
        });
    }
}
