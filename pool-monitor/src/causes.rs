//! Errors with what they came from.

use std::error::Error;
use std::fmt::Write as _;
use std::iter::successors;

/// An error and its causes, the first one last.
pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |&error| error.source())
}

/// The same in one line.
pub(crate) fn in_one_line(error: &(dyn Error + 'static)) -> String {
    causes(error).fold(String::new(), |mut line, cause| {
        let separator = if line.is_empty() { "" } else { ": " };
        write!(line, "{separator}{cause}").expect("a String takes it");
        line
    })
}
