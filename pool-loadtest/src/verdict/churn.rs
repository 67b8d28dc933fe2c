//! Connections that are closed and opened again instead of being kept.

use pool_core::PoolConfig;

use super::{Advice, BUSY, Churned, Evidence, FELT, Finding, Limit};
use crate::words::{counted, grouped, percent, time};

/// So many connections opened again for each operation are many.
const MANY: f64 = 0.05;
/// Many of them cost something if opening takes this share of the time that connections have.
const RELEVANT: f64 = 0.01;
/// Fewer than so many are chance.
const CHANCE: u64 = 20;

impl Evidence {
    /// Connections opened again, which takes a share of their time that is felt, or a relevant
    /// share because there are many of them.
    pub(super) fn churn(&self) -> Option<Finding> {
        let Churned { opened, opening, surplus, lifetime, idle, broken } = self.churned;
        // What was opened once and kept is no churn.
        let again = opened.min(surplus + lifetime + idle + broken);
        let for_each = again as f64 / self.operations.max(1) as f64;
        let took = opening.as_secs_f64() / opened.max(1) as f64;
        let (spent, held) = (took * again as f64, self.held.as_secs_f64());
        let share = spent / (spent + held).max(f64::MIN_POSITIVE);
        let costs = share >= FELT || (share >= RELEVANT && for_each >= MANY);
        if again < CHANCE || !costs {
            return self.missed(again.min(surplus));
        }
        let reasons = [
            (surplus, "as more than max_idle"),
            (lifetime, "for their age (max_lifetime)"),
            (idle, "for being idle (max_idle_time)"),
            (broken, "as broken or found dead"),
        ];
        let closed: Vec<_> = reasons
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, why)| format!("{} {why}", grouped(*count)))
            .collect();
        let summary = format!(
            "connections are not kept: {} were opened for {}, in {} each. Opening them again took \
             {} of the time in which connections were being opened or in use. Closed: {}",
            grouped(opened),
            counted(self.operations, "operation"),
            time(took * 1e6),
            percent(share),
            closed.join(", "),
        );
        let would_change = "less than 10 % of that time spent on opening, and fewer than 5 \
                            connections opened again for 100 operations";
        let most = reasons.iter().map(|(count, _)| *count).max();
        let advice = match most {
            most if most == Some(surplus) => self.keep_idle(),
            most if most == Some(lifetime) => self.live_longer(),
            most if most == Some(idle) => self.idle_longer(),
            _ => None,
        };
        Some(Finding::new(Limit::Churn, summary, would_change).advise(advice))
    }

    /// Connections closed as soon as nobody waits for them, and missed when somebody does: the pool
    /// opens another only for a wait that would last as long as that takes.
    fn missed(&self, surplus: u64) -> Option<Finding> {
        let is_at_once = self.config.max_idle == 0 || self.config.idle_grace.is_zero();
        let waiting = self.waiting();
        // Those that are in use for most of the time are no more than there are to be had.
        let are_missed = is_at_once && waiting >= FELT && self.utilisation < BUSY;
        (are_missed && surplus > self.peak_in_use as u64).then(|| {
            let closed = counted(surplus, "connection");
            let verb = if surplus == 1 { "was" } else { "were" };
            let summary = format!(
                "connections are not kept: {closed} {verb} closed at once when nobody waited, and \
                 missed afterwards: waiting is {} of the response time, though {} of the connections \
                 that there may be are in use on average",
                percent(waiting),
                percent(self.utilisation),
            );
            let would_change = "waiting of less than 10 % of the response time";
            Finding::new(Limit::Churn, summary, would_change).advise(self.keep_idle())
        })
    }

    fn keep_idle(&self) -> Option<Advice> {
        let keep = self.config.max_open.min(self.peak_in_use.max(1));
        let effect = "connections are kept for the next operation; more of them are open at rest";
        (keep > self.config.effective_max_idle())
            .then(|| Advice { field: "max_idle", value: keep.to_string(), effect })
            .or_else(|| self.wait_before_closing())
    }

    /// Enough are kept, but those beyond are closed at once.
    fn wait_before_closing(&self) -> Option<Advice> {
        let default = PoolConfig::default().idle_grace;
        (self.config.idle_grace < default).then(|| Advice {
            field: "idle_grace",
            value: humantime::format_duration(default).to_string(),
            effect: "connections beyond max_idle are closed only once they are not needed again",
        })
    }

    fn live_longer(&self) -> Option<Advice> {
        let default = PoolConfig::default().max_lifetime?;
        let shorter = self.config.max_lifetime.is_some_and(|lifetime| lifetime < default);
        shorter.then(|| Advice {
            field: "max_lifetime",
            value: humantime::format_duration(default).to_string(),
            effect: "connections are opened again far less often; a change of the database's \
                     address is noticed later",
        })
    }

    fn idle_longer(&self) -> Option<Advice> {
        let default = PoolConfig::default().max_idle_time?;
        let shorter = self.config.max_idle_time.is_some_and(|time| time < default);
        shorter.then(|| Advice {
            field: "max_idle_time",
            value: humantime::format_duration(default).to_string(),
            effect: "connections outlive a pause; more of them are open at rest",
        })
    }
}
