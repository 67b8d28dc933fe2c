//! One statement of an SQL file, while it is read and after.

use std::sync::Arc;

use super::scanner::{Kind, Position, Token};
use crate::database::Dialect;

/// Words that begin or end a transaction when a statement begins with them.
const OF_TRANSACTIONS: [&str; 7] =
    ["abort", "begin", "commit", "end", "release", "rollback", "savepoint"];
/// What is made with statements inside.
const WITH_BODY: [&str; 4] = ["event", "function", "procedure", "trigger"];

/// A statement.
#[derive(Debug)]
pub(super) struct Statement {
    /// The line it begins in.
    pub(super) line: usize,
    /// Its text, with parameters as the driver has them.
    pub(super) sql: Arc<str>,
    /// What its parameters are drawn from, in the order of their numbers.
    pub(super) generators: Vec<usize>,
}

/// A statement that is being read.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    /// From the first to the last that matters.
    tokens: Vec<Token<'a>>,
    /// How many of them there are up to the last that matters.
    length: usize,
    /// Whether it begins with `create`, then makes something with statements inside, and then has
    /// come to these.
    makes: bool,
    has_body: bool,
    in_body: bool,
}

impl<'a> Draft<'a> {
    /// Adds what comes next; whether that ends the statement.
    pub(super) fn take(&mut self, token: Token<'a>) -> bool {
        let is_outside = matches!(token.kind, Kind::Space | Kind::LineComment | Kind::BlockComment);
        if self.tokens.is_empty() && is_outside {
            return false;
        }
        if token.kind == Kind::Semicolon && (!self.in_body || self.body_ends()) {
            return true;
        }
        if token.kind == Kind::Word {
            self.note(token.text);
        }
        self.tokens.push(token);
        if !is_outside {
            self.length = self.tokens.len();
        }
        false
    }

    /// Keeps track of `create trigger ... begin ...; end`, whose statements end nothing.
    fn note(&mut self, word: &str) {
        let is = |other: &str| word.eq_ignore_ascii_case(other);
        if self.tokens.is_empty() {
            self.makes = is("create");
        }
        self.has_body |= self.makes && WITH_BODY.iter().any(|other| is(other));
        self.in_body |= self.has_body && is("begin");
    }

    /// Whether the last words are `; end`.
    fn body_ends(&self) -> bool {
        let is_outside = |token: &&Token<'_>| {
            !matches!(token.kind, Kind::Space | Kind::LineComment | Kind::BlockComment)
        };
        let mut last = self.tokens.iter().rev().filter(is_outside);
        last.next().is_some_and(|token| token.text.eq_ignore_ascii_case("end"))
            && last.next().is_some_and(|token| token.kind == Kind::Semicolon)
    }

    /// Where it begins; nowhere if there is nothing of it.
    pub(super) fn at(&self) -> Option<Position> {
        self.tokens.first().map(|token| token.at)
    }

    pub(super) fn controls_transaction(&self) -> bool {
        let mut words = self.tokens.iter().filter(|token| token.kind == Kind::Word);
        let is = |word: Option<&Token<'_>>, other: &str| {
            word.is_some_and(|word| word.text.eq_ignore_ascii_case(other))
        };
        let first = words.next();
        OF_TRANSACTIONS.iter().any(|other| is(first, other))
            || (is(first, "start") && is(words.next(), "transaction"))
    }

    /// The names of its parameters, and where they are.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&'a str, Position)> {
        let parameters = self.tokens.iter().filter(|token| token.kind == Kind::Parameter);
        parameters.map(|token| (&token.text[1..], token.at))
    }

    /// The statement, with parameters drawn from what `generator` says for their names.
    pub(super) fn finish(&self, dialect: Dialect, generator: impl Fn(&str) -> usize) -> Statement {
        let (mut sql, mut generators) = (String::new(), Vec::new());
        for token in &self.tokens[..self.length] {
            if token.kind != Kind::Parameter {
                sql.push_str(token.text);
                continue;
            }
            let generator = generator(&token.text[1..]);
            let known = generators.iter().position(|known| *known == generator);
            let index = known.filter(|_| dialect.numbers_parameters()).unwrap_or_else(|| {
                generators.push(generator);
                generators.len() - 1
            });
            sql.push_str(&dialect.parameter(index + 1));
        }
        Statement { line: self.at().map_or(0, |at| at.line), sql: sql.into(), generators }
    }
}
