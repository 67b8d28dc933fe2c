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
    let document = Document { file, text };
    let root = document.parse(problems);
    document.pool(root.get_ref(), problems)
}

#[derive(Clone, Copy)]
struct Document<'a> {
    file: &'a Arc<str>,
    text: &'a str,
}

impl<'a> Document<'a> {
    fn parse(self, problems: &mut Vec<Problem>) -> Spanned<DeTable<'a>> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            // Its own words only: it could show the line, and with that a password.
            let start = error.span().map_or(0, |span| span.start);
            let problem = Problem::invalid("TOML", "", error.message(), "valid TOML");
            problems.push(problem.at(self.origin(start)));
        }
        root
    }

    /// The settings of `[pool]`.
    fn pool(self, root: &DeTable<'a>, problems: &mut Vec<Problem>) -> Vec<Setting> {
        let table = self.table(root, TABLE, "[pool]", problems);
        table.map_or_else(Vec::new, |table| self.settings(table, problems))
    }

    /// The table `name`, if there is one.
    fn table<'t>(
        self,
        root: &'t DeTable<'a>,
        name: &str,
        form: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<&'t DeTable<'a>> {
        let (key, value) = root.get_key_value(name)?;
        if let DeValue::Table(table) = value.get_ref() {
            return Some(table);
        }
        let found = value.get_ref().type_str();
        let problem = Problem::invalid(name, found, "not a table", format!("a table, {form}"));
        problems.push(problem.at(self.origin(key.span().start)));
        None
    }

    /// Where the byte at `start` is.
    fn origin(self, start: usize) -> Origin {
        let before = self.text.get(..start).unwrap_or(self.text);
        let line = 1 + before.matches('\n').count();
        Origin::File { file: Arc::clone(self.file), line }
    }

    fn settings(self, table: &DeTable<'_>, problems: &mut Vec<Problem>) -> Vec<Setting> {
        let mut entries: Vec<(&Spanned<_>, &Spanned<DeValue<'_>>)> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut settings = Vec::new();
        for (key, value) in entries {
            let (field, origin) = (key.get_ref().to_string(), self.origin(key.span().start));
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
}
