//! Tables of a TOML file, read key by key: what is wrong with each is noted with its line.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pool_core::{ConfigError, Origin, Problem, parse_duration};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::is_key;
use super::rule::shown_name;

/// Why a field is wrong that is not there.
pub(crate) const MISSING: &str = "missing";

/// A file, and what was found wrong with it so far.
pub(crate) struct Document<'a> {
    file: Arc<str>,
    text: &'a str,
    /// What is left of a broken line reads like a key or a value, and may be a part of a secret: of a
    /// file that is no TOML none is named.
    is_valid: bool,
    /// What an environment variable holds.
    #[cfg_attr(
        not(any(feature = "webhooks", feature = "mail")),
        expect(dead_code, reason = "only sinks have secrets")
    )]
    pub(crate) environment: &'a dyn Fn(&str) -> Option<OsString>,
    problems: RefCell<Vec<(usize, Problem)>>,
}

impl<'a> Document<'a> {
    pub(crate) fn parse(
        file: &str,
        text: &'a str,
        environment: &'a dyn Fn(&str) -> Option<OsString>,
    ) -> (Self, Spanned<DeTable<'a>>) {
        let (root, errors) = DeTable::parse_recoverable(text);
        let document = Self {
            file: file.into(),
            text,
            is_valid: errors.is_empty(),
            environment,
            problems: RefCell::default(),
        };
        for error in errors {
            // Its own words only: it could show the line, and with that a secret.
            let start = error.span().map_or(0, |span| span.start);
            let problem = Problem::invalid("TOML", "", error.message(), "valid TOML");
            document.problems.borrow_mut().push((start, problem));
        }
        (document, root)
    }

    /// Notes a problem at a byte of the text.
    pub(crate) fn note(&self, start: usize, mut problem: Problem) {
        if !self.is_valid {
            problem = Problem::not_shown(problem.field, problem.why, problem.allowed);
        }
        self.problems.borrow_mut().push((start, problem));
    }

    /// Notes a name that is none of `allowed`.
    pub(crate) fn note_unknown(&self, start: usize, what: &str, name: &str, allowed: &[&str]) {
        let problem = if self.is_valid {
            Problem::unknown(what, name, allowed.iter().copied())
        } else {
            let why = "unknown, or what is left of a broken line";
            Problem::not_shown(what, why, allowed.join(", "))
        };
        self.note(start, problem);
    }

    /// Whether something was noted at just this byte.
    fn has_noted(&self, start: usize) -> bool {
        self.problems.borrow().iter().any(|(other, _)| *other == start)
    }

    /// Everything that was found, in the order of the file.
    pub(crate) fn finish(self) -> Result<(), ConfigError> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|(start, _)| *start);
        let at = |start: usize| {
            let before = self.text.get(..start).unwrap_or(self.text);
            let line = 1 + before.matches('\n').count();
            Origin::File { file: Arc::clone(&self.file), line }
        };
        let problems = problems.into_iter().map(|(start, problem)| problem.at(at(start)));
        ConfigError::from_problems(problems.collect())
    }
}

/// A table, its place in the file, and what it is called in messages.
pub(crate) struct Table<'t, 'a> {
    pub(crate) document: &'t Document<'a>,
    pub(crate) path: String,
    pub(crate) start: usize,
    entries: &'t DeTable<'a>,
}

/// A table's value of one key.
pub(crate) struct Entry<'t, 'a> {
    pub(crate) start: usize,
    pub(crate) value: &'t DeValue<'a>,
}

impl<'t, 'a> Table<'t, 'a> {
    pub(crate) fn root(document: &'t Document<'a>, entries: &'t DeTable<'a>) -> Self {
        Self { document, path: String::new(), start: 0, entries }
    }

    /// The path of a key, of which only a plain name is shown.
    pub(crate) fn path_of(&self, key: &str) -> String {
        let dot = if self.path.is_empty() { "" } else { "." };
        let is_shown = self.document.is_valid || is_key(key);
        let key = shown_name(if is_shown { key } else { "" });
        format!("{}{dot}{key}", self.path)
    }

    pub(crate) fn get(&self, key: &str) -> Option<Entry<'t, 'a>> {
        let (key, value) = self.entries.get_key_value(key)?;
        Some(Entry { start: key.span().start, value: value.get_ref() })
    }

    /// Every key with its place, in the order of the file.
    pub(crate) fn keys(&self) -> Vec<(&'t str, usize)> {
        let keys = self.entries.keys().map(|key| (&**key.get_ref(), key.span().start));
        let mut keys: Vec<(&str, usize)> = keys.collect();
        keys.sort_by_key(|(_, start)| *start);
        keys
    }

