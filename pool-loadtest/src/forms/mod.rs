//! Every form that a result is printed in. A file a form: JSON is what the result's own structure is,
//! and text for people is its `Display`.

mod compare;
mod document;
mod escape;
#[cfg(feature = "monitor")]
mod fleet;
mod hdr;
mod html;
mod junit;
mod lines;
mod markdown;
mod rows;
pub(crate) mod run;
mod svg;
mod sweep;
mod tune;

use std::fmt::Display;
use std::time::{Duration, UNIX_EPOCH};

use clap::ValueEnum;
use serde::Serialize;

pub(crate) use self::compare::ComparedRuns;
pub(crate) use self::document::{Cell, Document, Section, Table};
pub(crate) use self::junit::{Case, CaseOutcome, Suite};
pub(crate) use self::lines::Lines;
pub(crate) use self::rows::Rows;
use crate::report::{Outcome, Report};

/// What a result can be printed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// For programs, with the version of its schema, which `schema` prints.
    Json,
    /// JSON, one object a line: each second, then the totals.
    Ndjson,
    /// Rows of figures for spreadsheets, a second each.
    Csv,
    /// Tables for pull requests.
    Markdown,
    /// What held and what did not, for continuous integration.
    Junit,
    /// A page for browsers with plots, in one file.
    Html,
    /// The histograms as tools for HDR histograms read them.
    Hdr,
    /// The plots alone, as an image. Only for files.
    #[value(skip)]
    Svg,
}

impl Form {
    /// What a run can be printed as.
    pub(crate) const OF_A_RUN: [Self; 9] = [
        Self::Text,
        Self::Json,
        Self::Ndjson,
        Self::Csv,
        Self::Markdown,
        Self::Junit,
        Self::Html,
        Self::Hdr,
        Self::Svg,
    ];

    /// What a sweep, a search, a comparison or a fleet can be printed as: they have no histograms.
    pub(crate) const OF_SEVERAL_RUNS: [Self; 8] = [
        Self::Text,
        Self::Json,
        Self::Ndjson,
        Self::Csv,
        Self::Markdown,
        Self::Junit,
        Self::Html,
        Self::Svg,
    ];

    /// The form that a file's extension stands for.
    const EXTENSIONS: [(&'static str, Self); 9] = [
        ("json", Self::Json),
        ("ndjson", Self::Ndjson),
        ("csv", Self::Csv),
        ("md", Self::Markdown),
        ("xml", Self::Junit),
        ("html", Self::Html),
        ("hlog", Self::Hdr),
        ("txt", Self::Text),
        ("svg", Self::Svg),
    ];

    /// What the file's name ends in says which form it has; nothing else does.
    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        let lower = extension.to_ascii_lowercase();
        Self::EXTENSIONS.iter().find(|(known, _)| *known == lower).map(|(_, form)| *form)
    }

    /// The extensions of `forms`, for messages.
    pub(crate) fn extensions(forms: &[Self]) -> String {
        let of_forms = Self::EXTENSIONS.iter().filter(|(_, form)| forms.contains(form));
        of_forms.map(|(extension, _)| format!(".{extension}")).collect::<Vec<_>>().join(", ")
    }
}

/// A result, whatever it is of: its text is for people on a terminal, its structure for programs.
pub(crate) trait Printable: Display + Serialize {
    /// For programs, as its schema says.
    ///
    /// # Errors
    ///
    /// It cannot be written so.
    fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// The same as [`json`](Self::json), in parts that can be read one by one.
    ///
    /// # Errors
    ///
    /// It cannot be written so.
    fn lines(&self) -> serde_json::Result<Lines>;

    /// Its figures in rows.
    fn rows(&self) -> Rows;

    /// What people read with a browser or in a pull request.
    fn document(&self) -> Document;

    /// What was to hold.
    fn suite(&self) -> Suite;

    /// What a histogram log is of, if anything. Default: nothing.
    fn run(&self) -> Option<&Report> {
        None
    }
}

/// `result` in one form; all of it is text.
///
/// # Errors
///
/// It has no such form.
pub(crate) fn printed(result: &impl Printable, form: Form) -> anyhow::Result<String> {
    Ok(match form {
        Form::Text => result.to_string(),
        Form::Json => result.json()?,
        Form::Ndjson => result.lines()?.text(),
        Form::Csv => result.rows().text(),
        Form::Markdown => markdown::text(&result.document()),
        Form::Junit => result.suite().text(),
        Form::Html => html::page(&result.document()),
        Form::Hdr => match result.run() {
            Some(run) => hdr::log(run)?,
            None => anyhow::bail!("only a run has histograms"),
        },
        Form::Svg => {
            let document = result.document();
            let plots: Vec<_> =
                document.sections.into_iter().flat_map(|section| section.plots).collect();
            svg::file(&document.title, &plots)
        }
    })
}

/// What is to be said of something that did not come to its end by itself.
fn unfinished(outcome: Outcome, what: &str) -> Option<String> {
    match outcome {
        Outcome::Completed => None,
        Outcome::Interrupted => {
            Some(format!("The {what} was interrupted: these are figures of a part of it."))
        }
        Outcome::Running => Some(format!(
            "The {what} did not come to its end: these are figures of the part before. The load tester \
             was killed, or the machine went down."
        )),
        Outcome::Died => Some(format!(
            "The {what} died half-way: these are figures of the part before. The warnings say why."
        )),
    }
}

/// Unix time as `2026-11-22T15:40:00Z`.
fn utc(unix_seconds: u64) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(unix_seconds)).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests;
