//! What must come about in time: once nothing changes, each has its fair share; and what that costs.

use std::time::Duration;

use pool_monitor::fleet::{Claim, Standing};

use super::process::{Life, Process};
use super::step::Step;
use super::world::World;

/// After the last change, where nothing fails; a process that is killed is such a change. A lease and two
/// heartbeats at their longest.
const FAIR_WITHIN: Duration = Duration::from_secs(27);
/// After it has started, where nothing fails and its floor fits.
const FLOOR_WITHIN: Duration = Duration::from_secs(10);
/// After all trouble: the longest that the server shows who is not there, a lease, and to be fair.
const OVER_WITHIN: Duration = Duration::from_secs(100);
/// How long is measured what the fleet costs at rest.
const AT_REST: Duration = Duration::from_secs(40);

impl World {
    /// Where nothing fails, nobody joins who would have to wait until one is buried.
    pub(super) fn may_join(&self) -> bool {
        let is_buried = |process: &Process| {
            !(process.has_ended() && self.database.committed.row(process.id).is_some())
        };
        !self.mood.is_calm || self.processes.iter().all(is_buried)
    }

    /// Whether nothing has changed for long enough.
    pub(super) fn is_settled(&self) -> bool {
        self.now.since(self.changed_at) >= FAIR_WITHIN
    }

    pub(super) fn note_change(&mut self, step: Step) {
        if !matches!(step, Step::Advance(_)) {
            self.changed_at = self.now;
        }
    }

    /// Where nothing fails.
    pub(super) fn audit_fairness(&mut self) {
        if !self.mood.is_calm {
            return;
        }
        self.audit_floors();
        if self.is_settled() {
            self.assert_fair();
        }
    }

    /// Who joined has its floor in time.
    fn audit_floors(&self) {
        for (number, process) in self.processes.iter().enumerate() {
            let has_joined = self.now.since(process.started_at) >= FLOOR_WITHIN;
            if process.is_running() && !process.is_leaving && has_joined {
                let granted = self.granted(process);
                let floor = process.claim.floor;
                assert!(
                    granted >= floor,
                    "{number} is granted {granted}, and its floor is {floor}"
                );
            }
        }
    }

    fn granted(&self, process: &Process) -> usize {
        self.database.committed.row(process.id).map_or(0, |row| row.share.granted)
    }

    /// Each has its fair share: within a tenth, of what it can use.
    fn assert_fair(&self) {
        let here: Vec<(usize, &Process)> =
            self.processes.iter().enumerate().filter(|(_, one)| one.is_running()).collect();
        if here.is_empty() {
            return;
        }
        let rows = &self.database.committed.rows;
        assert_eq!(rows.len(), here.len(), "only who is there has a row");
        let mut here: Vec<_> = here
            .into_iter()
            .map(|(number, one)| (self.database.committed.row(one.id), number, one))
            .collect();
        here.sort_by_key(|(row, _, one)| (row.expect("counted").joined, one.id));
        let claims: Vec<Claim> = here.iter().map(|(_, _, one)| one.claim).collect();
        let free = self.database.committed.shared().saturating_sub(here.len());
        for ((row, number, one), fair) in here.iter().zip(fair_shares(free, &claims)) {
            let granted = row.expect("counted").share.granted;
            let standing = one.member.standing(one.clock.local(self.now));
            let Some(fair) = fair else {
                assert!(matches!(standing, Standing::Pending(_)), "{number} waits: {standing}");
                assert_eq!(granted, 0, "{number} waits for its floor");
                continue;
            };
            let used = granted.min(one.claim.demand.max(one.claim.floor));
            let tolerated = (fair / 10).max(1);
            assert!(
                used.abs_diff(fair) <= tolerated,
                "{number} has {granted} of its {fair}: {standing}"
            );
            assert!(matches!(standing, Standing::Granted { .. }), "{number}: {standing}");
        }
    }

    /// All trouble ends; then all must be fair, and cost little.
    pub(super) fn end(&mut self) {
        self.database.is_read_only = false;
        for process in 0..self.processes.len() {
            self.processes[process].loses_answer = false;
            if self.processes[process].is_cut_off {
                self.heal(process);
            }
            if self.processes[process].life == Life::Paused {
                self.resume(process);
            }
        }
        // Somebody must be there to bury the others.
        self.join();
        self.advance(OVER_WITHIN);
        self.trace_end("all is over");
        self.assert_fair();
        let total = self.database.committed.budget.total;
        let sessions: usize = self.processes.iter().map(Process::shown).sum();
        assert!(sessions <= total.max(self.least()), "{sessions} sessions of {total}");
        let since = self.now;
        self.advance(AT_REST);
        self.trace_end("at rest");
        for (number, process) in
            self.processes.iter().enumerate().filter(|(_, one)| one.is_running())
        {
            let settled = process.begun.iter().filter(|begun| **begun >= since).count();
            assert!(settled <= 11, "{number} settled {settled} times in {AT_REST:?}");
            assert!(settled >= 6, "{number} settled {settled} times in {AT_REST:?}");
        }
        self.assert_fair();
    }

    /// Control connections alone may be more than there is.
    fn least(&self) -> usize {
        self.processes.iter().filter(|process| process.is_running()).count()
    }

    fn trace_end(&self, what: &str) {
        if self.trace {
            println!("     {what}\n{self}");
        }
    }
}

/// As little as is needed to judge by: one connection after the other, to who has the least.
fn fair_shares(mut free: usize, claims: &[Claim]) -> Vec<Option<usize>> {
    let mut shares = vec![None; claims.len()];
    for (share, claim) in shares.iter_mut().zip(claims) {
        if claim.floor > free {
            break;
        }
        *share = Some(claim.floor);
        free -= claim.floor;
    }
    while free > 0 {
        let lacks = |share: usize, claim: &Claim| share < claim.demand.min(claim.most);
        let poorest = shares
            .iter_mut()
            .zip(claims)
            .filter_map(|(share, claim)| share.as_mut().filter(|share| lacks(**share, claim)));
        let Some(share) = poorest.min_by_key(|share| **share) else { break };
        *share += 1;
        free -= 1;
    }
    shares
}
