//! Operations that wait for each other inside the database, or for a processor.

use super::{Compared, Evidence, Finding, Limit, max_open};
use crate::words::counted;

impl Evidence {
    /// Operations that take at least twice as long in company as alone wait inside the database or
    /// for a core, and more connections would only make them wait longer. By Little's law,
    /// throughput times the time an operation takes alone is the number of connections that really
    /// work at once.
    pub(super) fn database_limited(&self, compared: &Compared) -> Finding {
        let at_work = ((self.throughput * compared.alone / 1e6).ceil() as usize).max(1);
        let (connections, cores) = (counted(at_work as u64, "connection"), self.cores);
        let summary = format!(
            "operations wait in the database or for a core (this machine has {cores}): one takes \
             {:.1} times as long as alone. {connections} at work without a pause could have done \
             all of it; the others wait for each other",
            compared.slowdown
        );
        // One more than work at once, so that the next is ready when one is done.
        let enough = (at_work + 1).min(self.config.max_open);
        let effect = "p99 should fall; throughput may fall too";
        let would_change = "operations that take less than twice as long in company as alone";
        Finding::new(Limit::Database, summary, would_change).advise(max_open(enough, effect))
    }
}
