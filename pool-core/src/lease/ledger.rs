//! What a settlement reads and what it may write.
//!
//! A member can write its own row and the fleet's budget, and nothing else: there is no way to say
//! whose row it is. Which rows are dead is the ledger's to say, so that all members agree.

use std::time::Duration;

use super::MemberId;

/// A point in time of the server's clock, which may jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerTime(i64);

impl ServerTime {
    /// So many microseconds after 1970 began, UTC.
    #[must_use]
    pub const fn from_unix_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds after 1970 began, UTC.
    #[must_use]
    pub const fn as_unix_micros(self) -> i64 {
        self.0
    }

    /// How far apart they are, whichever is the earlier.
    #[must_use]
    pub const fn apart(self, other: Self) -> Duration {
        Duration::from_micros(self.0.abs_diff(other.0))
    }
}

/// All that is known of a fleet within a settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// How many settlements were committed before this one.
    pub serial: u64,
    /// The server's time.
    pub now: ServerTime,
    /// What there is to share; `None` until a member has written it.
    pub budget: Option<Budget>,
    /// The members' rows.
    pub rows: Vec<MemberRow>,
    /// What sessions the server shows.
    pub sessions: Sessions,
}

/// What there is to share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Connections that the server has for the whole fleet, control connections among them.
    pub total: usize,
    /// Part of them that is not given out: for members that are about to join, and for people.
    pub reserve: usize,
}

/// A member's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// Whose it is.
    pub member: MemberId,
    /// The serial of the settlement that wrote it first. Unlike a time, it never goes back.
    pub joined: u64,
    /// When it was written last, by the server's clock.
    pub renewed_at: ServerTime,
    /// What the member wrote.
    pub share: Share,
}

/// What a member says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// How many connections it may have open.
    pub granted: usize,
    /// How many it had, at most, once it opened no more than granted; the control connection is not among
    /// them.
    pub held: usize,
    /// How many it could use.
    pub demand: usize,
    /// The fewest it can work with.
    pub floor: usize,
    /// The most it may ever have.
    pub most: usize,
    /// Whether it is leaving.
    pub draining: bool,
    /// For how long this holds from when it was written.
    pub lease: Duration,
}

/// What the server's session list shows of a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// Nothing: tags cannot be seen there, or connections go through a pooler.
    Hidden,
    /// So many for each tag, control connections among them; a member that is not listed has none, or
    /// none that could be seen: its lease alone says whether it is dead.
    ///
    /// Where only control connections can be recognised, they alone are listed.
    Shown(Vec<(MemberId, usize)>),
}

impl Sessions {
    /// How many a member is seen to have; `None` where all are hidden.
    #[must_use]
    pub fn of(&self, member: MemberId) -> Option<usize> {
        match self {
            Self::Hidden => None,
            Self::Shown(shown) => {
                let own = shown.iter().filter(|(owner, _)| *owner == member);
                Some(own.map(|(_, count)| count).sum())
            }
        }
    }
}

impl Ledger {
    /// A member's row.
    #[must_use]
    pub fn row(&self, member: MemberId) -> Option<&MemberRow> {
        self.rows.iter().find(|row| row.member == member)
    }

    /// Whether a row's lease has run out. A server's clock that was set back by more than a lease ends
    /// it, too: else those who died before would be believed alive until it has caught up.
    #[must_use]
    pub fn has_lapsed(&self, row: &MemberRow) -> bool {
        self.now.apart(row.renewed_at) >= row.share.lease
    }

    /// Whether nothing is left of a member but its row: its lease has run out, and the server shows no
    /// session of it. Where sessions are hidden, the lease alone decides.
    #[must_use]
    pub fn is_dead(&self, row: &MemberRow) -> bool {
        self.has_lapsed(row) && self.sessions.of(row.member).is_none_or(|sessions| sessions == 0)
    }

    /// The members whose rows a settlement of `own` deletes.
    pub fn dead(&self, own: MemberId) -> impl Iterator<Item = MemberId> {
        let rows = self.rows.iter().filter(move |row| row.member != own && self.is_dead(row));
        rows.map(|row| row.member)
    }

    /// How many connections are to be counted for a row: what it was granted, what it held, or what the
    /// server shows, whichever is the most.
    #[must_use]
    pub fn taken_by(&self, row: &MemberRow) -> usize {
        let shown = self.sessions.of(row.member).unwrap_or(0).saturating_sub(1);
        row.share.granted.max(row.share.held).max(shown)
    }

    /// How many sessions the server shows of each member but `own` that has no row: it is about to join,
    /// or its row was lost.
    pub fn without_row(&self, own: MemberId) -> impl Iterator<Item = usize> {
        let shown = match &self.sessions {
            Sessions::Shown(shown) => shown.as_slice(),
            Sessions::Hidden => &[],
        };
        let is_without = move |member| member != own && self.row(member).is_none();
        let without = shown.iter().filter(move |(member, _)| is_without(*member));
        without.map(|&(_, sessions)| sessions)
    }
}

