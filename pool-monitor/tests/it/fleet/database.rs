//! The database: what was committed, one lock, a clock that jumps, and what it shows.

use std::collections::VecDeque;
use std::time::Duration;

use pool_core::runtime::Instant;
use pool_core::{Budget, Changes, Ledger, MemberId, MemberRow, ServerTime, Sessions, Settlement};

/// For how long what was committed may still be lost.
const HISTORY: Duration = Duration::from_secs(12);

/// What was committed.
#[derive(Clone, Debug)]
pub(super) struct Committed {
    pub(super) serial: u64,
    pub(super) budget: Budget,
    pub(super) rows: Vec<MemberRow>,
}

impl Committed {
    /// What may be open in sum.
    pub(super) fn shared(&self) -> usize {
        self.budget.total.saturating_sub(self.budget.reserve)
    }

    /// What the rows take in sum.
    pub(super) fn taken(&self) -> usize {
        self.rows.iter().map(taken).sum()
    }

    pub(super) fn row(&self, member: MemberId) -> Option<&MemberRow> {
        self.rows.iter().find(|row| row.member == member)
    }
}

pub(super) fn taken(row: &MemberRow) -> usize {
    row.share.granted.max(row.share.held)
}

#[derive(Debug)]
pub(super) struct Database {
    pub(super) committed: Committed,
    /// What had been committed before, and until when it counted.
    history: VecDeque<(Instant, Committed)>,
    /// Microseconds by which its clock is ahead.
    pub(super) ahead: i64,
    /// The settlement that has the lock, and those that wait for it.
    pub(super) lock: Option<usize>,
    pub(super) waiting: VecDeque<usize>,
    pub(super) is_read_only: bool,
    /// Whether it is seen through a pooler.
    pub(super) hides_tags: bool,
    pub(super) max_connections: usize,
    pub(super) reserve: usize,
}

impl Database {
    pub(super) fn new(max_connections: usize, reserve: usize, hides_tags: bool) -> Self {
        let budget = Budget { total: 0, reserve: 0 };
        Self {
            committed: Committed { serial: 0, budget, rows: Vec::new() },
            history: VecDeque::new(),
            ahead: 1_000_000_000_000_000,
            lock: None,
            waiting: VecDeque::new(),
            is_read_only: false,
            hides_tags,
            max_connections,
            reserve,
        }
    }

    /// What a settlement reads.
    pub(super) fn ledger(&self, now: Instant, shown: Vec<(MemberId, usize)>) -> Ledger {
        let micros = (now.as_nanos() / 1000).cast_signed() + self.ahead;
        Ledger {
            serial: self.committed.serial,
            now: ServerTime::from_unix_micros(micros),
            budget: Some(self.committed.budget).filter(|budget| budget.total > 0),
            rows: self.committed.rows.clone(),
            sessions: if self.hides_tags { Sessions::Hidden } else { Sessions::Shown(shown) },
        }
    }

    /// Commits what a driver would write. Returns what had been committed before.
    pub(super) fn commit(
        &mut self,
        now: Instant,
        own: MemberId,
        ledger: &Ledger,
        settlement: Settlement,
    ) -> Committed {
        let before = self.committed.clone();
        let after = &mut self.committed;
        let Changes { share, budget, gone } = ledger.changes(own, settlement);
        after.rows.retain(|row| row.member != own && !gone.contains(&row.member));
        after.serial += 1;
        after.budget = budget.unwrap_or(after.budget);
        if let Some(share) = share {
            let joined = ledger.row(own).map_or(after.serial, |row| row.joined);
            after.rows.push(MemberRow { member: own, joined, renewed_at: ledger.now, share });
        }
        self.history.push_back((now, before.clone()));
        while self.history.front().is_some_and(|(until, _)| now.since(*until) > HISTORY) {
            self.history.pop_front();
        }
        before
    }

    /// Loses what was committed after `since`. Returns whether there was anything.
    pub(super) fn lose_writes(&mut self, since: Instant) -> bool {
        let mut has_lost = false;
        while let Some((_, before)) = self.history.pop_back_if(|(until, _)| *until > since) {
            self.committed = before;
            has_lost = true;
        }
        has_lost
    }
}
