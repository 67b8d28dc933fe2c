//! What limited a run, in plain words, and what to set.
//!
//! A verdict from one run is a hint; measuring several settings is not here.

use pool_core::PoolConfig;
use serde::Serialize;

/// A pool that is in use for less than this share of its capacity has connections to spare.
const BUSY: f64 = 0.5;
/// A wait of at least this share of the whole response is felt.
const FELT: f64 = 0.1;
/// An operation that takes this much longer in company than alone is slowed down by the company.
const SLOWED: f64 = 2.0;

/// What limited a run, and what to set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Verdict {
    /// What limited it.
    pub limit: Limit,
    /// Why, in plain words.
    pub summary: String,
    /// What to set, if anything.
    pub recommendation: Option<Recommendation>,
}

/// What limits a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// Tasks wait for connections that the database could serve.
    Pool,
    /// Connections wait for the database.
    Database,
    /// Nothing: there is room to spare.
    Idle,
    /// Too little was done to tell.
    Unknown,
}

/// A setting to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Recommendation {
    /// The field of the pool's settings.
    pub field: &'static str,
    /// Its value.
    pub value: usize,
}

/// What a verdict is made from. Times are averages in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    pub(crate) tasks: usize,
    pub(crate) max_open: usize,
    /// Operations per second.
    pub(crate) throughput: f64,
    pub(crate) wait: f64,
    pub(crate) service: f64,
    /// An operation while one task ran alone.
    pub(crate) alone: Option<f64>,
    /// Average share of the connections in use, 0 to 1.
    pub(crate) utilisation: f64,
    pub(crate) peak_in_use: usize,
}

impl Verdict {
    /// Judges a run.
    ///
    /// Operations that take at least twice as long in company as alone wait inside the database,
    /// and more connections would only make them wait longer. By Little's law, throughput times the
    /// time an operation takes alone is the number of connections that really work at once.
    pub(crate) fn of(evidence: &Evidence) -> Self {
        let Evidence { tasks, max_open, throughput, wait, service, utilisation, .. } = *evidence;
        let Some(alone) = evidence.alone.filter(|alone| *alone > 0.0 && throughput > 0.0) else {
            let summary = "too little was done to tell what limits it".to_owned();
            return Self { limit: Limit::Unknown, summary, recommendation: None };
        };
        let slowdown = service / alone;
        let at_work = throughput * alone / 1e6;
        let waiting = wait / (wait + service).max(f64::MIN_POSITIVE);
        let (busy, waits) = (percent(utilisation), percent(waiting));
        if utilisation < BUSY && waiting < FELT {
            let peak = evidence.peak_in_use.max(1);
            let summary = format!(
                "the pool has room to spare: {busy} of its connections are in use on average, \
                 {peak} at most, and waiting is {waits} of the response time"
            );
            return Self::with(Limit::Idle, summary, peak, max_open);
        }
        if slowdown >= SLOWED {
            // One more than work at once, so that the next is ready when one is done.
            let enough = (at_work.ceil() as usize + 1).min(max_open);
            let summary = format!(
                "connections wait inside the database: an operation takes {slowdown:.1} times as \
                 long as alone. All that was done amounts to {at_work:.1} connections at work \
                 without a pause; more of them only move the wait into the database"
            );
            return Self::with(Limit::Database, summary, enough, max_open);
        }
        if waiting >= FELT {
            let more = tasks.min(max_open.saturating_mul(2));
            let summary = format!(
                "tasks wait for connections: {busy} of these are in use on average, waiting is \
                 {waits} of the response time, and an operation takes only {slowdown:.1} times as \
                 long as alone"
            );
            return Self::with(Limit::Pool, summary, more, max_open);
        }
        let summary = format!(
            "in balance: {busy} of the connections are in use on average, and waiting is {waits} of \
             the response time"
        );
        Self { limit: Limit::Idle, summary, recommendation: None }
    }

    fn with(limit: Limit, summary: String, value: usize, present: usize) -> Self {
        let differs = value != present && value < PoolConfig::UNLIMITED;
        let recommendation = differs.then_some(Recommendation { field: "max_open", value });
        Self { limit, summary, recommendation }
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty tasks over ten connections, each operation 1 ms, alone and in company.
    const BUSY_POOL: Evidence = Evidence {
        tasks: 20,
        max_open: 10,
        throughput: 10_000.0,
        wait: 1_000.0,
        service: 1_000.0,
        alone: Some(1_000.0),
        utilisation: 1.0,
        peak_in_use: 10,
    };

    fn judged(evidence: Evidence) -> (Limit, Option<usize>) {
        let verdict = Verdict::of(&evidence);
        (verdict.limit, verdict.recommendation.map(|it| it.value))
    }

    #[test]
    fn tasks_that_wait_for_a_database_with_time_to_spare_want_more_connections() {
        assert_eq!(judged(BUSY_POOL), (Limit::Pool, Some(20)));
        assert_eq!(judged(Evidence { tasks: 13, ..BUSY_POOL }), (Limit::Pool, Some(13)));
        assert_eq!(judged(Evidence { tasks: 1_000, ..BUSY_POOL }), (Limit::Pool, Some(20)));
    }

    #[test]
    fn a_database_that_is_slower_in_company_wants_no_more_than_work_at_once() {
        // Ten at a time take 5 ms each where one alone takes 1 ms: two work at once.
        let slowed = Evidence { throughput: 2_000.0, service: 5_000.0, ..BUSY_POOL };
        assert_eq!(judged(slowed), (Limit::Database, Some(3)));
        let enough = Evidence { max_open: 3, ..slowed };
        assert_eq!(judged(enough), (Limit::Database, None), "it has that many");
    }

    #[test]
    fn a_pool_with_room_to_spare_wants_what_it_used_at_most() {
        let spare = Evidence {
            wait: 1.0,
            utilisation: 0.2,
            peak_in_use: 4,
            throughput: 2_000.0,
            ..BUSY_POOL
        };
        assert_eq!(judged(spare), (Limit::Idle, Some(4)));
    }

    #[test]
    fn a_busy_pool_nobody_waits_for_is_left_as_it_is() {
        assert_eq!(judged(Evidence { wait: 1.0, ..BUSY_POOL }), (Limit::Idle, None));
    }

    #[test]
    fn without_operations_or_without_a_comparison_nothing_is_claimed() {
        for nothing in [
            Evidence { throughput: 0.0, ..BUSY_POOL },
            Evidence { alone: None, ..BUSY_POOL },
            Evidence { alone: Some(0.0), ..BUSY_POOL },
        ] {
            assert_eq!(judged(nothing), (Limit::Unknown, None));
        }
    }

    #[test]
    fn an_unlimited_pool_is_never_told_to_be_unlimited() {
        let unlimited = Evidence { max_open: PoolConfig::UNLIMITED, ..BUSY_POOL };
        assert_eq!(judged(unlimited), (Limit::Pool, Some(20)));
    }
}
