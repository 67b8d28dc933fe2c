//! Operations that fail: what fails most, and whether a setting helps.

use pool_core::{AcquireErrorKind, AcquirePhase};

use super::{Advice, Evidence, Finding, Limit, SLOWED, max_open};
use crate::words::{counted, grouped, percent};

/// More failures than this share of all operations are what is wrong.
const FAILING: f64 = 0.01;
/// So many acquires beyond its own for an operation are made by operations that have one already.
const NESTED: f64 = 0.05;

impl Evidence {
    /// Operations that fail, or work that was lost or done twice. That operations failed is no excuse
    /// for the latter.
    pub(super) fn failing(&self) -> Option<Finding> {
        let attempts = self.operations + self.errors;
        let fails = self.errors as f64 > attempts as f64 * FAILING;
        let failed = fails.then(|| self.what_failed(attempts));
        if let Some(broken) = &self.broken {
            let besides = failed.map_or_else(String::new, |failed| format!(" {failed}."));
            let summary = format!(
                "the invariant did not hold: {broken}.{besides} No setting of the pool mends that, \
                 and no error excuses it"
            );
            return Some(Finding::new(Limit::Failing, summary, "an invariant that holds"));
        }
        if let Some(deadlock) = self.deadlock(fails) {
            return Some(deadlock);
        }
        let advice = if self.is_nested() { None } else { self.mending() };
        let would_change = "at most one failure in a hundred operations";
        failed.map(|failed| Finding::new(Limit::Failing, failed, would_change).advise(advice))
    }

    fn what_failed(&self, attempts: u64) -> String {
        let share = percent(self.errors as f64 / attempts as f64);
        let (errors, all) = (grouped(self.errors), counted(attempts, "operation"));
        let failed = format!("{errors} of {all} failed ({share})");
        let Some(most) = &self.most_errors else { return failed };
        format!("{failed}; {} of these: {}", grouped(most.count), most.kind)
    }

    /// Operations that hold a connection and wait for another, all of them being held so. More time
    /// only makes them wait for longer.
    fn deadlock(&self, fails: bool) -> Option<Finding> {
        let full = self.peak_in_use >= self.config.max_open;
        let stuck = fails || self.operations == 0;
        if !(self.is_nested() && full && stuck && self.unserved > 0) {
            return None;
        }
        let most = counted(self.config.max_open as u64, "connection");
        let summary = format!(
            "operations that have a connection wait for another, and all of {most} were held so at \
             some time: {} got none. {} within operations, beside one for each. Take one connection \
             for an operation and pass it on; more time to wait does not help",
            counted(self.unserved, "acquire"),
            if self.nested == 1 {
                "1 acquire was made".to_owned()
            } else {
                format!("{} acquires were made", grouped(self.nested))
            },
        );
        let effect = "enough for each task to have one and one task to have two, so that they cannot \
                      wait for each other for ever; one connection for each operation needs fewer";
        let enough = max_open(self.tasks.saturating_add(1), effect);
        let enough = enough.filter(|_| self.tasks >= self.config.max_open);
        let would_change = "one connection for each operation";
        Some(Finding::new(Limit::Failing, summary, would_change).advise(enough))
    }

    /// Whether operations acquire connections beside their own.
    fn is_nested(&self) -> bool {
        // As many as there are tasks may have begun before the count did.
        let attempts = self.operations + self.errors;
        let chance = self.tasks as u64;
        self.nested > 0
            && self.nested as f64 > (attempts as f64 * NESTED)
            && (self.nested > chance || attempts <= chance)
    }

    /// The setting that helps against what fails most, if one does.
    fn mending(&self) -> Option<Advice> {
        match self.most_errors.as_ref()?.acquire? {
            (AcquireErrorKind::QueueFull, _) => Some(Advice {
                field: "max_waiters",
                value: self.tasks.to_string(),
                effect: "acquires wait for their turn instead of being refused",
            }),
            // Without one operation done, whoever holds the connections does not give them back.
            (AcquireErrorKind::Timeout, AcquirePhase::Queued) if self.operations > 0 => {
                let slowed = self.alone.is_some_and(|alone| self.service >= SLOWED * alone);
                let more = self.more_connections().filter(|_| !slowed);
                more.or_else(|| self.more_time())
            }
            _ => None,
        }
    }

    fn more_time(&self) -> Option<Advice> {
        let timeout = self.config.acquire_timeout.checked_mul(2)?;
        let value = humantime::format_duration(timeout).to_string();
        let effect = "fewer acquires time out; they wait longer instead";
        Some(Advice { field: "acquire_timeout", value, effect })
    }
}