    /// Notes every key that is none of `allowed`.
    pub(crate) fn only(&self, allowed: &[&str]) {
        for (key, start) in self.keys() {
            if !allowed.contains(&key) {
                let what = if self.path.is_empty() { "key" } else { &self.path };
                self.document.note_unknown(start, what, key, allowed);
            }
        }
    }

    /// Notes what is wrong with a key's value.
    pub(crate) fn note(&self, key: &str, start: usize, value: &str, why: &str, allowed: &str) {
        self.document.note(start, Problem::invalid(self.path_of(key), value, why, allowed));
    }

    /// Notes that a key is missing.
    pub(crate) fn missing(&self, key: &str, allowed: &str) {
        self.note(key, self.start, "", MISSING, allowed);
    }

    /// A table in this one.
    pub(crate) fn table(&self, key: &str) -> Option<Table<'t, 'a>> {
        let Entry { start, value } = self.get(key)?;
        let path = self.path_of(key);
        match value {
            DeValue::Table(entries) => {
                Some(Table { document: self.document, path, start, entries })
            }
            other => {
                let allowed = format!("a table, [{path}]");
                self.note(key, start, other.type_str(), "not a table", &allowed);
                None
            }
        }
    }

    /// A value that `read` understands; `None` if there is none, or one that is noted.
    pub(crate) fn value<T>(
        &self,
        key: &str,
        allowed: &str,
        read: impl FnOnce(&DeValue<'_>) -> Option<T>,
    ) -> Option<T> {
        let Entry { start, value } = self.get(key)?;
        let read = read(value);
        if read.is_none() {
            self.note(key, start, &shown(value), "not understood", allowed);
        }
        read
    }

    pub(crate) fn text(&self, key: &str, allowed: &str) -> Option<String> {
        self.value(key, allowed, |value| value.as_str().map(str::to_owned))
    }

    pub(crate) fn duration(&self, key: &str) -> Option<Duration> {
        self.value(key, "a duration such as \"5m\"", |value| parse_duration(value.as_str()?))
    }

    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        self.value(key, "true or false", as_flag)
    }

    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        self.value(key, "a number", number)
    }

    pub(crate) fn list(&self, key: &str, allowed: &str) -> Option<Vec<String>> {
        self.value(key, allowed, |value| {
            let texts = value.as_array()?.iter().map(|value| value.get_ref().as_str());
            texts.map(|text| text.map(str::to_owned)).collect()
        })
    }

    /// One of several names.
    pub(crate) fn choice<T>(&self, key: &str, choices: &[(&str, T)]) -> Option<T>
    where
        T: Clone,
    {
        let Entry { start, value } = self.get(key)?;
        let name = value.as_str();
        let choice = choices.iter().find(|(choice, _)| Some(*choice) == name);
        if choice.is_none() {
            let names: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
            match name {
                Some(name) => self.document.note_unknown(start, &self.path_of(key), name, &names),
                None => self.note(key, start, value.type_str(), "not text", &names.join(", ")),
            }
        }
        choice.map(|(_, value)| value.clone())
    }

    /// Notes what a part of the program said about this table's values, each where its key is.
    pub(crate) fn note_all(&self, problems: Vec<Problem>) {
        for mut problem in problems {
            let sources = ["", "_file", "_env"].map(|it| format!("{}{it}", problem.field));
            let entry = sources.iter().find_map(|source| self.get(source));
            let is_there = entry.is_some();
            let start = entry.map_or(self.start, |entry| entry.start);
            // It is there, but of no use, which was noted.
            if is_there && problem.why == MISSING && self.document.has_noted(start) {
                continue;
            }
            problem.field = self.path_of(&problem.field);
            self.document.note(start, problem);
        }
    }
}

/// A value in a message: a table or a list as what it is.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        other => other.type_str().to_owned(),
    }
}

fn as_flag(value: &DeValue<'_>) -> Option<bool> {
    value.as_bool()
}

pub(crate) fn number(value: &DeValue<'_>) -> Option<f64> {
    let text = match value {
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        _ => return None,
    };
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The text of a file of at most so many bytes, or why there is none.
pub(crate) fn read_text(path: &Path, longest: u64) -> Result<String, String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(longest + 1).read_to_string(&mut text))
        .map_err(|error| format!("the file cannot be read: {}", error.kind()))?;
    if text.len() as u64 > longest {
        return Err(format!("the file is longer than {longest} bytes"));
    }
    Ok(text)
}
