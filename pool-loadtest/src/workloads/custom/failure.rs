//! A statement of the file failed: which, and in the database's words why.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::workload::StepError;

/// Failures of one line with one code of the database are of one kind, however their words differ.
#[derive(Debug)]
pub(super) struct LineFailed {
    pub(super) file: Arc<str>,
    pub(super) line: usize,
    /// The database's own code, if it said one.
    pub(super) code: Option<String>,
    pub(super) source: StepError,
}

impl fmt::Display for LineFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, code, source } = self;
        match code {
            Some(code) => write!(f, "line {line} of {file} failed (code {code})"),
            None => write!(f, "line {line} of {file} failed: {source}"),
        }
    }
}

impl Error for LineFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.code {
            Some(_) => Some(&*self.source),
            // It has spoken already.
            None => self.source.source(),
        }
    }
}
