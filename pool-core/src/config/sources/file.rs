//! The TOML form: a table of the pool's settings, each with its line.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::{Origin, Problem};
use super::{Secret, Setting};

/// The table in which a file without names keeps its pool.
pub(super) const TABLE: &str = "pool";

/// Reads the table `[pool]` of a file's text. What its other tables mean is not our business.
pub(super) fn read(file: &Arc<str>, text: &str, problems: &mut Vec<Problem>) -> Vec<Setting> {
    let lines = Lines(text);
    let at = |start: usize| Origin::File { file: Arc::clone(file), line: lines.of(start) };
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        // Its own words only: it could show the line, and with that a password.
        let start = error.span().map_or(0, |span| span.start);
        let problem = Problem::invalid("TOML", "", error.message(), "valid TOML");
        problems.push(problem.at(at(start)));
    }
    let Some((key, table)) = root.get_ref().get_key_value(TABLE) else { return Vec::new() };
    let DeValue::Table(table) = table.get_ref() else {
        let found = table.get_ref().type_str();
        let problem = Problem::invalid(TABLE, found, "not a table", "a table, [pool]");
        problems.push(problem.at(at(key.span().start)));
        return Vec::new();
    };
    settings(table, at, problems)
}

fn settings(
    table: &DeTable<'_>,
    at: impl Fn(usize) -> Origin,
    problems: &mut Vec<Problem>,
) -> Vec<Setting> {
    let mut entries: Vec<(&Spanned<_>, &Spanned<DeValue<'_>>)> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let mut settings = Vec::new();
    for (key, value) in entries {
        let (field, origin) = (key.get_ref().to_string(), at(key.span().start));
        let value = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            other => {
                let why = "neither text nor a whole number";
                let allowed = "text such as \"30s\" or \"off\", or a whole number";
                let problem = Problem::invalid(field, other.type_str(), why, allowed);
                problems.push(problem.at(origin));
                continue;
            }
        };
        settings.push(Setting { field, value: Secret::new(value), origin });
    }
    settings
}

struct Lines<'a>(&'a str);

impl Lines<'_> {
    /// The line of a byte, counted from 1.
    fn of(&self, byte: usize) -> usize {
        let before = self.0.get(..byte).unwrap_or(self.0);
        1 + before.matches('\n').count()
    }
}
