//! A TOML file in which a program keeps settings of its own beside those of the pool.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use toml::de::DeValue;

use super::super::{Origin, Problem};
use super::file::{Document, read_toml};

/// A TOML file that was read once: for [`Sources`](super::Sources), and for a program whose own
/// settings stand in a table beside `[pool]`.
///
/// ```
/// use pool_core::{Sources, TomlFile, TomlValue};
///
/// let file = TomlFile::new("app.toml", "[pool]\nmax_open = 4\n[app]\nport = 80\n");
/// let app = file.table("app")?;
/// assert_eq!(app[0].key, "port");
/// assert_eq!(app[0].value, TomlValue::Text("80".to_owned()));
/// assert_eq!(app[0].origin.to_string(), "app.toml:4");
/// let resolved = Sources::default().toml_read(&file).load().resolve()?;
/// assert_eq!(resolved.config().max_open, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TomlFile {
    name: Arc<str>,
    text: String,
}

/// Says nothing of what is in it: a URL with a password, perhaps.
impl fmt::Debug for TomlFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TomlFile").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A line of a table.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TomlEntry {
    /// Its name, as somebody wrote it.
    pub key: String,
    /// What it is set to.
    pub value: TomlValue,
    /// Where it stands.
    pub origin: Origin,
}

/// The value may be a secret in the wrong place.
impl fmt::Debug for TomlEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TomlEntry").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// A value of a table, as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TomlValue {
    /// Text, a number, or `true` or `false`.
    Text(String),
    /// Several of them.
    List(Vec<TomlValue>),
    /// Something else: what TOML calls it.
    Other(&'static str),
}

impl TomlFile {
    /// A file whose text is known already; `name` is what messages call it.
    #[must_use]
    pub fn new(name: &str, text: impl Into<String>) -> Self {
        Self { name: Arc::from(name), text: text.into() }
    }

    /// Reads the file at `path`, of 1 MiB at most. Blocks the thread while it does.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is too long, or is not UTF-8.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Problem> {
        read_toml(path.as_ref()).map(|(name, text)| Self::new(&name, text))
    }

    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The entries of the table `name`, in their order; none if there is no such table. Nor of a file
    /// that is no valid TOML: what is wrong with it is told by [`Sources`](super::Sources).
    ///
    /// # Errors
    ///
    /// If `name` is there and is no table.
    pub fn table(&self, name: &str) -> Result<Vec<TomlEntry>, Problem> {
        let mut problems = Vec::new();
        let (document, root) = Document::parse(&self.name, &self.text, &mut problems);
        if !document.is_valid {
            return Ok(Vec::new());
        }
        let form = format!("[{name}]");
        let table = document.table(root.get_ref(), name, &form, &mut problems);
        let mut entries: Vec<_> = table.into_iter().flatten().collect();
        if let Some(problem) = problems.pop() {
            return Err(problem);
        }
        entries.sort_by_key(|(key, _)| key.span().start);
        let entries = entries.into_iter().map(|(key, value)| TomlEntry {
            key: key.get_ref().to_string(),
            value: plain(value.get_ref()),
            origin: document.origin(key.span().start),
        });
        Ok(entries.collect())
    }
}

fn plain(value: &DeValue<'_>) -> TomlValue {
    match value {
        DeValue::String(text) => TomlValue::Text(text.to_string()),
        DeValue::Integer(number) => TomlValue::Text(number.to_string()),
        DeValue::Float(number) => TomlValue::Text(number.to_string()),
        DeValue::Boolean(is_so) => TomlValue::Text(is_so.to_string()),
        DeValue::Array(values) => {
            TomlValue::List(values.iter().map(|value| plain(value.get_ref())).collect())
        }
        other => TomlValue::Other(other.type_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> TomlValue {
        TomlValue::Text(text.to_owned())
    }

    #[test]
    fn the_entries_of_a_foreign_table_come_in_their_order_as_they_were_written() {
        let written = "[pool]\nurl = 'x'\n[app]\nz = 1.5\na = true\nl = [1, ['b']]\nt = {}\n";
        let entries = TomlFile::new("app.toml", written).table("app").expect("a table");
        let keys: Vec<_> = entries.iter().map(|entry| &*entry.key).collect();
        assert_eq!(keys, ["z", "a", "l", "t"]);
        let values: Vec<_> = entries.iter().map(|entry| entry.value.clone()).collect();
        let list = TomlValue::List(vec![text("1"), TomlValue::List(vec![text("b")])]);
        assert_eq!(values, [text("1.5"), text("true"), list, TomlValue::Other("table")]);
        assert_eq!(entries[3].origin.to_string(), "app.toml:7");
    }

    #[test]
    fn what_should_be_a_table_and_is_none_says_where_it_stands() {
        let problem = TomlFile::new("app.toml", "\napp = 3\n").table("app").expect_err("no table");
        let words = "app.toml:2: app = \"integer\": not a table; allowed: a table, [app]";
        assert_eq!(problem.to_string(), words);
    }

    #[test]
    fn a_broken_file_has_no_entries_and_is_not_shown() {
        let file = TomlFile::new("app.toml", "[app]\nport = 80\nurl = \"fake:hunter2\n");
        assert_eq!(file.table("app").expect("nothing"), []);
        assert!(!format!("{file:?}").contains("hunter2"), "{file:?}");
    }
}
