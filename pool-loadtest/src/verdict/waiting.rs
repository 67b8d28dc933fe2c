//! Tasks that wait for connections which the database could serve.

use super::{Advice, Compared, Evidence, Finding, Limit, max_open};
use crate::words::percent;

impl Evidence {
    /// Waiting that is felt, while operations take about as long as alone.
    pub(super) fn pool_limited(&self, compared: &Compared) -> Finding {
        let summary = format!(
            "tasks wait for connections: {} of these are in use on average, {}, and once it has a \
             connection an operation takes {}",
            percent(self.utilisation),
            compared.waits(),
            compared.service(),
        );
        let would_change = "waiting of less than 10 % of the response time, or operations that take \
                            twice as long as alone";
        Finding::new(Limit::Pool, summary, would_change).advise(self.more_connections())
    }

    /// More connections for tasks that wait, if there are tasks for them.
    pub(super) fn more_connections(&self) -> Option<Advice> {
        let more = self.tasks.min(self.config.max_open.saturating_mul(2));
        let effect = "waits should fall and throughput rise, until the database is the limit";
        max_open(more, effect).filter(|_| more > self.config.max_open)
    }
}
