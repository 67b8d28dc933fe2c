//! The value of an option, from below the command line: as arguments, and whether its parser takes it.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};
use pool_core::{Problem, TomlValue, may_hold_password};

use super::names;

/// An option as arguments.
#[derive(Debug)]
pub(super) struct Tokens {
    /// The value, for messages.
    pub(super) shown: String,
    pub(super) tokens: Vec<OsString>,
}

/// The arguments that give an option this value.
///
/// # Errors
///
/// If it is of a form that the option does not have.
pub(super) fn tokens(argument: &Arg, value: &TomlValue) -> Result<Tokens, Problem> {
    let name = names::name(argument);
    let long = format!("--{}", names::long(argument));
    if matches!(argument.get_action(), ArgAction::SetTrue | ArgAction::SetFalse) {
        return flag(&name, &long, value);
    }
    let each = argument.get_num_args().map_or(1, |range| range.min_values());
    let is_list = matches!(argument.get_action(), ArgAction::Append);
    let occurrences = match value {
        TomlValue::Text(text) if each < 2 => vec![vec![text.as_str()]],
        TomlValue::List(values) if is_list || each > 1 => occurrences(values, each, &name)?,
        TomlValue::Text(text) => {
            let allowed = format!("a list of {each} texts, in the table [loadtest]");
            return Err(Problem::invalid(name, text, "one value", allowed));
        }
        TomlValue::List(_) => return Err(Problem::invalid(name, "", "a list", "one value")),
        TomlValue::Other(kind) => return Err(no_value(&name, kind)),
        _ => return Err(no_value(&name, "")),
    };
    let shown = occurrences.concat().join(" ");
    let tokens = occurrences.into_iter().flat_map(|values| match &values[..] {
        // In one, lest a value that begins with a hyphen is taken for an option.
        [value] => vec![format!("{long}={value}")],
        values => {
            let values = values.iter().map(|value| (*value).to_owned());
            std::iter::once(long.clone()).chain(values).collect()
        }
    });
    Ok(Tokens { shown, tokens: tokens.map(OsString::from).collect() })
}

/// A value as it was written, about.
pub(super) fn words(value: &TomlValue) -> String {
    match value {
        TomlValue::Text(text) => text.clone(),
        TomlValue::List(values) => values.iter().map(words).collect::<Vec<_>>().join(" "),
        TomlValue::Other(kind) => (*kind).to_owned(),
        _ => String::new(),
    }
}

fn flag(name: &str, long: &str, value: &TomlValue) -> Result<Tokens, Problem> {
    let tokens = match value {
        TomlValue::Text(text) if text == "true" => vec![OsString::from(long)],
        TomlValue::Text(text) if text == "false" => Vec::new(),
        TomlValue::Text(text) => {
            return Err(Problem::invalid(name, text, "not understood", "true or false"));
        }
        _ => return Err(Problem::invalid(name, "", "no text", "true or false")),
    };
    Ok(Tokens { shown: String::new(), tokens })
}

/// Splits a list into what is given each time: a value, or a list of `each` of them.
fn occurrences<'a>(
    values: &'a [TomlValue],
    each: usize,
    name: &str,
) -> Result<Vec<Vec<&'a str>>, Problem> {
    let text = |value: &'a TomlValue| match value {
        TomlValue::Text(text) => Ok(text.as_str()),
        TomlValue::Other(kind) => Err(no_value(name, kind)),
        _ => Err(Problem::invalid(name, "", "a list in a list", "a list of texts")),
    };
    if each < 2 {
        return values.iter().map(|value| text(value).map(|text| vec![text])).collect();
    }
    let allowed = format!("lists of {each} texts each");
    let is_flat = !values.iter().any(|value| matches!(value, TomlValue::List(_)));
    let lists = if is_flat { vec![values] } else { Vec::new() };
    let lists = values.iter().try_fold(lists, |mut lists, value| match value {
        TomlValue::List(values) => {
            lists.push(values);
            Ok(lists)
        }
        _ if is_flat => Ok(lists),
        _ => Err(Problem::invalid(name, "", "texts among lists", &*allowed)),
    })?;
    if lists.iter().any(|values| values.len() != each) {
        return Err(Problem::invalid(name, "", "a list of another length", allowed));
    }
    lists.into_iter().map(|values| values.iter().map(text).collect()).collect()
}

fn no_value(name: &str, kind: &str) -> Problem {
    Problem::invalid(name, kind, "no value of an option", "text, a number, true or false")
}

/// Whether a command line with this option alone is understood, as far as it is about its value.
///
/// # Errors
///
/// With what the option's own parser says.
pub(super) fn check(
    root: &Command,
    line: Vec<OsString>,
    name: &str,
    value: &str,
) -> Result<(), Problem> {
    let Err(error) = root.clone().try_get_matches_from(line) else { return Ok(()) };
    let (why, allowed) = match error.kind() {
        ErrorKind::ValueValidation => said_by_parser(&error),
        ErrorKind::InvalidValue => {
            let why = if value.is_empty() { "no value" } else { "not understood" };
            (why.to_owned(), listed(&error))
        }
        ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            ("another number of values".to_owned(), format!("what --help says of {name}"))
        }
        // What it has to do with other options is found out with all of them.
        _ => return Ok(()),
    };
    // Its words may repeat it.
    let why = if may_hold_password(value) { "not understood".to_owned() } else { why };
    let mut problem = Problem::invalid(name, value, why, allowed);
    if let Some(ContextValue::String(nearest)) = error.get(ContextKind::SuggestedValue) {
        problem.nearest = Some(nearest.as_str().into());
    }
    Err(problem)
}

/// Why, and what is allowed: our parsers say both in a sentence.
fn said_by_parser(error: &clap::Error) -> (String, String) {
    let words = error.source().map(ToString::to_string).unwrap_or_default();
    let plain = "not understood".to_owned();
    if let Some(allowed) = words.strip_prefix("allowed: ") {
        return (plain, allowed.to_owned());
    }
    match words.split_once("; allowed: ") {
        Some((why, allowed)) => (why.to_owned(), allowed.to_owned()),
        None => (words, "what --help says of it".to_owned()),
    }
}

fn listed(error: &clap::Error) -> String {
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => values.join(", "),
        _ => "what --help says of it".to_owned(),
    }
}
