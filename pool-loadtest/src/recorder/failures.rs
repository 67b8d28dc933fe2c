//! What failed, in groups whose number is bounded.

use std::collections::BTreeMap;
use std::error::Error;

use pool_core::{AcquireError, AcquireErrorKind, AcquirePhase};

/// Kinds of failures told apart; further ones count as one.
const ERROR_KINDS: usize = 20;

/// Why an acquire failed, and what it was waiting for.
pub(crate) type AcquireCause = (AcquireErrorKind, AcquirePhase);

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) count: u64,
    /// The first of them with its causes.
    pub(crate) first: String,
    /// If it was the acquire that failed: why.
    pub(crate) acquire: Option<AcquireCause>,
}

/// A failed operation.
pub(crate) struct Failure {
    /// What groups failures whose words differ only in figures.
    kind: String,
    in_full: String,
    acquire: Option<AcquireCause>,
}

impl Failure {
    /// The acquire failed.
    pub(crate) fn acquire(error: &AcquireError) -> Self {
        let cause = (error.kind(), error.details().phase);
        Self { kind: words(error), in_full: in_full(error), acquire: Some(cause) }
    }

    /// The work failed.
    pub(crate) fn step(error: &(dyn Error + 'static)) -> Self {
        Self { kind: error.to_string(), in_full: in_full(error), acquire: None }
    }
}

/// Operations that failed, by the words they have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures(pub(crate) BTreeMap<String, Group>);

impl Failures {
    pub(crate) fn record(&mut self, failure: Failure) {
        let Failure { kind, in_full, acquire } = failure;
        let is_known = self.0.contains_key(&kind) || self.0.len() < ERROR_KINDS;
        let (kind, acquire) =
            if is_known { (kind, acquire) } else { ("other errors".to_owned(), None) };
        let first = || Group { count: 0, first: in_full, acquire };
        self.0.entry(kind).or_insert_with(first).count += 1;
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.values().map(|group| group.count).sum()
    }
}

/// What failed acquires have in common.
fn words(error: &AcquireError) -> String {
    match error.kind() {
        AcquireErrorKind::Timeout => format!("acquire timed out {}", error.details().phase),
        AcquireErrorKind::QueueFull => "acquire refused: too many waiting".to_owned(),
        AcquireErrorKind::Closed => "acquire refused: the pool is closed".to_owned(),
        AcquireErrorKind::ConnectFailed => "acquire failed: no connection can be opened".to_owned(),
        _ => "acquire failed".to_owned(),
    }
}

/// An error and its causes.
pub(crate) fn in_full(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_grouped_by_kind_and_kinds_are_bounded() {
        let mut failures = Failures::default();
        for number in 0..100_usize {
            let error = std::io::Error::other(format!("number {number}"));
            let kind = format!("kind {:02}", number % 50);
            failures.record(Failure { kind, ..Failure::step(&error) });
        }
        assert_eq!((failures.0.len(), failures.count()), (ERROR_KINDS + 1, 100));
        let first = Group { count: 2, first: "number 7".to_owned(), acquire: None };
        assert_eq!(failures.0["kind 07"], first);
        assert_eq!(failures.0["other errors"].count, 60);
    }
}