/// What a settlement changes in a ledger, beside its [serial](Ledger::serial).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The member's own row from now on; `None` if it leaves.
    pub share: Option<Share>,
    /// What there is to share from now on, if that is said anew.
    pub budget: Option<Budget>,
    /// Whose rows are deleted: the dead, and the member's own if it leaves.
    pub gone: Vec<MemberId>,
}

impl Ledger {
    /// What a settlement of `own` changes.
    #[must_use]
    pub fn changes(&self, own: MemberId, settlement: Settlement) -> Changes {
        let mut gone: Vec<_> = self.dead(own).collect();
        match settlement {
            Settlement::Leave => {
                gone.push(own);
                Changes { share: None, budget: None, gone }
            }
            Settlement::Write { share, budget } => Changes { share: Some(share), budget, gone },
        }
    }
}

/// Decides a settlement. It must not block.
pub type Decide<'a> = dyn FnMut(&Ledger) -> Settlement + Send + 'a;

/// What a settlement does to the member's own row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Writes it.
    Write {
        /// What the row says from now on.
        share: Share,
        /// What there is to share, if the member has asked the server anew.
        budget: Option<Budget>,
    },
    /// Deletes it: the member holds nothing any more, and will open nothing.
    Leave,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(15);
    const SECOND: i64 = 1_000_000;

    fn row(number: u64, granted: usize, held: usize) -> MemberRow {
        let most = 100;
        let share =
            Share { granted, held, demand: 0, floor: 1, most, draining: false, lease: LEASE };
        let renewed_at = ServerTime::from_unix_micros(0);
        MemberRow { member: MemberId::new(number), joined: number, renewed_at, share }
    }

    fn ledger(now: i64, rows: Vec<MemberRow>, sessions: Sessions) -> Ledger {
        Ledger { serial: 9, now: ServerTime::from_unix_micros(now), budget: None, rows, sessions }
    }

    fn shown(sessions: &[(u64, usize)]) -> Sessions {
        let of = |&(member, count): &(u64, usize)| (MemberId::new(member), count);
        Sessions::Shown(sessions.iter().map(of).collect())
    }

    #[test]
    fn only_those_whose_lease_has_lapsed_and_who_have_no_session_are_dead() {
        let rows = vec![row(1, 5, 5), row(2, 5, 5), row(3, 5, 5)];
        let dead = |now, sessions| {
            let ledger = ledger(now, rows.clone(), sessions);
            ledger.dead(MemberId::new(3)).map(MemberId::number).collect::<Vec<_>>()
        };
        assert!(dead(15 * SECOND - 1, shown(&[])).is_empty());
        assert_eq!(dead(15 * SECOND, shown(&[(1, 1)])), [2]);
        assert_eq!(dead(15 * SECOND, Sessions::Hidden), [1, 2]);
    }

    #[test]
    fn a_settlement_deletes_the_dead_and_its_own_row_only_if_it_leaves() {
        let own = MemberId::new(2);
        let ledger = ledger(15 * SECOND, vec![row(1, 5, 5), row(2, 5, 5)], shown(&[]));
        let share = row(2, 4, 4).share;
        let budget = Some(Budget { total: 9, reserve: 1 });
        let written = ledger.changes(own, Settlement::Write { share, budget });
        let gone = vec![MemberId::new(1)];
        assert_eq!(written, Changes { share: Some(share), budget, gone: gone.clone() });
        let left = ledger.changes(own, Settlement::Leave);
        assert_eq!(left, Changes { share: None, budget: None, gone: vec![gone[0], own] });
    }

    #[test]
    fn a_clock_set_back_by_more_than_a_lease_ends_leases() {
        let lapsed = |now| ledger(now, vec![], Sessions::Hidden).has_lapsed(&row(1, 5, 5));
        assert_eq!((lapsed(-14 * SECOND), lapsed(-15 * SECOND)), (false, true));
    }

    #[test]
    fn what_is_taken_is_the_most_of_granted_held_and_shown() {
        let taken = |granted, held, sessions: usize| {
            let ledger = ledger(0, vec![], shown(&[(1, sessions)]));
            ledger.taken_by(&row(1, granted, held))
        };
        assert_eq!((taken(7, 2, 3), taken(2, 7, 3), taken(2, 3, 8)), (7, 7, 7));
        assert_eq!(taken(0, 0, 0), 0);
    }

    #[test]
    fn sessions_of_those_without_a_row_are_counted_apart() {
        let sessions = shown(&[(1, 4), (2, 3), (5, 1)]);
        let ledger_of = |sessions| ledger(0, vec![row(1, 4, 4)], sessions);
        let without =
            |own, sessions| ledger_of(sessions).without_row(MemberId::new(own)).collect::<Vec<_>>();
        assert_eq!(without(1, sessions.clone()), [3, 1]);
        assert_eq!(without(2, sessions), [1]);
        assert!(without(1, Sessions::Hidden).is_empty());
    }
}
