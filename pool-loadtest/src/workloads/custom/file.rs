//! An SQL file as a whole: its sections, their statements, and everything that is wrong with it.

use std::collections::BTreeMap;
use std::mem;
use std::str::from_utf8;
use std::sync::Arc;

use super::directive::{self, Directive, FORMS};
use super::generator::Generator;
use super::problem::{Problem, SqlFileError};
use super::scanner::{Kind as TokenKind, Position, Scanner, Token};
use super::statement::{Draft, Statement};
use crate::database::Dialect;

/// As many bytes as a file may have.
pub(crate) const MOST_BYTES: u64 = 1 << 20;
/// As many kinds as a report tells apart.
const MOST_KINDS: usize = 16;
const START: Position = Position { line: 1, column: 1 };

/// What a file says.
#[derive(Debug)]
pub(super) struct SqlFile {
    pub(super) kinds: Vec<Kind>,
    pub(super) setup: Vec<Statement>,
    pub(super) teardown: Vec<Statement>,
    pub(super) verify: Vec<Statement>,
    /// What parameters are drawn from.
    pub(super) generators: Vec<Generator>,
}

/// A kind of operation.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: String,
    pub(super) weight: u32,
    pub(super) statements: Vec<Statement>,
}

/// What the statements that follow belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Setup,
    Teardown,
    Verify,
    Kind(usize),
    /// Nobody knows what; its statements are read for what is wrong with them.
    Unclear,
}

#[derive(Default)]
struct Reader<'a> {
    section: Option<Section>,
    /// Each with the name, the weight, and where it begins.
    kinds: Vec<(&'a str, u32, Position)>,
    /// The sections there are, other than kinds.
    others: Vec<&'static str>,
    /// Whether one of them is unclear.
    is_unclear: bool,
    drafts: Vec<(Section, Draft<'a>)>,
    draft: Draft<'a>,
    names: BTreeMap<&'a str, usize>,
    generators: Vec<Generator>,
    problems: Vec<Problem>,
}

impl SqlFile {
    /// Reads what a file holds.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub(super) fn read(
        file: &Arc<str>,
        bytes: &[u8],
        dialect: Dialect,
    ) -> Result<Self, SqlFileError> {
        let refused = |problem| Err(SqlFileError::new(file, vec![problem]));
        if bytes.len() as u64 > MOST_BYTES {
            return refused(Problem::new(START, "the file is too large", "up to 1 MiB"));
        }
        let text = match from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                let line = 1 + before.matches('\n').count();
                let column = 1 + before.chars().rev().take_while(|char| *char != '\n').count();
                let why = "here is no text in UTF-8";
                return refused(Problem::new(Position { line, column }, why, "UTF-8"));
            }
        };
        // Some editors write one in front.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return refused(Problem::new(START, "the file is empty", FORMS));
        }
        let mut reader = Reader::default();
        reader.scan(text, dialect);
        reader.finish(file, dialect)
    }
}

impl<'a> Reader<'a> {
    fn scan(&mut self, text: &'a str, dialect: Dialect) {
        let mut begins_line = true;
        for token in Scanner::new(text, dialect) {
            match token.kind {
                TokenKind::LineComment if begins_line && token.text.starts_with("--") => {
                    self.comment(token);
                }
                TokenKind::Unclosed(opening) => {
                    let why = format!("what begins with {opening} has no end");
                    self.problems.push(Problem::new(token.at, why, "the same at its end"));
                }
                TokenKind::ForeignParameter => {
                    let why = format!("{} is a parameter that nothing is drawn for", token.text);
                    let allowed = ":NAME, with -- set NAME = FUNCTION(...)";
                    self.problems.push(Problem::new(token.at, why, allowed));
                }
                _ => {}
            }
            begins_line = match token.kind {
                TokenKind::Space => begins_line || token.text.contains('\n'),
                _ => false,
            };
            if self.draft.take(token) {
                self.end_statement();
            }
        }
        self.end_statement();
    }

