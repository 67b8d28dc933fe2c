//! What must hold after every event, seen from outside.

use pool_core::runtime::Instant;

use super::database::{Committed, taken};
use super::process::{Process, TIMING};
use super::world::World;

/// What excuses a broken rule, for one lease.
#[derive(Debug, Default)]
pub(super) struct Audit {
    /// When writes were lost last, or a row by a clock that jumped.
    lost_at: Option<Instant>,
    /// When the server's clock jumped last.
    pub(super) jumped_at: Option<Instant>,
}

impl World {
    /// Rows were lost.
    pub(super) fn excuse_lease(&mut self) {
        self.audit.lost_at = Some(self.now);
    }

    fn is_within_lease(&self, since: Option<Instant>) -> bool {
        since.is_some_and(|since| self.now.since(since) < TIMING.lease)
    }

    /// Whether a process has not settled since rows were lost.
    fn is_to_write_anew(&self, process: &Process) -> bool {
        self.audit.lost_at.is_some_and(|at| process.counted_at <= at)
    }

    /// Sessions of a process's pool, and connects that may become one. Left out is what lives on behind
    /// its back, until it had occasion to see that; and where tags are hidden, what nobody can see.
    fn pool_sessions_of(&self, process: &Process) -> usize {
        if !self.database.hides_tags {
            return process.live_sessions() + process.known_strays();
        }
        let local = process.clock.local(self.now);
        let holds = local < process.member.allowance().until && !process.has_ended();
        if holds { process.live_sessions() } else { 0 }
    }

    pub(super) fn pool_sessions(&self) -> usize {
        self.processes.iter().map(|process| self.pool_sessions_of(process)).sum()
    }

    /// What is taken, by rows and by those who have none.
    fn taken(&self) -> usize {
        let committed = &self.database.committed;
        let without_row = self.processes.iter().filter(|one| committed.row(one.id).is_none());
        let sessions = without_row.map(|one| self.pool_sessions_of(one));
        // One alone is taken for a member that is about to join.
        committed.taken() + sessions.filter(|sessions| *sessions > 1).sum::<usize>()
    }

    /// Before this, `before` was committed: no more is taken than there is, or who settled takes no more
    /// than before, and may open nothing.
    pub(super) fn audit_commit(&mut self, process: usize, before: &Committed) {
        let own = self.processes[process].id;
        self.trace_commit(process);
        let holds = self.database.committed.row(own).is_some_and(|row| row.share.held > 0);
        let returns = before.row(own).is_none() && holds;
        if returns && self.database.hides_tags {
            // Nobody could see that it was there all the time.
            self.excuse_lease();
        }
        self.audit_deaths(process, before);
        let after = &self.database.committed;
        assert_eq!(after.serial, before.serial + 1);
        for row in &after.rows {
            let is_touched = row.member == own || before.rows.contains(row);
            assert!(is_touched, "the row of another was changed: {row:?}");
        }
        let (sum, shared) = (self.taken(), after.shared());
        let Some(row) = after.row(own).filter(|_| sum > shared) else { return };
        let is_lost = self.is_within_lease(self.audit.lost_at);
        assert!(
            row.share.granted <= row.share.held || is_lost,
            "{sum} of {shared} are taken, and {process} may open: {row:?}"
        );
        let had = before.row(own).map_or(0, taken);
        let this = &self.processes[process];
        // What was lost is written anew; and who was buried may believe that it still holds something.
        let is_excused = returns || this.saw_strays || self.is_to_write_anew(this);
        assert!(
            taken(row) <= had || is_excused || is_lost,
            "{sum} of {shared} are taken, and {process} takes more than {had}: {row:?}"
        );
    }

    /// Nobody is taken for dead whose lease holds.
    fn audit_deaths(&mut self, process: usize, before: &Committed) {
        let is_buried = |one: &Process| {
            let (had, has) = (before.row(one.id), self.database.committed.row(one.id));
            had.is_some() && has.is_none() && !one.has_ended()
        };
        let holds = |one: &Process| {
            let counts = one.settling.is_some_and(|number| self.settlings[number].counts);
            let will_hear = counts && self.is_within_lease(one.begun.last().copied());
            will_hear || one.clock.local(self.now) < one.member.allowance().until
        };
        let others = self.processes.iter().enumerate().filter(|(number, _)| *number != process);
        let buried = others.map(|(_, one)| one).find(|one| is_buried(one) && holds(one));
        if let Some(buried) = buried {
            // Its sessions had ended just when the clock jumped, or its row was older than it.
            let Audit { jumped_at, lost_at } = self.audit;
            let is_excused = self.is_within_lease(jumped_at) || self.is_within_lease(lost_at);
            assert!(
                is_excused || self.database.hides_tags,
                "{process} buried {}, whose lease holds\n{self}",
                buried.id
            );
            self.excuse_lease();
        }
    }

    /// Each row covers what its member has; so all have no more than there is.
    pub(super) fn audit_sessions(&self) {
        let committed = &self.database.committed;
        let is_lost = self.is_within_lease(self.audit.lost_at);
        let mut sum = 0;
        for (number, process) in self.processes.iter().enumerate() {
            let sessions = self.pool_sessions_of(process);
            sum += sessions;
            if sessions == 0 || is_lost || self.is_to_write_anew(process) {
                continue;
            }
            let hidden = process.may_hide.min(process.known_strays());
            let covered = committed.row(process.id).map_or(0, taken) + hidden;
            assert!(
                sessions <= covered,
                "{number} has {sessions} sessions, and its row covers {covered}\n{self}"
            );
        }
        let is_excused =
            self.audit.lost_at.is_some() || self.processes.iter().any(Process::has_strays);
        let most = committed.shared().max(committed.taken());
        assert!(sum <= most || is_excused, "{sum} sessions where there may be {most}\n{self}");
    }

    fn trace_commit(&self, process: usize) {
        if self.trace {
            let (seconds, id) = (self.now.as_nanos() as f64 / 1e9, self.processes[process].id);
            let share = self.database.committed.row(id).map(|row| row.share);
            println!("     {seconds:.3} s, {process} commits {share:?}");
        }
    }
}
