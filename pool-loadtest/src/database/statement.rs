//! Statements with what is bound to their parameters, and what may come of them.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// What a parameter is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

/// A statement and its parameters, in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub(crate) sql: Arc<str>,
    pub(crate) values: Vec<Value>,
}

impl Bound {
    /// A statement whose parameters are whole numbers.
    pub(crate) fn to<const N: usize>(sql: &Arc<str>, numbers: [i64; N]) -> Self {
        Self { sql: Arc::clone(sql), values: numbers.map(Value::from).into() }
    }
}

/// What becomes of what statements did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is kept.
    Commit,
    /// It is undone: they were only tried out.
    RollBack,
}

/// One of several statements failed. It speaks with the words of its cause.
#[derive(Debug)]
pub struct Failed<E> {
    /// Which of them, the first being 0. Of a beginning that failed it is the first, of an end the
    /// last.
    pub(crate) statement: usize,
    pub(crate) source: E,
}

impl<E> Failed<E> {
    /// Says which statement it was.
    pub(crate) fn at(statement: usize) -> impl FnOnce(E) -> Self {
        move |source| Self { statement, source }
    }
}

impl<E: Error> fmt::Display for Failed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.source, f)
    }
}

impl<E: Error> Error for Failed<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}
