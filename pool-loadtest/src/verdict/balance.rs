//! Pools that nothing in particular limits: those in balance, and those with room to spare.

use super::{Evidence, FELT, Finding, Limit, max_open};
use crate::words::percent;

impl Evidence {
    /// Less than half of the connections are in use, and nobody waits; or so few that whoever waits
    /// does not wait for others to give theirs back.
    pub(super) fn idle(&self, waiting: f64) -> Finding {
        let (peak, busy) = (self.peak_in_use.max(1), percent(self.utilisation));
        let (why, would_change) = if waiting < FELT {
            let words = "a higher load: half of the connections in use, or waiting of 10 % of the \
                         response time";
            ("", words)
        } else {
            let words =
                "a higher load: 10 % of the connections in use, or all of them at some time";
            (", but never because all of them were in use", words)
        };
        let summary = format!(
            "the pool has room to spare: {busy} of its connections are in use on average, {peak} \
             at most, and waiting is {} of the response time{why}",
            percent(waiting)
        );
        let effect = "fewer connections to keep; no reserve for a higher peak";
        let fewer = max_open(peak.min(self.config.max_open), effect);
        Finding::new(Limit::Idle, summary, would_change).advise(fewer)
    }

    /// Most connections are in use, and hardly anybody waits.
    pub(super) fn balanced(&self, waiting: f64) -> Finding {
        let (busy, waits) = (percent(self.utilisation), percent(waiting));
        let summary = format!(
            "in balance: {busy} of the connections are in use on average, and waiting is {waits} \
             of the response time"
        );
        let would_change = "a higher load, until waiting is 10 % of the response time; or a lower \
                            one, until half of the connections are idle";
        Finding::new(Limit::Balanced, summary, would_change)
    }
}
