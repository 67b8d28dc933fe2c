//! What can be wrong with an SQL file, each with its place and how to mend it.

use std::fmt;
use std::sync::Arc;

use pool_core::nearest;

use super::scanner::Position;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    at: Position,
    why: String,
    allowed: String,
    nearest: Option<String>,
}

impl Problem {
    pub(super) fn new(at: Position, why: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { at, why: why.into(), allowed: allowed.into(), nearest: None }
    }

    /// A name that is none of `allowed`.
    pub(super) fn unknown<'a>(
        at: Position,
        what: &str,
        name: &str,
        allowed: impl Iterator<Item = &'a str> + Clone,
    ) -> Self {
        let nearest = nearest(name, allowed.clone()).map(str::to_owned);
        let allowed = allowed.collect::<Vec<_>>().join(", ");
        Self { nearest, ..Self::new(at, format!("{what} {name:?} is unknown"), allowed) }
    }

    /// A name that is nearly one that has a meaning.
    pub(super) fn nearly(at: Position, name: &str, nearest: &str, allowed: &str) -> Self {
        let nearest = Some(nearest.to_owned());
        Self { nearest, ..Self::new(at, format!("{name:?} has no meaning"), allowed) }
    }
}

/// Everything that is wrong with an SQL file.
#[derive(Debug)]
pub(crate) struct SqlFileError {
    file: Arc<str>,
    problems: Vec<Problem>,
}

impl SqlFileError {
    /// Of at least one problem, in the order of their places.
    pub(super) fn new(file: &Arc<str>, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.at.line, problem.at.column));
        Self { file: Arc::clone(file), problems }
    }
}

impl fmt::Display for SqlFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, count) = (&self.file, self.problems.len());
        let s = if count == 1 { "" } else { "s" };
        write!(f, "{file} is no workload ({count} problem{s})")?;
        for Problem { at: Position { line, column }, why, allowed, nearest } in &self.problems {
            write!(f, "\n  {file}:{line}:{column}: {why}")?;
            if !allowed.is_empty() {
                write!(f, "; allowed: {allowed}")?;
            }
            if let Some(nearest) = nearest {
                write!(f, "; did you mean {nearest:?}?")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for SqlFileError {}
