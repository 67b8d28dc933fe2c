//! The `OTEL_*` variables: how they are read, and what becomes of one that is not understood.
//!
//! By the [specification], an empty variable is unset, and a number or a name that is not understood is
//! ignored with a warning, as is a list of attributes of which one is not understood. What it leaves
//! open and nothing could be sent without is a problem: a URL, headers, a certificate.
//!
//! [specification]: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/

use std::ffi::OsString;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use pool_core::Problem;

/// The most milliseconds that the specification wants to be understood; more could not be added to a
/// clock's time.
pub(super) const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

const IGNORED: &str = "not understood, so it is ignored";

/// Variables, and what was found wrong with them.
pub(super) struct Variables<'a> {
    lookup: &'a dyn Fn(&str) -> Option<OsString>,
    /// Of variables that were ignored.
    pub(super) warnings: Vec<Problem>,
    /// Of those that must not be.
    pub(super) problems: Vec<Problem>,
}

impl<'a> Variables<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { lookup, warnings: Vec::new(), problems: Vec::new() }
    }

    /// A variable that is set to something.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match (self.lookup)(name)?.into_string() {
            Ok(text) => Some(text).filter(|text| !text.is_empty()),
            Err(_) => {
                self.problems.push(Problem::not_shown(name, "it is no Unicode", "text"));
                None
            }
        }
    }

    /// The first of `names` that is set, with that name.
    pub(super) fn first(&mut self, names: &[String]) -> Option<(String, String)> {
        names.iter().find_map(|name| Some((name.clone(), self.text(name)?)))
    }

    /// The first of `names` that `read` understands; `allowed` says what that is.
    pub(super) fn first_read<T>(
        &mut self,
        names: &[String],
        allowed: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        names.iter().find_map(|name| {
            let text = self.text(name)?;
            let value = read(text.trim());
            if value.is_none() {
                self.warnings.push(Problem::invalid(name, &text, IGNORED, allowed));
            }
            value
        })
    }

    pub(super) fn milliseconds(&mut self, names: &[String]) -> Option<Duration> {
        self.first_read(names, "a number of milliseconds from 1 to 2147483647", |text| {
            let time = text.parse().ok().map(Duration::from_millis);
            time.filter(|time| !time.is_zero() && *time <= LONGEST)
        })
    }

    pub(super) fn count(&mut self, name: &str) -> Option<usize> {
        self.first_read(&[name.to_owned()], "a whole number above 0", |text| {
            text.parse().ok().filter(|number| *number > 0)
        })
    }

    /// Whether the first of `names` that is set says `true`.
    pub(super) fn is_true(&mut self, names: &[String]) -> bool {
        self.first_read(names, "true or false", |text| match text.to_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
        .unwrap_or(false)
    }
}

/// Reads `name=value,name=value`, percent-decoded; the error says which entry is not like that.
pub(super) fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let entries = text.split(',').map(str::trim).enumerate();
    entries
        .filter(|(_, entry)| !entry.is_empty())
        .map(|(index, entry)| {
            pair(entry).ok_or_else(|| format!("entry {} is no name=value", index + 1))
        })
        .collect()
}

fn pair(entry: &str) -> Option<(String, String)> {
    let (name, value) = entry.split_once('=')?;
    let name = decoded(name.trim()).filter(|name| !name.is_empty())?;
    Some((name, decoded(value.trim())?))
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_trimmed_and_decoded() {
        let read = pairs(" a = x%2C%20y ,b=c=d,,").expect("pairs");
        assert_eq!(read, [("a".into(), "x, y".into()), ("b".into(), "c=d".into())]);
        for (text, why) in [
            ("a=1,hunter2", "entry 2 is no name=value"),
            ("=hunter2", "entry 1 is no name=value"),
            ("a=%FF", "entry 1 is no name=value"),
        ] {
            assert_eq!(pairs(text).expect_err("no pairs"), why, "{text}");
        }
    }
}
