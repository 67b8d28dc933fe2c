//! What befell the server during a run, and what a scenario was to show.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use crate::words::{counted, time};

/// Something that was done to the server under load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct IncidentReport {
    /// When, in seconds since the load began.
    pub at_seconds: f64,
    /// What, in plain words: `the server was killed`.
    pub what: String,
    /// When it was undone, in seconds since the load began; `None` if it could not be.
    pub until_seconds: Option<f64>,
    /// The same in plain words: `it was back`.
    pub undone: Option<String>,
    /// Operations that failed from then on until one succeeded after it was undone, or until the end.
    pub failed: u64,
    /// From when it was undone to the next operation that succeeded, in seconds; `None` if none did,
    /// or if operations went on meanwhile.
    pub recovered_after_seconds: Option<f64>,
    /// Why it could not be done, or not be undone.
    pub problem: Option<String>,
}

#[cfg(feature = "cli")]
impl IncidentReport {
    /// What it says where it could not be done.
    pub(crate) const NOTHING: &str = "nothing befell the server";

    /// Whether anything befell the server.
    pub(crate) fn befell(&self) -> bool {
        self.what != Self::NOTHING
    }
}

/// What happened, without the time at which it began.
impl Display for IncidentReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let (Some(at), Some(undone)) = (self.until_seconds, &self.undone) {
            write!(f, "; at {at:.1} s {undone}")?;
        }
        write!(f, "; {} failed", counted(self.failed, "operation"))?;
        if let Some(seconds) = self.recovered_after_seconds {
            write!(f, ", and the next success came {} it was over", after(seconds))?;
        }
        match &self.problem {
            Some(problem) => write!(f, "; {problem}"),
            None => Ok(()),
        }
    }
}

/// How long after something.
pub(crate) fn after(seconds: f64) -> String {
    if seconds < 1e-3 { "as soon as".to_owned() } else { format!("{} after", time(seconds * 1e6)) }
}

/// What a scenario was to show, and whether it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Aftermath {
    /// What was to be expected.
    pub expected: String,
    /// Whether it was seen; `None` if the run does not tell.
    pub seen: Option<bool>,
    /// What was seen.
    pub detail: String,
}

impl Aftermath {
    /// Whether it was seen, in words.
    pub(crate) fn verdict(&self) -> &'static str {
        match self.seen {
            Some(true) => "seen",
            Some(false) => "NOT seen",
            None => "not known",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn killed() -> IncidentReport {
        IncidentReport {
            at_seconds: 3.0,
            what: "the server was killed".to_owned(),
            until_seconds: Some(4.04),
            undone: Some("it was back".to_owned()),
            failed: 412,
            recovered_after_seconds: Some(0.3),
            problem: None,
        }
    }

    #[test]
    fn an_incident_is_told_with_what_it_cost_and_how_soon_all_was_well_again() {
        let expected = "the server was killed; at 4.0 s it was back; 412 operations failed, and the \
                        next success came 300 ms after it was over";
        assert_eq!(killed().to_string(), expected);
    }

    #[test]
    fn an_incident_that_was_never_over_says_why() {
        let problem = Some("it cannot be started again: no port".to_owned());
        let (until_seconds, undone, recovered_after_seconds) = (None, None, None);
        let lost =
            IncidentReport { until_seconds, undone, recovered_after_seconds, problem, ..killed() };
        let expected =
            "the server was killed; 412 operations failed; it cannot be started again: no port";
        assert_eq!(lost.to_string(), expected);
    }
}
