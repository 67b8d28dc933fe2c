//! What is known of a run only after its report was made: what befell the server, what it counted, and
//! how many connections it has for this pool.

use std::time::Duration;

use super::{Limit, Recommendation, Verdict};
use crate::report::{BudgetReport, IncidentReport, ServerReport};
use crate::server::write_lock;
use crate::words::{counted, percent, time};

/// This share of the time that operations have connections is most of it.
const MOST: f64 = 0.5;

impl Verdict {
    /// Figures of a run in which something befell the server are of it more than of the pool: what failed
    /// or is gone is certain all the same, but nothing is recommended.
    pub(crate) fn heed_incidents(&mut self, incidents: &[IncidentReport]) {
        let Some(first) = incidents.iter().find(|incident| incident.befell()) else { return };
        self.recommendation = None;
        if matches!(self.limit, Limit::Failing | Limit::Leak | Limit::Generator | Limit::Unknown) {
            return;
        }
        self.limit = Limit::Unknown;
        self.summary = format!(
            "{} during the run, so its waits and times say little of the pool's settings",
            first.what
        );
        "a run in which nothing befalls the server".clone_into(&mut self.would_change);
    }

    /// Says what the server knows of why operations wait inside it, or keep connections that others
    /// wait for. They had them for so long, in sum.
    pub(crate) fn heed(&mut self, server: &ServerReport, held: Duration) {
        if self.blames_the_write_lock(server, held) {
            return;
        }
        if matches!(self.limit, Limit::Database | Limit::Pool) && !server.findings.is_empty() {
            let found = server.findings.join("; ");
            self.summary = format!("{}. The database says: {found}", self.summary);
        }
    }

    /// Operations that have connections and mostly wait for SQLite's write lock seem to be slow, or to
    /// have connections for long, and more of these would not help them. That is measured, not
    /// guessed, so it goes before what was concluded.
    fn blames_the_write_lock(&mut self, server: &ServerReport, held: Duration) -> bool {
        let Some((waits, waited)) = write_lock(server) else { return false };
        let share = waited.as_secs_f64() / held.as_secs_f64().max(f64::MIN_POSITIVE);
        let is_inferred =
            matches!(self.limit, Limit::Pool | Limit::Database | Limit::Balanced | Limit::Idle);
        if share < MOST || !is_inferred {
            return false;
        }
        if self.limit == Limit::Pool {
            // It can only have been more connections.
            self.recommendation = None;
        }
        self.limit = Limit::Database;
        self.summary = format!(
            "operations wait for SQLite's write lock: {} of the time that they have connections, \
             in {}, {} in sum. One connection writes at a time, so more of them do not help those \
             that write. Fewer or shorter transactions do, or a pool of one connection for them \
             beside one for readers",
            percent(share.min(1.0)),
            counted(waits, "wait"),
            time(waited.as_secs_f64() * 1e6),
        );
        "less than half of that time spent on waiting for the lock"
            .clone_into(&mut self.would_change);
        true
    }

