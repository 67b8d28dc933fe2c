//! How a member stands, as it is said to the pool's observers and in the log.

use std::error::Error;
use std::fmt;

use pool_core::runtime::Instant;
use pool_core::{FleetName, FleetShare, LeaseError, LeaseTrouble, OpenError, ShareState};

use super::budget::Disagreement;
use crate::adaptive::governor::Governor;
use crate::causes::in_one_line;
use crate::fleet::{Allowance, Standing};

/// Why a settlement failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) trouble: LeaseTrouble,
    text: String,
}

impl Failure {
    fn other(what: &str, error: &(dyn Error + 'static)) -> Self {
        let text = format!("{what}: {}", in_one_line(error));
        Self { trouble: LeaseTrouble::Other, text }
    }

    pub(super) fn connecting(error: &OpenError) -> Self {
        Self::other("no connection for settling", error)
    }

    pub(super) fn asking(error: &(dyn Error + 'static)) -> Self {
        Self::other("the server did not say how many connections it has", error)
    }

    pub(super) fn is_for_want_of_right(&self) -> bool {
        self.trouble == LeaseTrouble::NoRight
    }

    pub(super) fn panicked() -> Self {
        let text = "bug: what settles has panicked".to_owned();
        Self { trouble: LeaseTrouble::Other, text }
    }
}

impl From<LeaseError> for Failure {
    fn from(error: LeaseError) -> Self {
        Self { trouble: error.trouble(), text: in_one_line(&error) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What may worry those who run it. What is new is a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worry {
    /// The last settlement failed.
    Trouble(LeaseTrouble),
    /// Its floor does not fit.
    Pending,
    /// It could not renew its lease in time.
    Lapsed,
    /// It has no ledger.
    Counting,
    /// It has neither a ledger nor sees who is there.
    Blind,
    /// The server shows sessions, and not its own.
    Unseen,
    /// The ledger is older than it was.
    LostWrites,
    /// Another member says that there is another total.
    OtherBudget,
    /// The connections bear no tag of its fleet any more.
    Renamed,
}

/// How a member stands.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) standing: Stands,
    /// What the pool itself may do.
    pub(super) allowance: Allowance,
    /// Connections that count against the share and are not the pool's.
    pub(super) beside: usize,
    pub(super) failure: Option<Failure>,
    pub(super) disagreement: Option<Disagreement>,
    pub(super) notes: Vec<Worry>,
}

#[derive(Clone, Debug)]
pub(super) enum Stands {
    /// By the ledger.
    Settled(Standing),
    /// By the sessions that the server shows.
    Counted(String),
    /// It may not go on: its connections bear no tag of its fleet any more.
    Renamed(String),
}

impl Report {
    /// Between settlements, nothing happens but that a lease ends.
    fn is_lapsed(&self, now: Instant) -> bool {
        let until = self.allowance.until;
        until > Instant::EPOCH && now >= until
    }

    fn share(&self, fleet: &FleetName, now: Instant) -> FleetShare {
        let mut reason = match &self.standing {
            _ if self.is_lapsed(now) => Standing::Lapsed.to_string(),
            Stands::Settled(standing) => standing.to_string(),
            Stands::Counted(text) | Stands::Renamed(text) => text.clone(),
        };
        if self.beside > 0 {
            reason = format!("{reason}, {} of them for health checks", self.beside);
        }
        if let Some(failure) = &self.failure {
            reason = format!("{reason}; {failure}");
        }
        if self.notes.contains(&Worry::LostWrites) {
            reason.push_str("; the ledger was older than before: a failover has lost writes");
        }
        if self.notes.contains(&Worry::Unseen) {
            reason.push_str(
                "; the server does not show this member's own session (a proxy hides its name): a \
                 share is given on when its lease ends, whether or not its connections are gone",
            );
        }
        if let Some(disagreement) = &self.disagreement {
            reason = format!("{reason}; {disagreement}");
        }
        let granted = self.allowance.keep;
        let state = match &self.standing {
            Stands::Settled(Standing::Draining | Standing::Left) => ShareState::Draining,
            Stands::Renamed(_) => ShareState::Lapsed,
            _ if self.is_lapsed(now) => ShareState::Lapsed,
            _ if granted > 0 => ShareState::Granted,
            _ => ShareState::Pending,
        };
        FleetShare { fleet: fleet.clone(), granted, state, reason }
    }

    fn worries(&self, now: Instant) -> Vec<Worry> {
        let mut worries = self.notes.clone();
        worries.extend(self.failure.as_ref().map(|failure| Worry::Trouble(failure.trouble)));
        if self.is_lapsed(now) {
            worries.push(Worry::Lapsed);
        } else if let Stands::Settled(Standing::Pending(_)) = self.standing {
            worries.push(Worry::Pending);
        }
        worries
    }
}

/// What was said last.
#[derive(Debug, Default)]
pub(super) struct Said {
    share: Option<FleetShare>,
    worries: Vec<Worry>,
}

impl Said {
    /// Says what has changed; in the log only what is not the same in kind.
    pub(super) fn say(
        &mut self,
        governor: &Governor,
        fleet: &FleetName,
        report: &Report,
        now: Instant,
    ) {
        let share = report.share(fleet, now);
        if self.share.as_ref() == Some(&share) {
            return;
        }
        governor.say_share(Some(share.clone()));
        let worries = report.worries(now);
        let is_worse = worries.iter().any(|worry| !self.worries.contains(worry));
        let kind = |share: &FleetShare| (share.state, share.granted);
        let is_other = self.share.as_ref().map(kind) != Some(kind(&share));
        let has_changed = is_other || self.worries != worries;
        self.worries = worries;
        let FleetShare { granted, state, ref reason, .. } = *self.share.insert(share);
        let (pool, state) = (governor.pool().name(), state.name());
        if is_worse {
            tracing::warn!(target: "pool_monitor", pool, %fleet, state, granted, reason, "share of the server");
        } else if has_changed {
            tracing::info!(target: "pool_monitor", pool, %fleet, state, granted, reason, "share of the server");
        }
    }
}
