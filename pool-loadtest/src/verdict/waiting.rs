//! Operations that wait for connections which the database could serve.

use super::{Advice, Compared, Evidence, FELT, Finding, Limit, max_open};
use crate::words::{percent, time};

/// An average so many times the median is that of a few.
const HOGGED: f64 = 20.0;

impl Evidence {
    /// Waiting that is felt, while operations take about as long as alone.
    pub(super) fn pool_limited(&self, compared: &Compared) -> Finding {
        let summary = format!(
            "operations wait for connections: {} of these are in use on average, {}, and once it has \
             one an operation takes {}",
            percent(self.utilisation),
            compared.waits(),
            compared.service(),
        );
        let would_change = "waiting of less than 10 % of the response time, or operations that take \
                            twice as long as alone";
        Finding::new(Limit::Pool, summary, would_change).advise(self.more_connections())
    }

    /// A few operations have the connections for most of the time, so that averages say nothing of the
    /// others: how many really work at once cannot be told, nor what another number would do.
    pub(super) fn hogged(&self, compared: &Compared) -> Option<Finding> {
        if compared.waiting < FELT || self.median <= 0.0 || self.service < self.median * HOGGED {
            return None;
        }
        let summary = format!(
            "operations wait for connections that a few of them have for long: half of all have one \
             for {} at most, the average is {}, and {}. Find those that do something else meanwhile, \
             or wait for a lock",
            time(self.median),
            time(self.service),
            compared.waits(),
        );
        let would_change = "operations that give their connection back sooner";
        Some(Finding::new(Limit::Pool, summary, would_change))
    }

    /// More connections for tasks that wait, if there are tasks for them.
    pub(super) fn more_connections(&self) -> Option<Advice> {
        let more = self.tasks.min(self.config.max_open.saturating_mul(2));
        let effect = "waits should fall and throughput rise, until the database is the limit";
        max_open(more, effect).filter(|_| more > self.config.max_open)
    }
}