    /// Cuts what is recommended to what fits the server, and says so.
    pub(crate) fn fit(&mut self, budget: &BudgetReport) {
        let most = budget.max_open_each;
        let Some(Recommendation { field, value, .. }) = &mut self.recommendation else { return };
        if field != "max_open" {
            return;
        }
        let Some(wanted) = value.parse::<usize>().ok().filter(|wanted| *wanted > most) else {
            return;
        };
        let room = if most == 0 { "no room".to_owned() } else { format!("room for {most} only") };
        self.summary = format!(
            "{}. max_open = {wanted} would be recommended, but {} leaves {room} in each of {}",
            self.summary,
            budget.limited_by,
            counted((budget.replicas + budget.surge) as u64, "replica"),
        );
        let present = budget.max_open.unwrap_or(usize::MAX);
        let is_more = wanted > present;
        if most == 0 || (is_more && most <= present) {
            // Either not even one fits, or there is nothing to gain.
            self.recommendation = None;
        } else {
            *value = most.to_string();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ServerCounter;

    /// A verdict that recommends so many connections.
    fn recommending(limit: Limit, max_open: &str) -> Verdict {
        let recommendation = Recommendation {
            field: "max_open".to_owned(),
            value: max_open.to_owned(),
            effect: "so".to_owned(),
        };
        Verdict {
            limit,
            summary: "why".to_owned(),
            would_change: "what".to_owned(),
            recommendation: Some(recommendation),
        }
    }

    fn budget(max_open_each: usize, max_open: usize) -> BudgetReport {
        BudgetReport {
            limit: 100,
            limited_by: "max_connections".to_owned(),
            reserved: 3,
            others: 0,
            replicas: 4,
            surge: 0,
            max_open_each,
            max_open: Some(max_open),
            fits: max_open <= max_open_each,
            detail: String::new(),
        }
    }

    #[test]
    fn more_connections_than_fit_are_not_recommended() {
        let recommended = |wanted, each, present| {
            let mut verdict = recommending(Limit::Pool, wanted);
            verdict.fit(&budget(each, present));
            (verdict.recommendation.map(|it| it.value), verdict.summary)
        };
        assert_eq!(recommended("20", 24, 10), (Some("20".to_owned()), "why".to_owned()));
        let expected = "why. max_open = 20 would be recommended, but max_connections leaves room for \
                        15 only in each of 4 replicas";
        assert_eq!(recommended("20", 15, 10), (Some("15".to_owned()), expected.to_owned()));
        assert_eq!(recommended("20", 10, 10).0, None, "they have as many already");
        assert_eq!(recommended("20", 15, 40).0, Some("15".to_owned()), "fewer, but fewer still");
        let (none, why) = recommended("20", 0, 10);
        assert_eq!(none, None);
        assert!(why.contains("max_connections leaves no room in each of 4 replicas"), "{why}");
    }

    #[test]
    fn what_befell_the_server_is_no_reason_for_another_size() {
        let incident = IncidentReport {
            at_seconds: 2.0,
            what: "the server was killed".to_owned(),
            until_seconds: None,
            undone: None,
            failed: 0,
            recovered_after_seconds: None,
            problem: None,
        };
        let heeding = |limit, incidents: &[IncidentReport]| {
            let mut verdict = recommending(limit, "20");
            verdict.heed_incidents(incidents);
            verdict
        };
        assert_eq!(heeding(Limit::Pool, &[]), recommending(Limit::Pool, "20"));
        let pool = heeding(Limit::Pool, std::slice::from_ref(&incident));
        assert_eq!((pool.limit, &pool.recommendation), (Limit::Unknown, &None));
        assert!(
            pool.summary.starts_with("the server was killed during the run"),
            "{}",
            pool.summary
        );
        let nothing =
            IncidentReport { what: IncidentReport::NOTHING.to_owned(), ..incident.clone() };
        assert_eq!(heeding(Limit::Pool, &[nothing]), recommending(Limit::Pool, "20"));
        let failing = heeding(Limit::Failing, &[incident]);
        assert_eq!((failing.limit, &*failing.summary), (Limit::Failing, "why"));
        assert_eq!(failing.recommendation, None);
    }

    #[test]
    fn what_the_server_says_belongs_to_operations_that_wait_inside_it() {
        let server = ServerReport {
            version: None,
            counters: Vec::new(),
            findings: vec!["operations wait for row locks".to_owned()],
            missing: Vec::new(),
        };
        let summary = |limit| {
            let mut verdict = recommending(limit, "3");
            verdict.heed(&server, Duration::from_secs(10));
            verdict.summary
        };
        let expected = "why. The database says: operations wait for row locks";
        assert_eq!(summary(Limit::Database), expected);
        assert_eq!(summary(Limit::Pool), expected, "whoever waits for a lock keeps a connection");
        assert_eq!(summary(Limit::Idle), "why");
    }

    #[test]
    fn operations_that_mostly_wait_for_the_write_lock_are_limited_by_it_and_others_are_not() {
        let counter = |name: &str, value, unit: &str| ServerCounter {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
        };
        let server = ServerReport {
            version: None,
            counters: vec![
                counter("waits for the write lock", 1_234.0, "waits"),
                counter("time waiting for the write lock", 7_700.0, "ms"),
            ],
            findings: vec!["operations wait for the write lock".to_owned()],
            missing: Vec::new(),
        };
        let heeding = |limit, held| {
            let mut verdict = recommending(limit, "20");
            verdict.heed(&server, Duration::from_secs(held));
            verdict
        };
        let pool = heeding(Limit::Pool, 10);
        assert_eq!((pool.limit, &pool.recommendation), (Limit::Database, &None));
        let expected = "operations wait for SQLite's write lock: 77 % of the time that they have \
                        connections, in 1 234 waits, 7.70 s in sum. One connection writes at a time, so";
        assert!(pool.summary.starts_with(expected), "{}", pool.summary);
        let slow = heeding(Limit::Database, 10);
        assert_eq!((slow.limit, &*slow.summary), (Limit::Database, &*pool.summary));
        assert!(slow.recommendation.is_some(), "fewer connections");
        for limit in [Limit::Failing, Limit::Leak, Limit::Generator, Limit::Churn, Limit::Unknown] {
            assert_eq!(heeding(limit, 10), recommending(limit, "20"));
        }
        let less = heeding(Limit::Pool, 16);
        assert_eq!((less.limit, less.recommendation.is_some()), (Limit::Pool, true));
        assert_eq!(less.summary, "why. The database says: operations wait for the write lock");
    }
}
