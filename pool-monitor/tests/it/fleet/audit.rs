//! What must hold after every event, seen from outside.
//!
//! Rows take no more than there is, and cover what their members have. Excused are, and no more than:
//!
//! - one lease after rows were lost, all; from then on, what those have who did not settle since, and
//!   they may open nothing;
//! - sessions without a client, by their number, until their member had occasion to see them;
//! - where tags are hidden, sessions of members whose lease has run out, by their number, which the
//!   result tells.

use pool_core::runtime::Instant;

use super::database::{Committed, taken};
use super::process::{Process, TIMING};
use super::world::World;

/// What excuses a broken rule, for one lease; and what was seen.
#[derive(Debug, Default)]
pub(super) struct Audit {
    /// When writes were lost last, or a row by a clock that jumped.
    lost_at: Option<Instant>,
    /// When the server's clock jumped last.
    pub(super) jumped_at: Option<Instant>,
    /// Whether there ever were more sessions than there may be, for those that nobody could see because
    /// tags were hidden.
    pub(super) has_run_over: bool,
    /// Whether the limit was ever lowered: then rows may take more than there is until members have
    /// given it back, as they may after rows were lost.
    was_lowered: bool,
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
    /// its back, until it had occasion to see that.
    fn pool_sessions_of(process: &Process) -> usize {
        process.live_sessions() + process.known_strays()
    }

    /// How many of them no settlement can see: those without a client that pass for a connect under way;
    /// and where tags are hidden, all without a client, and all of a member whose lease has lapsed.
    fn unseen_of(&self, process: &Process) -> usize {
        if !self.database.hides_tags {
            return process.may_hide.min(process.known_strays());
        }
        let has_lapsed = process.clock.local(self.now) >= process.member.allowance().until;
        let is_without_row = process.has_ended() || has_lapsed;
        if is_without_row { Self::pool_sessions_of(process) } else { process.known_strays() }
    }

    pub(super) fn pool_sessions(&self) -> usize {
        self.processes.iter().map(Self::pool_sessions_of).sum()
    }

    /// What is taken, as a settlement sees it: by rows, and by sessions beyond them.
    fn taken(&self) -> usize {
        let committed = &self.database.committed;
        let beyond = self.processes.iter().map(|process| {
            let seen = Self::pool_sessions_of(process) - self.unseen_of(process);
            match committed.row(process.id) {
                Some(row) => seen.saturating_sub(taken(row)),
                // One alone is taken for a member that is about to join.
                None if seen == 1 => 0,
                None => seen,
            }
        });
        committed.taken() + beyond.sum::<usize>()
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
        self.audit.was_lowered |= self.database.committed.shared() < before.shared();
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
        let is_excused = returns || self.is_to_write_anew(this) || is_lost;
        let may = had + this.saw_strays;
        assert!(
            taken(row) <= may || is_excused,
            "{sum} of {shared} are taken, and {process} takes more than {may}: {row:?}"
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
            let Audit { jumped_at, lost_at, .. } = self.audit;
            let is_excused = self.is_within_lease(jumped_at) || self.is_within_lease(lost_at);
            assert!(is_excused, "{process} buried {}, whose lease holds\n{self}", buried.id);
            self.excuse_lease();
        }
    }

    /// Each row covers what its member has; so all have no more than there is.
    pub(super) fn audit_sessions(&mut self) {
        let committed = &self.database.committed;
        let is_lost = self.is_within_lease(self.audit.lost_at);
        let (mut sum, mut unseen, mut uncovered) = (0, 0, 0);
        for (number, process) in self.processes.iter().enumerate() {
            let sessions = Self::pool_sessions_of(process);
            let hidden = self.unseen_of(process);
            let covered = committed.row(process.id).map_or(0, taken) + hidden;
            sum += sessions;
            unseen += hidden;
            if is_lost {
                continue;
            }
            if self.is_to_write_anew(process) {
                // It keeps what it had opened until then, and opens nothing.
                let opening = process.member.allowance().opening(process.clock.local(self.now));
                assert_eq!(opening, 0, "{number} may open, and its row was lost\n{self}");
                uncovered += sessions.saturating_sub(covered);
                continue;
            }
            assert!(
                sessions <= covered,
                "{number} has {sessions} sessions, and its row covers {covered}\n{self}"
            );
        }
        let (shared, taken) = (committed.shared(), committed.taken());
        if self.audit.lost_at.is_none() && !self.audit.was_lowered {
            // Whatever the rows say.
            let live: usize = self.processes.iter().map(Process::live_sessions).sum();
            assert!(
                live <= shared + unseen,
                "{live} connections, {unseen} of them unseen, of {shared} there are\n{self}"
            );
        }
        let most = shared.max(taken);
        assert!(
            sum <= most + unseen + uncovered || is_lost,
            "{sum} sessions, {unseen} of them unseen and {uncovered} from before rows were lost, \
             where there may be {most}\n{self}"
        );
        let is_over = !is_lost && sum > most + uncovered;
        self.audit.has_run_over |= is_over && self.database.hides_tags;
    }

    fn trace_commit(&self, process: usize) {
        if self.trace {
            let (seconds, id) = (self.now.as_nanos() as f64 / 1e9, self.processes[process].id);
            let share = self.database.committed.row(id).map(|row| row.share);
            println!("     {seconds:.3} s, {process} commits {share:?}");
        }
    }
}
