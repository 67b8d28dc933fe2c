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
    /// What others leave free.
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
        let room = all.saturating_sub(established + taken);
        let lacks = |(party, share): (&Party, &Option<usize>)| {
            let is_other = share.is_some() && party.member != own;
            if is_other { party.claim.floor.saturating_sub(party.takes) } else { 0 }
        };
        let owed: usize = parties.iter().zip(&shares).map(lacks).sum();
        let kept = row.map_or(0, |row| row.share.granted).max(claim.map_or(0, |claim| claim.floor));
        let due = target.unwrap_or(0).min(kept.max(room.saturating_sub(owed)));
        Self { target, due, room }
    }
}
