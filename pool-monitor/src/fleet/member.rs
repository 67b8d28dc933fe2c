//! A member's state: what its pool may do, and what it says of itself in the ledger.

use fastrand::Rng;
use pool_core::runtime::Instant;
use pool_core::{Budget, LeaseTrouble, Ledger, MemberId, Settlement, Share};

use super::division::Division;
use super::pace::{Pace, Timing};
use super::shares::Claim;
use super::standing::Standing;

/// What a pool may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// It keeps no more connections than this: surplus is closed, at once or when it comes back.
    pub keep: usize,
    /// No connect starts at or above so many connections.
    pub ceiling: usize,
    /// From then on no connect starts at all, and one under way is given up.
    pub until: Instant,
}

impl Allowance {
    pub(crate) const NOTHING: Self = Self { keep: 0, ceiling: 0, until: Instant::EPOCH };

    /// Below how many connections a connect may start.
    #[must_use]
    pub fn opening(self, now: Instant) -> usize {
        if now < self.until { self.ceiling } else { 0 }
    }
}

/// What a member asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The fewest connections it can work with, how many it could use, and the most it may have.
    pub claim: Claim,
    /// What there is to share, if the server was asked since the last settlement; at the first one it
    /// must have been.
    pub budget: Option<Budget>,
}

/// A member of a fleet. It knows what was settled; time, ledger and pool are handed to it.
///
/// A settlement is [`begin`](Self::begin), within its transaction [`decide`](Self::decide), and then
/// [`committed`](Self::committed) or [`failed`](Self::failed). After each of the last three, the pool is
/// told its [`allowance`](Self::allowance).
#[derive(Debug)]
pub struct Member {
    id: MemberId,
    timing: Timing,
    pace: Pace,
    allowance: Allowance,
    is_draining: bool,
    /// What was decided and not committed.
    proposed: Option<Settled>,
    /// What was committed last.
    settled: Option<Settled>,
    /// Whether something was decided since then of which nobody knows whether it was committed.
    is_unsure: bool,
    trouble: Option<LeaseTrouble>,
    /// What there was to share when it last looked.
    budget: Option<Budget>,
}

#[derive(Clone, Copy, Debug)]
struct Settled {
    /// `None`: it has left.
    share: Option<Share>,
    ceiling: usize,
    standing: Standing,
    /// How many settlements had been committed before.
    serial: u64,
    lost_writes: bool,
}

