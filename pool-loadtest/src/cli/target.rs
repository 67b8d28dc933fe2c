//! Which database, with which settings: everything that can be wrong with a command line, found at
//! once.

use pool_core::{ConfigError, Problem, Resolved, Sources, url_scheme};
use pool_sqlite::{SqliteDriver, SqliteOptions};

use super::arguments::SettingsArguments;
use crate::bank::Teller;

/// What a URL looks like, for messages.
const FORMS: &str = "sqlite:PATH, sqlite::memory: or sqlite:NAME?mode=memory";

/// What to do with a driver, whichever it is.
pub(super) trait Visit {
    /// What comes of it.
    type Output;

    /// Does it, with the driver and the settings that all sources come to.
    fn visit<D: Teller + Clone>(self, driver: D, resolved: Resolved) -> Self::Output;
}

/// Finds the driver and the settings that all sources come to, with an SQLite database to use if none
/// names one, and has them visited.
///
/// # Errors
///
/// Every problem of all sources at once.
pub(super) fn resolve<V: Visit>(
    arguments: &SettingsArguments,
    fallback: SqliteOptions,
    visitor: V,
) -> Result<V::Output, ConfigError> {
    let (sources, problems) = sources(arguments);
    let resolved = if sources.names_url() {
        sources.resolve_with(from_url)
    } else {
        let driver = SqliteDriver::new(fallback);
        sources.resolve_for(&driver).map(|resolved| (driver, resolved))
    };
    let found = resolved.as_ref().err().into_iter().flat_map(ConfigError::problems).cloned();
    ConfigError::from_problems(problems.into_iter().chain(found).collect())?;
    let (driver, resolved) = resolved?;
    Ok(visitor.visit(driver, resolved))
}

/// Reads a URL as the driver does. Of one that has no scheme nothing is repeated, unless it is
/// clearly a path: it may be the connection string of another database, with a password.
fn from_url(url: &str) -> Result<SqliteDriver, ConfigError> {
    let is_sqlite = |(scheme, _): (&str, _)| scheme.eq_ignore_ascii_case("sqlite");
    if url_scheme(url).is_some() || url.split_once(':').is_some_and(is_sqlite) {
        return SqliteDriver::from_url(url).map_err(|error| {
            let problems = error.problems().iter().cloned().map(of_this_build).collect();
            ConfigError::from_problems(problems).expect_err("bug: an error without problems")
        });
    }
    let mut problem = Problem::invalid("url", "", "no scheme", FORMS);
    if is_path(url) {
        url.clone_into(&mut problem.value);
        problem.nearest = Some(format!("sqlite:{url}").into());
    }
    Err(problem.into())
}

/// A scheme without a driver is one that this build has no driver for.
fn of_this_build(mut problem: Problem) -> Problem {
    if problem.field == "scheme" {
        "url scheme".clone_into(&mut problem.field);
        "this build has no driver for it".clone_into(&mut problem.why);
        // A database of its own is no slip of the pen.
        let others = ["mariadb", "mysql", "postgres", "postgresql"];
        problem.nearest = problem.nearest.filter(|_| !others.contains(&&*problem.value));
    }
    problem
}

/// Whether it looks like the path of an SQLite file and like nothing else.
fn is_path(url: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    [".db", ".db3", ".sqlite", ".sqlite3"].iter().any(|end| url.ends_with(end))
        && url.chars().all(plain)
}

/// Where settings come from, and what is wrong with the arguments among them.
pub(super) fn sources(arguments: &SettingsArguments) -> (Sources, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut sources = Sources::default().environment(std::env::vars_os());
    if let Some(file) = &arguments.file {
        sources = sources.toml_file(file);
    }
    let mut known = Vec::new();
    for (name, field, value) in
        [("--url", "url", &arguments.url), ("--preset", "preset", &arguments.preset)]
    {
        if let Some(value) = value {
            sources = sources.code(name, field, value);
            known.push(field);
        }
    }
    for setting in &arguments.pool {
        let Some((field, value)) = setting.split_once('=') else {
            let allowed = "FIELD=VALUE, such as max_open=8";
            problems.push(Problem::invalid("--pool", setting, "no value", allowed));
            continue;
        };
        let field = field.trim();
        if known.contains(&field) {
            problems.push(Problem::invalid("--pool", field, "given twice", "each field once"));
        }
        known.push(field);
        sources = sources.code("--pool", field, value);
    }
    (sources, problems)
}
