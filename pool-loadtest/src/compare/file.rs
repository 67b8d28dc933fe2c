//! A saved report, read back.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use pool_core::may_hold_password;
use serde_json::Value;

use crate::report::{Report, SCHEMA_VERSION};

/// Reads the report of a run from a file.
///
/// # Errors
///
/// What is wrong with it, in words that name the file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Report> {
    found(path).with_context(|| format!("cannot compare with {}", shown(path)))
}

/// The same, for messages that have named it.
pub(crate) fn found(path: &Path) -> anyhow::Result<Report> {
    parse(&std::fs::read_to_string(path).context("it cannot be read")?)
}

/// A path for messages, unless it may hold a password.
fn shown(path: &Path) -> String {
    let path = path.display().to_string();
    if may_hold_password(&path) { "a report (its path is not shown)".to_owned() } else { path }
}

fn parse(text: &str) -> anyhow::Result<Report> {
    if text.trim().is_empty() {
        return Err(anyhow!("it is empty"));
    }
    let value: Value = serde_json::from_str(text).context("it is no JSON")?;
    let version = value.get("schema_version");
    let Some(version) = version.and_then(Value::as_u64) else {
        let found = version.map_or("it has no schema_version".to_owned(), |found| {
            format!("its schema_version is {}, not a whole number from 0 on", kind_of(found))
        });
        return Err(anyhow!("it is no report of pool-loadtest: {found}"));
    };
    if version != u64::from(SCHEMA_VERSION) {
        return Err(anyhow!(
            "its schema version is {version}, and this release reads version {SCHEMA_VERSION}; run \
             it again with this release, or compare with the one that wrote it"
        ));
    }
    match value.get("kind").and_then(Value::as_str) {
        Some("run") => {}
        Some(kind @ ("sweep" | "tune" | "compare" | "budget")) => {
            return Err(anyhow!("it is the report of a {kind}; only those of `run` are compared"));
        }
        _ => return Err(anyhow!("it does not say what kind of report it is")),
    }
    // From the text again, so that an error has its position.
    serde_json::from_str(text).context("it is no complete report of a run")
}

/// What there is in place of a number; a text is not repeated, as it may be anything.
fn kind_of(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn refused(text: &str) -> String {
        format!("{:#}", parse(text).expect_err(text))
    }

    #[test]
    fn a_report_of_a_run_is_read_back() {
        let report = samples::report();
        let text = serde_json::to_string(&report).expect("written");
        let read = parse(&text).expect("read");
        assert_eq!(
            (read.throughput, read.series, read.config),
            (report.throughput, report.series, report.config)
        );
    }

    #[test]
    fn each_thing_that_is_wrong_has_words_of_its_own() {
        let report = serde_json::to_value(samples::report()).expect("written");
        let with = |key: &str, value: Value| {
            let mut changed = report.clone();
            changed[key] = value;
            changed.to_string()
        };
        for (text, words) in [
            ("", "it is empty"),
            ("{\n  \"schema_version\": ,", "no JSON: expected value at line 2 column 21"),
            ("[1]", "it has no schema_version"),
            (&with("schema_version", "2".into()), "its schema_version is a text, not a whole"),
            (&with("schema_version", (-1).into()), "its schema_version is -1, not a whole"),
            (&with("schema_version", 2.5.into()), "its schema_version is 2.5, not a whole"),
            (&with("schema_version", Value::Null), "its schema_version is null, not a whole"),
            (&with("schema_version", 1.into()), "its schema version is 1, and this release reads"),
            (&with("kind", "sweep".into()), "the report of a sweep; only those of `run`"),
            (&with("kind", Value::Null), "does not say what kind"),
            (&with("throughput", "fast".into()), "no complete report of a run: invalid type"),
        ] {
            let error = refused(text);
            assert!(error.contains(words), "{words} not in {error}");
        }
    }

    #[test]
    fn a_path_that_may_hold_a_password_is_not_repeated() {
        let path = Path::new("postgres://app:hunter2@db/app");
        let error = format!("{:#}", read(path).expect_err("no file"));
        assert!(!error.contains("hunter2"), "{error}");
        let words = "cannot compare with a report (its path is not shown): it cannot be read";
        assert!(error.starts_with(words), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = format!("{:#}", read(Path::new("no/such.json")).expect_err("not there"));
        assert!(
            error.starts_with("cannot compare with no/such.json: it cannot be read"),
            "{error}"
        );
    }
}
