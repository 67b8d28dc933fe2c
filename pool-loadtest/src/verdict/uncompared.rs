//! Runs that nothing is known of to compare with: not what an operation takes alone.

use super::{Evidence, Finding};
use crate::words::percent;

impl Evidence {
    /// Room to spare is seen without a comparison. Whether operations wait for the pool or for the
    /// database is not.
    pub(super) fn uncompared(&self) -> Finding {
        let waiting = self.waiting();
        if self.has_room(waiting) {
            return self.idle(waiting);
        }
        if !self.began_cold {
            let summary = "no operation was done while one task ran alone, so there is nothing to \
                           compare with";
            return Finding::unknown(summary.to_owned(), "operations that succeed alone");
        }
        let summary = format!(
            "{} of the connections are in use on average, and waiting is {} of the response time; \
             whether that is the pool's or the database's doing cannot be told, as the load began \
             cold: nobody timed an operation alone before it",
            percent(self.utilisation),
            percent(waiting),
        );
        Finding::unknown(summary, "a load that does not begin cold")
    }
}
