//! The TOML form: a table of the pool's settings, each with its line.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::{Origin, Problem};
use super::{Secret, Setting};

/// The table in which a file without names keeps its pool.
pub(super) const TABLE: &str = "pool";

/// The table of tables in which a file keeps pools by name.
pub(super) const TABLES: &str = "pools";

/// Reads the table `[pool]` of a file's text. What its other tables mean is not our business.
pub(super) fn read(file: &Arc<str>, text: &str, problems: &mut Vec<Problem>) -> Vec<Setting> {
    let document = Document { file, text };
    let root = document.parse(problems);
    let root = root.get_ref();
    if let Some((key, _)) = root.get_key_value(TABLES).filter(|_| !root.contains_key(TABLE)) {
        // Silence would look as if one of them had been read.
        let why = "pools by name, where one without a name is read";
        let problem = Problem::invalid(TABLES, "", why, "a table [pool]");
        problems.push(problem.at(document.origin(key.span().start)));
    }
    document.pool(root, problems)
}

/// What a file says about pools by name.
#[cfg(feature = "manager")]
pub(crate) struct NamedPools {
    /// The table `[pool]`: what goes for all of them.
    pub(crate) general: Vec<Setting>,
    /// The tables `[pools.NAME]`, in their order.
    pub(crate) named: Vec<NamedPool>,
}

/// A table `[pools.NAME]`.
#[cfg(feature = "manager")]
pub(crate) struct NamedPool {
    pub(crate) name: String,
    pub(crate) origin: Origin,
    pub(crate) settings: Vec<Setting>,
}

/// Reads the tables `[pool]` and `[pools.NAME]` of a file's text.
#[cfg(feature = "manager")]
pub(crate) fn read_named(file: &Arc<str>, text: &str, problems: &mut Vec<Problem>) -> NamedPools {
    let document = Document { file, text };
    let root = document.parse(problems);
    let general = document.pool(root.get_ref(), problems);
    let tables = document.table(root.get_ref(), TABLES, "[pools.NAME]", problems);
    let mut entries: Vec<_> = tables.into_iter().flatten().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let mut named = Vec::new();
    for (key, value) in entries {
        let (name, origin) = (key.get_ref().to_string(), document.origin(key.span().start));
        match value.get_ref() {
            DeValue::Table(table) => {
                let settings = document.settings(table, problems);
                named.push(NamedPool { name, origin, settings });
            }
            other => {
                let allowed = "a table, [pools.NAME]";
                let problem = Problem::invalid(
                    format!("{TABLES}.{name}"),
                    other.type_str(),
                    "not a table",
                    allowed,
                );
                problems.push(problem.at(origin));
            }
        }
    }
    NamedPools { general, named }
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
