//! What a member tells the process that started it: a line of JSON at a time.

use pool_core::ShareState;
use serde::{Deserialize, Serialize};

/// A line of a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// How it is, several times a second.
    Now(Moment),
    /// What came of it, when it has left.
    Done(Done),
}

/// How a member is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moment {
    /// Connections of its pool.
    pub(crate) open: usize,
    pub(crate) in_use: usize,
    pub(crate) waiting: usize,
    /// What the fleet lets it have.
    pub(crate) granted: usize,
    /// How its share stands; nothing before it has asked for one.
    pub(crate) state: Option<String>,
    /// Why, in words.
    pub(crate) reason: String,
    /// What its tuner would have.
    pub(crate) recommended: Option<usize>,
    /// Whether that is in force.
    pub(crate) is_tuned: bool,
    /// So far.
    pub(crate) operations: u64,
    pub(crate) errors: u64,
    /// Connects that the server refused because it has too many connections.
    pub(crate) refused: u64,
    /// Connects that failed otherwise.
    pub(crate) connects_failed: u64,
    /// Why the first connect failed.
    pub(crate) connect_failure: Option<String>,
}

/// What came of a member.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) operations: u64,
    pub(crate) errors: u64,
    /// How long its load lasted.
    pub(crate) seconds: f64,
    /// In microseconds.
    pub(crate) response_p50: Option<f64>,
    pub(crate) response_p99: Option<f64>,
    /// Connections that it had not given back when it ended.
    pub(crate) held: usize,
    /// What went wrong beside operations that failed.
    pub(crate) warnings: Vec<String>,
}

impl Said {
    /// Reads a line.
    ///
    /// # Errors
    ///
    /// It is none of a member.
    pub(crate) fn read(line: &str) -> serde_json::Result<Self> {
        serde_json::from_str(line)
    }

    /// The line, without its end.
    pub(crate) fn line(&self) -> String {
        serde_json::to_string(self).expect("bug: all of it can be written")
    }
}

impl Moment {
    /// Whether it may open what was granted.
    pub(crate) fn is_granted(&self) -> bool {
        self.state.as_deref() == Some(ShareState::Granted.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_member_says_is_read_as_it_was_said_in_one_line() {
        let reason = "granted 4\nof 20".to_owned();
        let state = Some("granted".to_owned());
        let now = Said::Now(Moment { open: 3, granted: 4, state, reason, ..Moment::default() });
        let done = Said::Done(Done { seconds: 0.1, response_p99: Some(7.5), ..Done::default() });
        for said in [now, done] {
            let line = said.line();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(Said::read(&line).expect("its own"), said);
        }
    }

    #[test]
    fn a_line_that_is_no_members_is_refused() {
        for line in ["", "{}", "{\"now\":{\"open\":-1}}", "thread 'main' panicked"] {
            Said::read(line).expect_err(line);
        }
    }

    #[test]
    fn who_has_not_asked_for_a_share_yet_or_waits_for_one_has_none() {
        let of = |state: Option<&str>| {
            Moment { state: state.map(str::to_owned), ..Moment::default() }.is_granted()
        };
        assert_eq!([of(None), of(Some("pending")), of(Some("granted"))], [false, false, true]);
    }
}
