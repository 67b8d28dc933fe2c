//! The part of a URL that says where the database is.
//!
//! What a message repeats of it is chosen with care: somebody may have given the URL of another
//! database, with a password in it.

use pool_core::Problem;
use pool_core::url::decode;

use crate::options::Source;

/// What a URL looks like, for messages.
const FORMS: &str =
    "sqlite:relative/path, sqlite:/absolute/path, sqlite::memory: or sqlite:NAME?mode=memory";

/// What follows `sqlite:`. The URL of another database may hold a password: of such a one no more
/// than the scheme is repeated.
pub(crate) fn strip_scheme(url: &str) -> Result<&str, Problem> {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
    let length = url.find(|c| !is_scheme(c)).unwrap_or(url.len());
    let (scheme, rest) = url.split_at(length);
    let stands_before_an_at = !rest.starts_with("://") && rest.contains('@');
    let scheme = if stands_before_an_at && !is_sqlite(scheme) { "" } else { scheme };
    match rest.strip_prefix(':') {
        Some(rest) if is_sqlite(scheme) => Ok(rest),
        Some(_) => Err(Problem::unknown("scheme", scheme, ["sqlite"].into_iter())),
        None => Err(Problem::invalid("url", scheme, "no scheme", FORMS)),
    }
}

fn is_sqlite(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("sqlite")
}

/// The database that a location names, if nothing is wrong with it.
pub(crate) fn read_source(
    location: &str,
    in_memory: bool,
    problems: &mut Vec<Problem>,
) -> Option<Source> {
    let path = match strip_authority(location).and_then(decode_path) {
        Ok(path) => path,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    if path == ":memory:" {
        return Some(Source::PrivateMemory);
    }
    if in_memory {
        // `sqlite:name`, `sqlite:/name` and `sqlite:///name` are the same database.
        return Some(Source::SharedMemory(path.trim_start_matches('/').to_owned()));
    }
    if path.is_empty() {
        problems.push(Problem::invalid("path", "", "no database is named", FORMS));
        return None;
    }
    Some(Source::File(path.into()))
}

/// The path of a location; an authority, the part after `//`, must be empty.
fn strip_authority(location: &str) -> Result<&str, Problem> {
    if let Some(authority) = authority(location) {
        return Err(no_host(authority));
    }
    if location.contains('#') {
        let (shown, why) = (without_user(location), "a fragment has no meaning here");
        return Err(Problem::invalid("path", shown, why, "%23 for a # in the path"));
    }
    let Some(path) = location.strip_prefix("//") else { return Ok(location) };
    let drive = path.strip_prefix('/').filter(|path| cfg!(windows) && has_drive(path));
    Ok(drive.unwrap_or(path))
}

/// What follows `//`, if it does not begin with a slash as a path does.
pub(crate) fn authority(location: &str) -> Option<&str> {
    location.strip_prefix("//").filter(|rest| !rest.starts_with('/'))
}

/// That a URL of SQLite has no host; of this one, no more is repeated than can be no password.
pub(crate) fn no_host(authority: &str) -> Problem {
    let host = without_user(authority).split(['?', '#']).next().unwrap_or_default();
    let is_whole = authority.contains('@') || host == ":memory:" || !host.contains(':');
    let shown = if is_whole { host } else { host.split(':').next().unwrap_or_default() };
    let mut problem = Problem::invalid("path", shown, "what follows // would be a host", FORMS);
    problem.nearest = (is_whole && !host.is_empty()).then(|| format!("sqlite:{host}").into());
    problem
}

/// What stands after the last `@`: before it may be a user and a password.
fn without_user(location: &str) -> &str {
    location.rsplit_once('@').map_or(location, |(_, rest)| rest)
}

fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

fn decode_path(path: &str) -> Result<String, Problem> {
    decode("path", path).map_err(|problem| {
        Problem::invalid(problem.field, without_user(path), problem.why, problem.allowed)
    })
}
