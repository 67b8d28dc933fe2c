//! The server as it shows itself from outside: on a connection that is none of the fleet's.

use std::time::Duration;

use pool_core::{Capacity, ControlHandle, FleetName, Probe, Sessions};
use pool_monitor::adaptive::BudgetSource;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::fleet::Shown;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(200);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Answers that may lie about unread.
const ANSWERS: usize = 16;

/// Asks the server again and again, in a task of its own: it may be slow to answer.
pub(super) struct Watch {
    seen: mpsc::Receiver<Seen>,
    /// Ends with it.
    _asking: JoinSet<()>,
}

/// What the server has answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Nothing if it did not answer, or cannot be asked.
    pub(super) shown: Option<Shown>,
    /// What the fleet may have in sum, as far as that is known.
    pub(super) total: Option<usize>,
}

impl Watch {
    /// Begins to ask. Needs a tokio runtime around it.
    pub(super) fn start(pool: ControlHandle, fleet: FleetName, source: BudgetSource) -> Self {
        let (tell, seen) = mpsc::channel(ANSWERS);
        let mut asker = Asker { pool, fleet, source, probe: None, capacity: None };
        let mut asking = JoinSet::new();
        asking.spawn(async move {
            loop {
                let seen = Seen { shown: asker.look().await, total: asker.total() };
                if tell.send(seen).await.is_err() {
                    return;
                }
                sleep(PAUSE).await;
            }
        });
        Self { seen, _asking: asking }
    }

    /// What the server answers next.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub(super) async fn next(&mut self) -> Seen {
        self.seen.recv().await.expect("bug: asking does not end by itself")
    }
}

struct Asker {
    pool: ControlHandle,
    fleet: FleetName,
    source: BudgetSource,
    probe: Option<Box<dyn Probe>>,
    capacity: Option<Capacity>,
}

impl Asker {
    async fn look(&mut self) -> Option<Shown> {
        let mut probe = match self.probe.take() {
            Some(probe) => probe,
            None => timeout(PATIENCE, self.pool.probe()).await.ok()?.ok()?,
        };
        let asked = async {
            let capacity = probe.capacity().await?.ok()?;
            let of_fleet = match probe.fleet_sessions(&self.fleet).await {
                Some(Ok(Sessions::Shown(shown))) => {
                    Some(shown.iter().map(|(_, count)| count).sum())
                }
                Some(Ok(Sessions::Hidden)) | None => None,
                Some(Err(_)) => return None,
            };
            self.capacity = Some(capacity);
            Some(Shown { sessions: capacity.in_use, of_fleet })
        };
        let shown = timeout(PATIENCE, asked).await.ok()??;
        self.probe = Some(probe);
        Some(shown)
    }

    fn total(&self) -> Option<usize> {
        match self.source {
            BudgetSource::Fixed { total } => Some(total),
            BudgetSource::Server { percent } => {
                self.capacity.map(|capacity| part_of(&capacity, percent))
            }
            _ => None,
        }
    }
}

/// So many percent of what the server gives to anybody, no more than the account or the database may
/// have.
fn part_of(capacity: &Capacity, percent: u8) -> usize {
    let quotas = [capacity.account, capacity.database].into_iter().flatten();
    let all = capacity.max_connections.saturating_sub(capacity.reserved);
    quotas.fold(all * usize::from(percent) / 100, |least, quota| least.min(quota.limit))
}

#[cfg(test)]
mod tests {
    use pool_core::Quota;

    use super::*;

    #[test]
    fn a_percentage_is_of_what_is_not_reserved_and_no_more_than_the_tightest_limit() {
        let mut capacity = Capacity::new(100);
        capacity.reserved = 3;
        assert_eq!((part_of(&capacity, 80), part_of(&capacity, 100)), (77, 97));
        capacity.account = Some(Quota::new(50, 0));
        assert_eq!(part_of(&capacity, 80), 50);
    }
}
