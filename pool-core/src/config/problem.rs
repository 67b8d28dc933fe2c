//! What can be wrong with a configuration, said so that it can be mended.

use std::fmt;

use super::Origin;

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
    /// A value that its field does not allow.
    pub fn invalid(
        field: impl Into<String>,
        value: impl Into<String>,
        why: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            value: value.into(),
            why: why.into(),
            allowed: allowed.into(),
            nearest: None,
            origin: None,
        }
    }

    /// The same problem, of a value that came from `origin`.
    #[must_use]
    pub fn at(self, origin: Origin) -> Self {
        Self { origin: Some(Box::new(origin)), ..self }
    }

    /// A name that is none of `allowed`.
    pub fn unknown<'a>(
        what: impl Into<String>,
        name: impl Into<String>,
        allowed: impl Iterator<Item = &'a str> + Clone,
    ) -> Self {
        let name = name.into();
        let nearest = nearest(&name, allowed.clone()).map(Box::from);
        let allowed = allowed.collect::<Vec<_>>().join(", ");
        Self { nearest, ..Self::invalid(what, name, "unknown", allowed) }
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
