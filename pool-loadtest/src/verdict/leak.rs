//! Connections that are out and do not come back.

use super::{Evidence, Finding, Limit};
use crate::words::{counted, percent};

/// Connections in use for this share of the time are never idle.
const ALWAYS: f64 = 0.95;

impl Evidence {
    /// Connections that nobody gave back, or that were all out while no operation had one.
    pub(super) fn leak(&self) -> Option<Finding> {
        let would_change = "every connection given back once its work is done";
        if self.left_out > 0 {
            let out = counted(self.left_out as u64, "connection");
            let verb = if self.left_out == 1 { "was" } else { "were" };
            let who = match &self.holders[..] {
                [] => String::new(),
                holders => format!(": {}", holders.join("; ")),
            };
            let summary = format!(
                "{out} {verb} not given back after the last operation{who}. Look for a guard that \
                 is kept, or forgotten"
            );
            return Some(Finding::new(Limit::Leak, summary, would_change));
        }
        // Operations that were dropped at work had them: it is the database that does not answer.
        let nobody_works = self.operations == 0 && self.dropped == 0 && self.nested == 0;
        let all_out = self.peak_in_use >= self.config.max_open && self.utilisation >= ALWAYS;
        (nobody_works && all_out && self.unserved > 0).then(|| {
            let (most, busy) = (self.config.max_open as u64, percent(self.utilisation));
            let summary = format!(
                "not one operation was done, and {busy} of {} were in use on average: whoever has \
                 them keeps them. {} got none",
                counted(most, "connection"),
                counted(self.unserved, "acquire"),
            );
            Finding::new(Limit::Leak, summary, would_change)
        })
    }
}
