//! What can be wrong with a configuration, said so that it can be mended.

use std::fmt;

use super::Origin;

/// Stands for a value that may hold a secret.
pub(super) const NOT_SHOWN: &str = "(not shown)";

/// Whether text looks like a connection string or a part of one, so that it is better not repeated.
/// Text of several lines does: a quote that was not closed has taken in whatever followed.
///
/// ```
/// assert!(pool_core::may_hold_password("postgres://app:secret@db/shop"));
/// assert!(pool_core::may_hold_password("host=db password=secret"));
/// assert!(!pool_core::may_hold_password("1h 30m"));
/// ```
#[must_use]
pub fn may_hold_password(text: &str) -> bool {
    text.contains(['@', '\n']) || text.to_lowercase().contains("%40") || has_password_syntax(text)
}

/// The same of a path, which may well hold an `@`.
#[cfg(feature = "sources")]
fn path_may_hold_password(path: &str) -> bool {
    path.split_once('@').is_some_and(|(user, _)| user.contains(':')) || has_password_syntax(path)
}

fn has_password_syntax(text: &str) -> bool {
    let signs = ["://", "%3a%2f%2f", "passw", "pwd", "pass=", "secret="];
    let lower = text.to_lowercase();
    signs.iter().any(|sign| lower.contains(sign))
}

/// What was given for a name, if it can be one.
pub(crate) fn shown_name(name: &str) -> &str {
    let is_plain = |c: char| c.is_alphanumeric() || "_-. ".contains(c);
    if name.chars().all(is_plain) && name.len() <= 64 { name } else { NOT_SHOWN }
}

/// One thing wrong with a configuration: the input, what is allowed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The field, or the kind of thing that was named (`preset`, `field`).
    pub field: String,
    /// The value as given.
    pub value: String,
    /// Why it is wrong.
    pub why: String,
    /// What is allowed.
    pub allowed: String,
    /// The nearest allowed name, for a misspelt one.
    pub nearest: Option<Box<str>>,
    /// Where the value came from, if there are several sources.
    pub origin: Option<Box<Origin>>,
}

impl Problem {
    /// A value that its field does not allow. One that looks like a connection string is not
    /// repeated: it may hold a password and only have been put in the wrong place.
    pub fn invalid(
        field: impl Into<String>,
        value: impl Into<String>,
        why: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        let value = value.into();
        Self {
            field: field.into(),
            value: if may_hold_password(&value) { NOT_SHOWN.to_owned() } else { value },
            why: why.into(),
            allowed: allowed.into(),
            nearest: None,
            origin: None,
        }
    }

    /// The same of a value that is not to be shown, whatever it looks like.
    pub fn not_shown(
        field: impl Into<String>,
        why: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self::invalid(field, NOT_SHOWN, why, allowed)
    }

    /// The same of a file.
    #[cfg(feature = "sources")]
    pub(super) fn of_file(field: &str, path: &str, why: String, allowed: &str) -> Self {
        let value = if path_may_hold_password(path) { NOT_SHOWN } else { path };
        Self { value: value.to_owned(), ..Self::invalid(field, "", why, allowed) }
    }

    /// The same problem, of a value that came from `origin`.
    #[must_use]
    pub fn at(self, origin: Origin) -> Self {
        Self { origin: Some(Box::new(origin)), ..self }
    }

    /// A name that is none of `allowed`. What cannot be a name is not repeated.
    pub fn unknown<'a>(
        what: impl Into<String>,
        name: impl Into<String>,
        allowed: impl Iterator<Item = &'a str> + Clone,
    ) -> Self {
        let name = name.into();
        let nearest = nearest(&name, allowed.clone()).map(Box::from);
        let allowed = allowed.collect::<Vec<_>>().join(", ");
        Self { nearest, ..Self::invalid(what, shown_name(&name), "unknown", allowed) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, value, why, allowed, nearest, origin } = self;
        if let Some(origin) = origin {
            write!(f, "{origin}: ")?;
        }
        write!(f, "{field} = {value:?}: {why}; allowed: {allowed}")?;
        match nearest {
            Some(name) => write!(f, "; did you mean {name:?}?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// Every problem of a configuration at once. Nothing of it has been applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// Fails with `problems`, if there are any.
    ///
    /// # Errors
    ///
    /// All of `problems`, in order.
    pub fn from_problems(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }

    /// Of at least one problem.
    #[cfg(feature = "sources")]
    pub(crate) fn of(problems: Vec<Problem>) -> Self {
        assert!(!problems.is_empty(), "bug: an error without a problem");
        Self { problems }
    }

    /// The problems; at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "invalid configuration ({count} problem{})", if count == 1 { "" } else { "s" })?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigError {}

/// The name of `allowed` that `name` was probably meant to be.
#[must_use]
pub fn nearest<'a>(name: &str, allowed: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // 0.7 is the likeness cargo and clap accept for their suggestions.
    let likeness = |candidate: &str| strsim::jaro(name, candidate);
    allowed
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_connection_string_is_not_repeated() {
        for text in [
            "postgres://app:hunter2@db",
            "hunter2@db:5432",
            "postgres%3A%2F%2Fapp%3Ahunter2%40db",
            "host=db PASSWORD=hunter2",
            "Server=db;Pwd=hunter2",
            "pass=hunter2",
            "secret=hunter2",
            "1h\nurl = \"fake:hunter2",
        ] {
            let problem = Problem::invalid("max_open", text, "not understood", "a number");
            assert_eq!(problem.value, NOT_SHOWN, "{text}");
        }
        for text in ["1h 30m", "-1", "prodction", "data/orders.db", "päss"] {
            assert_eq!(Problem::invalid("f", text, "w", "a").value, text);
        }
        assert_eq!(shown_name("orders-eu 2.x_ä"), "orders-eu 2.x_ä");
        for name in ["a:b", "a@b", "a=b", &*"a".repeat(65)] {
            assert_eq!(shown_name(name), NOT_SHOWN, "{name}");
        }
    }
}
