//! A member where no ledger can be kept: it counts who is there.

use std::fmt;

use pool_core::runtime::Instant;
use pool_core::{Budget, MemberId, Sessions};

use crate::fleet::{Allowance, Fallback, Timing};

/// A member that may not write a ledger. It stays one until its program is started anew: a right that
/// comes and goes would have it lose its share each time.
#[derive(Debug)]
pub(super) struct Counting {
    fallback: Fallback,
    allowance: Allowance,
    seen: Seen,
    /// Why there is no ledger.
    why: String,
}

/// What the server showed last.
#[derive(Clone, Copy, Debug)]
enum Seen {
    /// It was not asked yet.
    Nothing,
    /// Sessions of so many members.
    Members(usize),
    /// No sessions, or those of others only.
    NotItself,
}

impl Counting {
    pub(super) fn new(timing: Timing, why: String) -> Self {
        let fallback = Fallback::new(timing);
        Self { fallback, allowance: Allowance::NOTHING, seen: Seen::Nothing, why }
    }

    /// What the server shows, asked for at `begun`.
    ///
    /// Who cannot see its own session cannot see others either, and knows nothing of how many share:
    /// whatever it opened, even its floor, might be what others count on. So it opens nothing. A program
    /// that cannot start for want of a right is mended at once; a server without connections is not.
    pub(super) fn read(
        &mut self,
        begun: Instant,
        sessions: &Sessions,
        own: MemberId,
        budget: Budget,
        most: usize,
    ) {
        let members = match sessions {
            Sessions::Shown(shown) if sessions.of(own).is_some_and(|own| own > 0) => shown.len(),
            _ => {
                self.seen = Seen::NotItself;
                return;
            }
        };
        self.seen = Seen::Members(members);
        self.allowance = self.fallback.read(begun, budget, members, most);
    }

    pub(super) fn allowance(&self) -> Allowance {
        self.allowance
    }

    /// Whether it cannot share at all.
    pub(super) fn is_blind(&self) -> bool {
        matches!(self.seen, Seen::NotItself)
    }
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.allowance.keep;
        match self.seen {
            Seen::Nothing => f.write_str("joining: nothing has been counted yet")?,
            Seen::Members(1) => write!(f, "granted {part}: no other member is seen")?,
            Seen::Members(members) => {
                write!(f, "granted {part}: an equal part for each of {members} members")?;
            }
            Seen::NotItself => f.write_str(
                "cannot share: the server does not show the sessions of the fleet either, so that \
                 nobody knows how many there are; opens nothing",
            )?,
        }
        write!(
            f,
            " ({}; let the account create and write the tables, and start the program anew",
            self.why
        )?;
        match self.seen {
            Seen::NotItself => f.write_str(", or connect without a pooler)"),
            _ => f.write_str("; until then the sessions that the server shows are counted)"),
        }
    }
}
