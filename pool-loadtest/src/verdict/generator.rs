//! A load generator that could not keep up measured itself.

use super::{Evidence, Finding, Limit};

impl Evidence {
    /// A generator that was saturated. Nothing is recommended from its figures.
    pub(super) fn generator(&self) -> Option<Finding> {
        let why = self.saturated.as_ref()?;
        let summary = format!(
            "the load generator could not keep up: {why}. The figures say more of it than of the \
             pool, so nothing is recommended from them"
        );
        let would_change =
            "a generator that keeps up: a lower rate, more cores, or a machine of its own";
        Some(Finding::new(Limit::Generator, summary, would_change))
    }

    /// What was found while the generator could not keep up is told, and nothing is recommended.
    pub(super) fn doubted(&self, mut finding: Finding) -> Finding {
        if let Some(why) = &self.saturated {
            finding.advice = None;
            finding.summary = format!(
                "{}. The load generator could not keep up ({why}), so nothing is recommended",
                finding.summary
            );
        }
        finding
    }
}