    fn comment(&mut self, comment: Token<'a>) {
        match directive::read(comment.text, comment.at, &mut self.problems) {
            None => {}
            Some(Directive::Unclear) => {
                self.end_statement();
                self.section = Some(Section::Unclear);
                self.is_unclear = true;
            }
            Some(Directive::Set { name, at, generator }) => {
                if self.names.insert(name, self.generators.len()).is_some() {
                    let why = format!("the parameter {name:?} is set twice");
                    self.problems.push(Problem::new(at, why, "each name once"));
                }
                self.generators.extend(generator);
            }
            Some(Directive::Kind { name, weight }) => {
                self.end_statement();
                if self.kinds.iter().any(|(known, ..)| *known == name) {
                    let why = format!("the kind {name:?} is there twice");
                    self.problems.push(Problem::new(comment.at, why, "each name once"));
                }
                self.section = Some(Section::Kind(self.kinds.len()));
                self.kinds.push((name, weight, comment.at));
                if self.kinds.len() == MOST_KINDS + 1 {
                    let allowed = format!("up to {MOST_KINDS}, which a report tells apart");
                    self.problems.push(Problem::new(comment.at, "too many kinds", allowed));
                }
            }
            Some(Directive::Setup) => self.begin(Section::Setup, "setup", comment.at),
            Some(Directive::Teardown) => self.begin(Section::Teardown, "teardown", comment.at),
            Some(Directive::Verify) => self.begin(Section::Verify, "verify", comment.at),
        }
    }

    fn begin(&mut self, section: Section, name: &'static str, at: Position) {
        self.end_statement();
        if self.others.contains(&name) {
            let why = format!("the section {name} is there twice");
            self.problems.push(Problem::new(at, why, "each once"));
        }
        self.others.push(name);
        self.section = Some(section);
    }

    fn end_statement(&mut self) {
        let draft = mem::take(&mut self.draft);
        let Some(at) = draft.at() else { return };
        if draft.controls_transaction() {
            let why = "transactions are begun and ended by the load tester";
            let allowed = "statements without it: those of a kind are one transaction";
            self.problems.push(Problem::new(at, why, allowed));
        }
        match self.section {
            Some(section) => self.drafts.push((section, draft)),
            None => {
                let why = "a statement that no section is in front of";
                self.problems.push(Problem::new(at, why, FORMS));
            }
        }
    }

    fn finish(mut self, file: &Arc<str>, dialect: Dialect) -> Result<SqlFile, SqlFileError> {
        if self.kinds.is_empty() && !self.is_unclear {
            let allowed = "-- name: KIND in front of the statements of an operation";
            self.problems.push(Problem::new(START, "there is no kind of operation", allowed));
        }
        let kinds: Vec<_> = mem::take(&mut self.kinds);
        let mut parts =
            Parts { kinds: kinds.iter().map(|_| Vec::new()).collect(), ..Parts::default() };
        for (section, draft) in mem::take(&mut self.drafts) {
            let statement = self.statement(section, &draft, dialect);
            parts.of(section).push(statement);
        }
        for ((name, _, at), statements) in kinds.iter().zip(&parts.kinds) {
            if statements.is_empty() {
                let why = format!("the kind {name:?} has no statement");
                self.problems.push(Problem::new(*at, why, "at least one"));
            }
        }
        if !self.problems.is_empty() {
            return Err(SqlFileError::new(file, self.problems));
        }
        let kind = |((name, weight, _), statements): ((&str, u32, Position), _)| Kind {
            name: name.to_owned(),
            weight,
            statements,
        };
        Ok(SqlFile {
            kinds: kinds.into_iter().zip(parts.kinds).map(kind).collect(),
            setup: parts.setup,
            teardown: parts.teardown,
            verify: parts.verify,
            generators: self.generators,
        })
    }

    /// The statement of a draft, its parameters found.
    fn statement(&mut self, section: Section, draft: &Draft<'_>, dialect: Dialect) -> Statement {
        for (name, at) in draft.parameters() {
            if matches!(section, Section::Setup | Section::Teardown | Section::Verify) {
                let why = format!("the parameter {name:?} is in a section that has none");
                self.problems.push(Problem::new(at, why, "parameters in kinds"));
            } else if !self.names.contains_key(name) {
                let names = self.names.keys().copied();
                self.problems.push(if self.names.is_empty() {
                    let why = format!("the parameter {name:?} is unknown");
                    Problem::new(at, why, format!("-- set {name} = FUNCTION(...)"))
                } else {
                    Problem::unknown(at, "the parameter", name, names)
                });
            }
        }
        draft.finish(dialect, |name| self.names.get(name).copied().unwrap_or_default())
    }
}

#[derive(Default)]
struct Parts {
    setup: Vec<Statement>,
    teardown: Vec<Statement>,
    verify: Vec<Statement>,
    kinds: Vec<Vec<Statement>>,
    unclear: Vec<Statement>,
}

impl Parts {
    fn of(&mut self, section: Section) -> &mut Vec<Statement> {
        match section {
            Section::Setup => &mut self.setup,
            Section::Teardown => &mut self.teardown,
            Section::Verify => &mut self.verify,
            Section::Kind(kind) => &mut self.kinds[kind],
            Section::Unclear => &mut self.unclear,
        }
    }
}
