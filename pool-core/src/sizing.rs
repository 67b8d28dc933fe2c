//! What whoever adapts a pool has told of its size. The core adapts nothing; `pool-monitor` does.

use parking_lot::Mutex;

use crate::lease::FleetName;
use crate::listeners::{Observers, Wanted};
use crate::observer::SizingChanged;

/// What was told of a pool's size last: see [`Control::tell_sizing`](crate::Control::tell_sizing).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizing {
    /// The size that whoever tries sizes would give it, or has given it.
    pub recommended: Option<RecommendedSize>,
    /// What it has of a server that a fleet shares.
    pub share: Option<FleetShare>,
}

/// A size for a pool, found by watching it or by trying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecommendedSize {
    /// How many connections should be allowed to be open.
    pub max_open: usize,
    /// Why, in words for people. Nothing secret.
    pub reason: String,
    /// Whether it is in force; otherwise it is only said.
    pub is_applied: bool,
}

/// What a pool has of a server whose connections a fleet of programs shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetShare {
    /// Whose connections they are.
    pub fleet: FleetName,
    /// How many of them this pool may have open.
    pub granted: usize,
    /// What it may do with them.
    pub state: ShareState,
    /// How it stands and what is in its way, in words for people. Nothing secret.
    pub reason: String,
}

/// What a pool may do with its share of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShareState {
    /// Open up to as many connections as were granted.
    Granted,
    /// Open nothing: nothing is granted to it yet.
    Pending,
    /// Keep what it has and open nothing: its lease has run out, and could not be renewed.
    Lapsed,
    /// Give back what it has: it is leaving.
    Draining,
}

impl ShareState {
    /// Every state, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Granted, Self::Pending, Self::Lapsed, Self::Draining];

    /// The name used in reports and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Pending => "pending",
            Self::Lapsed => "lapsed",
            Self::Draining => "draining",
        }
    }
}

/// The sizing of one pool, for those who ask and those who listen.
#[derive(Default)]
pub(crate) struct ToldSizing(Mutex<Option<Sizing>>);

impl ToldSizing {
    pub(crate) fn last(&self) -> Option<Sizing> {
        self.0.lock().clone()
    }

    /// Remembers `sizing`, and tells `observers` if it is not what they know.
    pub(crate) fn tell(&self, to: &Sizing, observers: &Observers) {
        let known = self.0.lock().replace(to.clone()).unwrap_or_default();
        if known == *to {
            return;
        }
        observers.notify(Wanted::RARE, |observer, pool| {
            observer.sizing_changed(&SizingChanged { pool, from: &known, to });
        });
    }
}
