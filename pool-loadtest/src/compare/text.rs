//! A comparison as text for people.

use std::fmt::{self, Display, Formatter};

use crate::words::paragraph;

use super::Comparison;

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for figure in &self.figures {
            let words = format!("{}: {}", figure.verdict.name(), figure.detail);
            paragraph(f, figure.metric.trim_start_matches("response."), &words)?;
        }
        self.notes.iter().try_for_each(|note| paragraph(f, "note", note))?;
        self.differences.iter().try_for_each(|it| paragraph(f, "different", it))?;
        paragraph(f, "comparison", &format!("{}: {}", self.verdict.name(), self.summary))
    }
}
