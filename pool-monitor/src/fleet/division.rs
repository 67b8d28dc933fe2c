//! What a ledger leaves for one member.

use pool_core::{Budget, Ledger, MemberId};

use super::shares::{Claim, fair_shares};
use super::standing::Shortage;

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
        parties.extend(claim.map(|claim| Party { joined, member: own, claim, takes: 0 }));
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
                parties.push(Party { joined, member, claim, takes });
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
        let lacks = |(party, share): (&Party, &Option<usize>)| {
            let is_other = share.is_some() && party.member != own;
            if is_other { party.claim.floor.saturating_sub(party.takes) } else { 0 }
        };
        let lacking: Vec<usize> = parties.iter().zip(&shares).map(lacks).collect();
        let (owed, owed_before): (usize, usize) =
            (lacking.iter().sum(), lacking.iter().take(place.unwrap_or(0)).sum());
        let kept = row.map_or(0, |row| row.share.granted).max(claim.map_or(0, |claim| claim.floor));
        let due = target.unwrap_or(0).min(kept.max(free.saturating_sub(owed)));
        let room = free.saturating_sub(owed_before);
        Self { target, due, room }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pool_core::{MemberRow, ServerTime, Sessions, Share};

    use super::*;

    const BUDGET: Budget = Budget { total: 22, reserve: 2 };

    /// One that asks for all there is, with a floor of 2.
    fn row(number: u64, granted: usize) -> MemberRow {
        let renewed_at = ServerTime::from_unix_micros(0);
        let (lease, draining) = (Duration::from_secs(15), false);
        let share =
            Share { granted, held: granted, demand: 50, floor: 2, most: 50, draining, lease };
        MemberRow { member: MemberId::new(number), joined: number, renewed_at, share }
    }

    fn room(own: u64, rows: Vec<MemberRow>) -> usize {
        let (now, sessions) = (ServerTime::from_unix_micros(0), Sessions::Hidden);
        let ledger = Ledger { serial: 9, now, budget: Some(BUDGET), rows, sessions };
        let claim = Claim { floor: 2, demand: 50, most: 50 };
        Division::new(&ledger, MemberId::new(own), Some(claim), BUDGET).room
    }

    #[test]
    fn nobody_takes_what_one_who_waits_for_longer_needs_for_its_floor() {
        // Two are free.
        let rows = vec![row(1, 16), row(2, 0)];
        assert_eq!(room(2, rows.clone()), 2);
        assert_eq!(room(3, rows), 0, "who joins now waits behind the second");
        let rows = vec![row(1, 15), row(2, 0), row(3, 0)];
        assert_eq!(room(3, rows), 1, "one is left over");
    }
}
