//! Secrets from where programs keep them.

use std::ffi::OsString;
use std::path::Path;

use pool_core::{Problem, Secret};

use super::document::{Entry, Table, read_text};

/// Why there is none, and what is allowed.
type Wrong = (String, &'static str);

impl Table<'_, '_> {
    /// A secret: by value, or kept in a file (`KEY_file`) or an environment variable (`KEY_env`).
    pub(crate) fn secret(&self, key: &str) -> Option<Secret> {
        let sources = [key.to_owned(), format!("{key}_file"), format!("{key}_env")];
        let given: Vec<_> =
            sources.iter().filter_map(|source| Some((source, self.get(source)?))).collect();
        if let [_, (second, entry), ..] = &*given {
            let allowed = format!("one of {}", sources.join(", "));
            self.document.note(
                entry.start,
                Problem::not_shown(self.path_of(second), "a second value", allowed),
            );
        }
        let (source, Entry { start, value }) = given.into_iter().next()?;
        let read = match value.as_str() {
            None => Err((format!("{}, not text", value.type_str()), "text")),
            Some(text) if source.ends_with("_file") => from_file(text),
            Some(text) if source.ends_with("_env") => {
                from_environment(text, self.document.environment)
            }
            Some(text) => checked(text),
        };
        match read {
            Ok(secret) => Some(secret),
            Err((why, allowed)) => {
                self.document.note(start, Problem::not_shown(self.path_of(source), why, allowed));
                None
            }
        }
    }
}

/// Longer than any secret, and little enough to read.
const LONGEST: u64 = 1 << 16;

/// One that is written where it is used.
fn checked(text: &str) -> Result<Secret, Wrong> {
    if text.is_empty() || text.contains(char::is_control) {
        let why = if text.is_empty() { "empty" } else { "it holds control characters" };
        return Err((why.to_owned(), "text in one line"));
    }
    Ok(Secret::new(text))
}

/// The one line of a file. Its path is not shown: it may be the secret, under the wrong key.
fn from_file(path: &str) -> Result<Secret, Wrong> {
    let allowed = "the path of a file that holds it in one line";
    let text = read_text(Path::new(path), LONGEST).map_err(|why| (why, allowed))?;
    checked(text.trim()).map_err(|(why, _)| (format!("in the file: {why}"), allowed))
}

/// What a variable holds.
fn from_environment(
    variable: &str,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Secret, Wrong> {
    let allowed = "the name of an environment variable that holds it";
    let value = environment(variable).ok_or_else(|| ("not set".to_owned(), allowed))?;
    let text = value.into_string().map_err(|_| ("not UTF-8".to_owned(), allowed))?;
    checked(text.trim()).map_err(|(why, _)| (format!("in the variable: {why}"), allowed))
}