impl Member {
    /// A member that is to join at once; `rng` spreads its heartbeats.
    #[must_use]
    pub fn new(id: MemberId, timing: Timing, now: Instant, rng: Rng) -> Self {
        Self {
            id,
            timing,
            pace: Pace::new(timing, rng, now),
            allowance: Allowance::NOTHING,
            is_draining: false,
            proposed: None,
            settled: None,
            is_unsure: false,
            trouble: None,
            budget: None,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn id(&self) -> MemberId {
        self.id
    }

    /// What the pool may do.
    #[must_use]
    pub fn allowance(&self) -> Allowance {
        self.allowance
    }

    /// Why the last settlement failed; `None` if it did not.
    #[must_use]
    pub fn trouble(&self) -> Option<LeaseTrouble> {
        self.trouble
    }

    /// Whether the ledger was older at the last settlement than what was committed before: a failover has
    /// lost writes.
    #[must_use]
    pub fn has_lost_writes(&self) -> bool {
        self.settled.is_some_and(|settled| settled.lost_writes)
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self, now: Instant) -> Standing {
        match self.settled {
            None => Standing::Joining,
            Some(Settled { share: Some(_), .. }) if now >= self.allowance.until => Standing::Lapsed,
            Some(settled) => settled.standing,
        }
    }

    /// Leaves from the next settlement on; it is due at once.
    pub fn drain(&mut self) {
        self.is_draining = true;
    }

    /// When to settle next, if the pool holds `held` connections and could use `demand`.
    #[must_use]
    pub fn next_beat(&self, held: usize, demand: usize) -> Instant {
        match &self.settled {
            Some(Settled { share: None, .. }) => Instant::NEVER,
            Some(Settled { share: Some(share), standing, .. }) => {
                let is_below_floor = share.granted < share.floor;
                let waits = is_below_floor && matches!(standing, Standing::Waiting { .. });
                let gives_back = share.held > share.granted && held < share.held;
                let lacks = share.granted < share.most && demand > share.granted.max(share.demand);
                let leaves = self.is_draining && (!share.draining || held == 0);
                self.pace.next(waits || gives_back || lacks || leaves)
            }
            None => self.pace.next(false),
        }
    }

    /// Before a settlement's transaction begins: the lease is counted from here.
    pub fn begin(&mut self, now: Instant) {
        self.pace.begin(now);
        self.is_unsure |= self.proposed.take().is_some();
    }

    /// Decides what to write. `lower` is called once: it has the pool start no connect from then on at
    /// or above so many, and then says how many it holds, those being opened included.
    ///
    /// If the transaction is repeated, it is called again.
    pub fn decide(
        &mut self,
        ledger: &Ledger,
        needs: &Needs,
        lower: &mut (dyn FnMut(usize) -> usize + '_),
    ) -> Settlement {
        let Needs { claim, budget: news } = *needs;
        // It is among what a failover may lose.
        let news = news.or(self.budget.filter(|_| ledger.budget.is_none()));
        self.budget = news.or(ledger.budget);
        let budget = self.budget.unwrap_or(Budget { total: 0, reserve: 0 });
        let asked = Some(claim).filter(|_| !self.is_draining);
        let Division { target, due, room } = Division::new(ledger, self.id, asked, budget);
        // What others may take after this commit is not opened, whatever becomes of the commit.
        self.allowance.ceiling = self.allowance.ceiling.min(due.min(room));
        let held = lower(self.allowance.ceiling);
        // Where there is too little room, because the budget was cut, rows were lost, or one who joined
        // earlier waits, it gives back what is more than its fair share and what it does not hold, but
        // nobody is starved.
        let granted = due.min(room.max(held));
        // The server may still show what the pool has given up, behind a network that failed.
        let strays = ledger.sessions.of(self.id).unwrap_or(0).saturating_sub(1 + held);
        // What it keeps beyond the room is not opened anew: others have its place, or are to have it.
        let ceiling = granted.min(room).saturating_sub(strays);
        self.allowance.ceiling = self.allowance.ceiling.min(ceiling);
        let has_left = self.is_draining && held + strays == 0;
        let share = Share {
            granted,
            held: held + strays,
            demand: claim.demand,
            floor: claim.floor,
            most: claim.most,
            draining: self.is_draining,
            lease: self.timing.lease,
        };
        let lost_writes = self.settled.is_some_and(|settled| {
            ledger.serial <= settled.serial || self.has_lost_its_row(ledger, settled)
        });
        self.proposed = Some(Settled {
            share: Some(share).filter(|_| !has_left),
            ceiling,
            standing: match target {
                _ if has_left => Standing::Left,
                _ if self.is_draining => Standing::Draining,
                Err(shortage) => Standing::Pending(shortage),
                Ok(target) if granted < target => Standing::Waiting { granted, target },
                Ok(_) => Standing::Granted { granted },
            },
            serial: ledger.serial,
            lost_writes,
        });
        if has_left { Settlement::Leave } else { Settlement::Write { share, budget: news } }
    }

    /// The settlement was committed.
    ///
    /// # Panics
    ///
    /// If nothing was decided since it began.
    pub fn committed(&mut self, now: Instant) {
        let settled = self.proposed.take().expect("bug: committed what was not decided");
        let until = self.timing.holds_until(self.pace.begun());
        self.allowance = match settled.share {
            Some(Share { granted, .. }) => {
                Allowance { keep: granted, ceiling: settled.ceiling, until }
            }
            None => Allowance::NOTHING,
        };
        self.settled = Some(settled);
        self.is_unsure = false;
        self.trouble = None;
        self.pace.committed(now);
    }

    /// The settlement was not committed, or nobody knows. What had been settled before holds until its
    /// lease ends, but for what was to be given up: if it was committed after all, others may have it.
    pub fn failed(&mut self, now: Instant, trouble: LeaseTrouble) {
        self.is_unsure |= self.proposed.take().is_some();
        self.trouble = Some(trouble);
        self.pace.failed(now);
    }

    /// Whether its own row is not what it has committed. Others may have settled since writes were lost,
    /// so that the serial tells nothing any more.
    fn has_lost_its_row(&self, ledger: &Ledger, settled: Settled) -> bool {
        let (Some(share), Some(row)) = (settled.share, ledger.row(self.id)) else { return false };
        let of = |share: Share| (share.granted, share.held, share.draining);
        !self.is_unsure && !ledger.has_lapsed(row) && of(row.share) != of(share)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pool_core::{MemberRow, ServerTime, Sessions};

    use super::*;

    const ONE: MemberId = MemberId::new(1);
    const TWO: MemberId = MemberId::new(2);
    const BUDGET: Budget = Budget { total: 20, reserve: 2 };

    fn at(seconds: u64) -> Instant {
        Instant::EPOCH.after(Duration::from_secs(1000 + seconds))
    }

    fn member() -> Member {
        Member::new(ONE, Timing::default(), at(0), Rng::with_seed(1))
    }

    fn needs(floor: usize, demand: usize) -> Needs {
        Needs { claim: Claim { floor, demand, most: 50 }, budget: None }
    }

    fn row(member: MemberId, granted: usize, held: usize, floor: usize) -> MemberRow {
        let lease = Duration::from_secs(15);
        let share = Share { granted, held, demand: 50, floor, most: 50, draining: false, lease };
        let renewed_at = ServerTime::from_unix_micros(0);
        MemberRow { member, joined: member.number(), renewed_at, share }
    }

    fn ledger(serial: u64, rows: Vec<MemberRow>) -> Ledger {
        let (now, sessions) = (ServerTime::from_unix_micros(0), Sessions::Hidden);
        Ledger { serial, now, budget: Some(BUDGET), rows, sessions }
    }

    /// A member to which all 17 connections are granted, of which it holds some.
    fn granted_all(held: usize) -> Member {
        let mut member = member();
        member.begin(at(0));
        member.decide(&ledger(0, vec![]), &needs(2, 50), &mut |_| held);
        member.committed(at(0));
        assert_eq!(member.allowance().opening(at(13)), 17);
        member
    }

    #[test]
    fn who_grows_opens_once_it_is_committed() {
        let mut member = member();
        member.begin(at(1));
        member.decide(&ledger(0, vec![]), &needs(2, 50), &mut |ceiling| {
            assert_eq!(ceiling, 0);
            0
        });
        assert_eq!(member.allowance().opening(at(1)), 0);
        member.committed(at(2));
        assert_eq!(member.standing(at(2)), Standing::Granted { granted: 17 });
        assert_eq!(member.allowance().opening(at(2)), 17);
    }

    #[test]
    fn who_shrinks_stops_opening_before_it_says_what_it_holds_whatever_becomes_of_that() {
        for outcome in [None, Some(LeaseTrouble::Other), Some(LeaseTrouble::OutcomeUnknown)] {
            let mut member = granted_all(10);
            member.begin(at(5));
            let rows = vec![row(ONE, 17, 10, 2), row(TWO, 0, 0, 2)];
            let mut lowered = None;
            let settled = member.decide(&ledger(1, rows), &needs(2, 50), &mut |ceiling| {
                lowered = Some(ceiling);
                10
            });
            let Settlement::Write { share, .. } = settled else { panic!("{settled:?}") };
            assert_eq!((lowered, share.granted, share.held), (Some(8), 8, 10));
            match outcome {
                None => member.committed(at(5)),
                Some(trouble) => member.failed(at(5), trouble),
            }
            assert_eq!(member.allowance().opening(at(6)), 8, "{outcome:?}");
            assert_eq!(member.trouble(), outcome);
        }
    }

    #[test]
    fn what_a_member_keeps_beyond_the_room_it_does_not_open_anew() {
        // It was taken for dead, and another has its place.
        let mut member = granted_all(3);
        member.begin(at(60));
        let settled =
            member.decide(&ledger(9, vec![row(TWO, 16, 16, 2)]), &needs(2, 50), &mut |_| 3);
        member.committed(at(60));
        let Settlement::Write { share, .. } = settled else { panic!("{settled:?}") };
        assert_eq!((share.granted, share.held), (2, 3));
        let allowance = member.allowance();
        assert_eq!((allowance.keep, allowance.opening(at(60))), (2, 0));
    }

    #[test]
    fn a_lease_ends_earlier_than_on_the_server_and_is_counted_from_before_it_was_asked_for() {
        let mut member = granted_all(4);
        member.begin(at(10));
        member.decide(&ledger(1, vec![row(ONE, 17, 4, 2)]), &needs(2, 50), &mut |_| 4);
        member.committed(at(12));
        assert_eq!(member.allowance().until, at(10).after(Duration::from_millis(13_500)));
        let Allowance { keep, .. } = member.allowance();
        assert_eq!((keep, member.allowance().opening(at(24))), (17, 0));
        assert_eq!(member.standing(at(24)), Standing::Lapsed);
    }

    #[test]
    fn who_finds_no_room_for_its_floor_waits_and_says_why() {
        let mut member = member();
        member.begin(at(0));
        let rows = vec![row(TWO, 8, 8, 12)];
        member.decide(&ledger(3, rows), &needs(5, 50), &mut |_| 0);
        member.committed(at(0));
        let said = member.standing(at(0)).to_string();
        assert!(
            said.starts_with("pending: the total of 20 is smaller than the floors of 2"),
            "{said}"
        );
        assert_eq!(member.allowance().opening(at(0)), 0);
    }

    #[test]
    fn a_budget_that_was_lost_is_written_anew() {
        let mut member = granted_all(10);
        member.begin(at(5));
        let lost = Ledger { budget: None, ..ledger(0, vec![]) };
        let settled = member.decide(&lost, &needs(2, 50), &mut |_| 10);
        member.committed(at(5));
        let Settlement::Write { share, budget } = settled else { panic!("{settled:?}") };
        assert_eq!((share.granted, budget), (17, Some(BUDGET)));
        assert!(member.has_lost_writes());
    }

    #[test]
    fn a_row_that_is_not_what_was_committed_last_was_lost_however_late_the_serial_is() {
        let lost = |own: MemberRow, now: i64, unknown: bool| {
            let mut member = granted_all(10);
            if unknown {
                member.begin(at(3));
                member.decide(&ledger(1, vec![row(ONE, 17, 10, 2)]), &needs(2, 50), &mut |_| 9);
                member.failed(at(3), LeaseTrouble::OutcomeUnknown);
            }
            member.begin(at(5));
            let now = ServerTime::from_unix_micros(now * 1_000_000);
            let read = Ledger { now, ..ledger(99, vec![own]) };
            member.decide(&read, &needs(2, 50), &mut |_| 10);
            member.committed(at(5));
            member.has_lost_writes()
        };
        assert!(!lost(row(ONE, 17, 10, 2), 5, false));
        assert!(lost(row(ONE, 17, 4, 2), 5, false) && lost(row(ONE, 8, 10, 2), 5, false));
        // Too old to tell, or one that nobody knew of whether it was committed.
        assert!(!lost(row(ONE, 17, 4, 2), 15, false) && !lost(row(ONE, 17, 9, 2), 5, true));
    }

    #[test]
    fn who_leaves_gives_back_at_once_and_has_left_when_it_holds_nothing() {
        let mut member = granted_all(3);
        member.drain();
        assert!(member.next_beat(3, 0) <= at(1), "it is due");
        member.begin(at(1));
        let rows = vec![row(ONE, 17, 3, 2)];
        let settled = member.decide(&ledger(1, rows), &needs(2, 0), &mut |_| 3);
        let Settlement::Write { share, .. } = settled else { panic!("{settled:?}") };
        assert_eq!((share.granted, share.held, share.draining), (0, 3, true));
        member.committed(at(1));
        assert_eq!(member.standing(at(1)), Standing::Draining);
        member.begin(at(2));
        let rows = vec![row(ONE, 0, 3, 2)];
        assert_eq!(member.decide(&ledger(2, rows), &needs(2, 0), &mut |_| 0), Settlement::Leave);
        member.committed(at(2));
        assert_eq!(member.standing(at(60)), Standing::Left);
        assert_eq!((member.next_beat(0, 0), member.allowance().keep), (Instant::NEVER, 0));
    }
}
