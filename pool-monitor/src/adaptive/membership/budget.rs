//! What the fleet may have in sum: as it was said, or as the server says from time to time.

use std::fmt;
use std::time::Duration;

use pool_core::runtime::Instant;
use pool_core::{Budget, Capacity, Probe};

use super::report::Failure;
use crate::adaptive::options::BudgetSource;

const ASKED_EVERY: Duration = Duration::from_mins(1);
/// More than any server has, and no more than any ledger can hold.
pub(super) const MOST: usize = u32::MAX as usize;

/// What two members say that there is to share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Disagreement {
    other: Budget,
    own: Budget,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { other, own } = self;
        write!(
            f,
            "another member says the total is {} with {} in reserve, and this one {} with {}: give all \
             the same budget",
            other.total, other.reserve, own.total, own.reserve
        )
    }
}

/// Asks at first, after a reconnect, and each minute.
#[derive(Debug)]
pub(super) struct BudgetReader {
    source: BudgetSource,
    reserve: usize,
    /// What there is, and when that was known.
    latest: Option<(Instant, Budget)>,
    is_written: bool,
    /// What was written last.
    written: Option<Budget>,
    disagreement: Option<Disagreement>,
}

impl BudgetReader {
    pub(super) fn new(source: BudgetSource, reserve: usize) -> Self {
        Self {
            source,
            reserve: reserve.min(MOST),
            latest: None,
            is_written: false,
            written: None,
            disagreement: None,
        }
    }

    /// Another server may answer from now on.
    pub(super) fn forget(&mut self) {
        self.latest = None;
    }

    /// What there is.
    pub(super) async fn read(
        &mut self,
        probe: &mut dyn Probe,
        now: Instant,
    ) -> Result<Budget, Failure> {
        match self.latest {
            Some((at, budget)) if now.since(at) < ASKED_EVERY => return Ok(budget),
            _ => {}
        }
        let total = match self.source {
            BudgetSource::Fixed { total } => total,
            BudgetSource::Server { percent } => {
                let capacity = probe.capacity().await.expect("bug: checked when it started");
                part(capacity.map_err(|error| Failure::asking(&*error))?, percent)
            }
        };
        let budget = Budget { total: total.min(MOST), reserve: self.reserve };
        self.latest = Some((now, budget));
        self.is_written = false;
        Ok(budget)
    }

    /// What is to be written into the ledger, if it is not there yet.
    pub(super) fn news(&self) -> Option<Budget> {
        self.latest.map(|(_, budget)| budget).filter(|_| !self.is_written)
    }

    pub(super) fn written(&mut self) {
        self.is_written = true;
        self.written = self.latest.map(|(_, budget)| budget);
    }

    /// Compares what the ledger says with what is to be written. What this member has written itself, or
    /// what the server has said since, is no disagreement.
    pub(super) fn compare(&mut self, ledger: Option<Budget>) {
        if let Some(own) = self.news() {
            let other = ledger.filter(|&other| other != own && Some(other) != self.written);
            self.disagreement = other.map(|other| Disagreement { other, own });
        }
    }

    pub(super) fn disagreement(&self) -> Option<Disagreement> {
        self.disagreement
    }
}

/// So many percent of what the server gives to anybody. An account's or a database's own limit is nobody
/// else's, so all of it may be used.
fn part(capacity: Capacity, percent: u8) -> usize {
    let open = capacity.max_connections.saturating_sub(capacity.reserved).min(MOST);
    let part = open * usize::from(percent) / 100;
    let quotas = [capacity.account, capacity.database].into_iter().flatten();
    quotas.map(|quota| quota.limit).fold(part, usize::min)
}

#[cfg(test)]
mod tests {
    use pool_core::Quota;

    use super::*;

    #[test]
    fn a_part_of_the_server_is_no_more_than_the_account_and_the_database_may_have() {
        let mut capacity = Capacity::new(100);
        capacity.reserved = 10;
        assert_eq!((part(capacity, 100), part(capacity, 80), part(capacity, 1)), (90, 72, 0));
        capacity.account = Some(Quota::new(40, 7));
        assert_eq!((part(capacity, 80), part(capacity, 30)), (40, 27));
        capacity.database = Some(Quota::new(20, 7));
        assert_eq!(part(capacity, 80), 20);
        assert_eq!(part(Capacity::new(usize::MAX), 100), MOST);
    }
}
