//! What is known of a run only after its report was made: what the server counted, and how many
//! connections it has for this pool.

use super::{Limit, Recommendation, Verdict};
use crate::report::{BudgetReport, ServerReport};
use crate::words::counted;

impl Verdict {
    /// Says what the server knows of why operations wait inside it.
    pub(crate) fn heed(&mut self, server: &ServerReport) {
        if self.limit != Limit::Database {
            return;
        }
        if !server.findings.is_empty() {
            let found = server.findings.join("; ");
            self.summary = format!("{}. The server says: {found}", self.summary);
        }
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
    fn what_the_server_says_belongs_to_operations_that_wait_inside_it() {
        let server = ServerReport {
            version: None,
            counters: Vec::new(),
            findings: vec!["operations wait for row locks".to_owned()],
            missing: Vec::new(),
        };
        let summary = |limit| {
            let mut verdict = recommending(limit, "3");
            verdict.heed(&server);
            verdict.summary
        };
        let expected = "why. The server says: operations wait for row locks";
        assert_eq!(summary(Limit::Database), expected);
        assert_eq!(summary(Limit::Idle), "why");
    }
}
