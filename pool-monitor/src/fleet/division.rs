//! What a ledger leaves for one member.

use pool_core::{Budget, Ledger, MemberId};

use super::shares::{Claim, fair_shares};
use super::standing::Shortage;

/// A row as old as this part of its lease has missed a heartbeat.
const MISSED: u32 = 2;

/// What is to be one member's, and what it can have of that at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Division {
    /// Its fair share; `Err` where not even its floor fits.
    pub(super) target: Result<usize, Shortage>,
    /// Of its fair share, what it may have as soon as there is room: it does not grow beyond its floor
    /// as long as others have less than theirs.
    pub(super) due: usize,
    /// What others leave free, but for the floors of those who joined earlier: they are served first.
    pub(super) room: usize,
}

/// One of those who share.
struct Party {
    joined: u64,
    member: MemberId,
    claim: Claim,
    takes: usize,
    /// Whether it keeps its heartbeats.
    is_heard_of: bool,
}

impl Division {
    /// Divides `budget` among those in the ledger, `own` among them with this claim; without one it is
    /// leaving.
    pub(super) fn new(
        ledger: &Ledger,
        own: MemberId,
        claim: Option<Claim>,
        budget: Budget,
    ) -> Self {
        let row = ledger.row(own);
        let joined = row.map_or(ledger.serial + 1, |row| row.joined);
        let mut parties = Vec::with_capacity(ledger.rows.len() + 1);
        parties.extend(claim.map(|claim| Party {
            joined,
            member: own,
            claim,
            takes: 0,
            is_heard_of: true,
        }));
        // Each has a connection for settling. Those who have nothing else yet have it from the reserve,
        // until the others have made room.
        let (mut members, mut established, mut fixed) = (1, 1, 0);
        for sessions in ledger.without_row(own) {
            members += 1;
            // One alone settles, to join. Of several, none need be for settling.
            fixed += if sessions > 1 { sessions } else { 0 };
        }
        for row in ledger.rows.iter().filter(|row| row.member != own && !ledger.is_dead(row)) {
            let (takes, share) = (ledger.taken_by(row), row.share);
            members += 1;
            established += usize::from(takes > 0);
            if share.draining || ledger.has_lapsed(row) {
                fixed += takes;
            } else {
                let claim = Claim { floor: share.floor, demand: share.demand, most: share.most };
                let (joined, member) = (row.joined, row.member);
                let age = ledger.now.apart(row.renewed_at);
                let is_heard_of = age < share.lease / MISSED;
                parties.push(Party { joined, member, claim, takes, is_heard_of });
            }
        }
        parties.sort_unstable_by_key(|party| (party.joined, party.member));
        let all = budget.total.saturating_sub(budget.reserve + fixed);
        let claims: Vec<Claim> = parties.iter().map(|party| party.claim).collect();
        let shares = fair_shares(all.saturating_sub(members), &claims);
        let place = parties.iter().position(|party| party.member == own);
        let shortage = || Shortage::new(budget, members, fixed, &claims);
        let target = place.map_or(Ok(0), |place| shares[place].ok_or_else(shortage));
        let taken: usize = parties.iter().map(|party| party.takes).sum();
        let free = all.saturating_sub(established + taken);
        // Who has nothing yet needs room for its connection for settling, too. Nothing is kept free for one
        // that may have died before it had anything.
        let lacks = |(party, share): (&Party, &Option<usize>)| match share {
            Some(_) if party.member != own && party.is_heard_of => {
                party.claim.floor().saturating_sub(party.takes) + usize::from(party.takes == 0)
            }
            _ => 0,
        };
        let lacking: Vec<usize> = parties.iter().zip(&shares).map(lacks).collect();
        let (owed, owed_before): (usize, usize) =
            (lacking.iter().sum(), lacking.iter().take(place.unwrap_or(0)).sum());
        let (has, floor) = (row.map_or(0, |row| row.share.granted), claim.map_or(0, Claim::floor));
        let due = target.unwrap_or(0).min(has.max(floor).max(free.saturating_sub(owed)));
        // Nobody's floor is served by taking another's.
        let room = free.saturating_sub(owed_before).max(free.min(has.min(floor)));
        Self { target, due, room }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pool_core::{MemberRow, ServerTime, Sessions, Share};

    use super::*;

    const BUDGET: Budget = Budget { total: 22, reserve: 2 };

    /// One that asks for all there is, renewed at that time.
    fn row_at(micros: i64, number: u64, granted: usize, floor: usize) -> MemberRow {
        let renewed_at = ServerTime::from_unix_micros(micros);
        let (lease, draining) = (Duration::from_secs(15), false);
        let share = Share { granted, held: granted, demand: 50, floor, most: 50, draining, lease };
        MemberRow { member: MemberId::new(number), joined: number, renewed_at, share }
    }

    fn row(number: u64, granted: usize) -> MemberRow {
        row_at(0, number, granted, 2)
    }

    /// What one can take, with a floor of 2.
    fn takes(own: u64, rows: &[MemberRow]) -> usize {
        let (now, sessions) = (ServerTime::from_unix_micros(0), Sessions::Hidden);
        let rows = rows.to_vec();
        let ledger = Ledger { serial: 9, now, budget: Some(BUDGET), rows, sessions };
        let claim = Claim { floor: 2, demand: 50, most: 50 };
        let division = Division::new(&ledger, MemberId::new(own), Some(claim), BUDGET);
        division.due.min(division.room)
    }

    #[test]
    fn nobody_takes_what_one_who_waits_for_longer_needs_for_its_floor() {
        for (taken, left) in [(16, 0), (15, 0), (14, 1), (13, 2)] {
            let mut rows = vec![row(1, taken), row(2, 0)];
            assert_eq!(takes(3, &rows), left, "after {taken}");
            rows.push(row(3, left));
            assert_eq!(takes(2, &rows), 2, "the second has its floor, after {taken}");
        }
    }

    #[test]
    fn nobody_loses_its_floor_to_one_whose_floor_has_risen() {
        let rows = [row(1, 14), row_at(0, 2, 1, 2), row(3, 2)];
        assert_eq!(takes(3, &rows), 2);
    }

    #[test]
    fn nothing_is_kept_for_one_that_has_missed_a_heartbeat() {
        let dead = |seconds: i64| [row(1, 16), row_at(-seconds * 1_000_000, 2, 0, 2)];
        assert_eq!((takes(3, &dead(6)), takes(3, &dead(8))), (0, 2));
    }
}
