//! Secrets from where programs keep them.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use pool_core::Secret;

/// Why there is none, and what is allowed.
type Wrong = (String, &'static str);

/// Longer than any secret, and little enough to read.
const LONGEST: u64 = 1 << 16;

/// One that is written where it is used.
pub(crate) fn checked(text: &str) -> Result<Secret, Wrong> {
    if text.is_empty() || text.contains(char::is_control) {
        let why = if text.is_empty() { "empty" } else { "it holds control characters" };
        return Err((why.to_owned(), "text in one line"));
    }
    Ok(Secret::new(text))
}

/// The one line of a file. Its path is not shown: it may be the secret, under the wrong key.
pub(crate) fn from_file(path: &str) -> Result<Secret, Wrong> {
    let allowed = "the path of a file that holds it in one line";
    let text = read_text(Path::new(path), LONGEST).map_err(|why| (why, allowed))?;
    checked(text.trim()).map_err(|(why, _)| (format!("in the file: {why}"), allowed))
}

/// What a variable holds.
pub(crate) fn from_environment(
    variable: &str,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Secret, Wrong> {
    let allowed = "the name of an environment variable that holds it";
    let value = environment(variable).ok_or_else(|| ("not set".to_owned(), allowed))?;
    let text = value.into_string().map_err(|_| ("not UTF-8".to_owned(), allowed))?;
    checked(text.trim()).map_err(|(why, _)| (format!("in the variable: {why}"), allowed))
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
