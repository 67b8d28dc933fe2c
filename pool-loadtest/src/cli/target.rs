//! Which database, with which settings: everything that can be wrong with a command line, found at
//! once.

use std::collections::BTreeMap;

use pool_core::{
    ConfigError, FleetName, Loaded, Origin, Problem, Resolved, Sources, nearest, url_scheme,
};
#[cfg(feature = "mysql")]
use pool_mysql::MysqlDriver;
#[cfg(feature = "postgres")]
use pool_postgres::PostgresDriver;
use pool_sqlite::{SqliteDriver, SqliteOptions};

use super::arguments::SettingsArguments;
use crate::database::Database;

/// What a URL looks like that this build has a driver for, for messages.
const FORMS: &[&str] = &[
    "sqlite:PATH",
    "sqlite::memory:",
    "sqlite:NAME?mode=memory",
    #[cfg(feature = "postgres")]
    "postgres://USER:PASSWORD@HOST/DATABASE",
    #[cfg(feature = "mysql")]
    "mysql://USER:PASSWORD@HOST/DATABASE",
];

/// What to do with a driver, whichever it is.
pub(super) trait Visit {
    /// What comes of it.
    type Output;

    /// Does it, with the driver and the settings that all sources come to.
    fn visit<D: Database + Clone>(self, driver: D, resolved: Resolved) -> Self::Output;
}

/// What arguments, files and environment say, each of them read once.
pub(super) struct Target {
    sources: Sources,
    loaded: Loaded,
    /// What is wrong with the arguments, beyond what they set.
    problems: Vec<Problem>,
    /// Options that are not from the command line, and where they came from.
    elsewhere: BTreeMap<String, Origin>,
    /// Of which each connection is to bear a member's name.
    fleet: Option<FleetName>,
}

impl Target {
    /// Reads every source, and what `more` adds to them. Blocks while it does.
    pub(super) fn read(
        arguments: &SettingsArguments,
        more: impl FnOnce(Sources) -> Sources,
    ) -> Self {
        let (sources, problems) = sources(arguments);
        let sources = more(sources);
        let elsewhere = arguments.layers.elsewhere();
        Self { loaded: sources.load(), sources, problems, elsewhere, fleet: None }
    }

    /// The same, of the database at another URL; `name` is what messages call its source. Nothing is
    /// read again.
    pub(super) fn at(&self, name: &str, url: &str) -> Self {
        let sources = self.sources.clone().code(name, "url", url);
        let (problems, elsewhere) = (self.problems.clone(), self.elsewhere.clone());
        let fleet = self.fleet.clone();
        Self { loaded: sources.load(), sources, problems, elsewhere, fleet }
    }

    /// The same, of a pool that is a member of a fleet.
    #[cfg(feature = "monitor")]
    pub(super) fn in_fleet(self, fleet: FleetName) -> Self {
        Self { fleet: Some(fleet), ..self }
    }

    /// Adds what is wrong with arguments that are no settings, and where they stand if not on the
    /// command line.
    pub(super) fn object(&mut self, problems: Vec<Problem>) {
        let elsewhere = &self.elsewhere;
        self.problems.extend(problems.into_iter().map(
            |problem| match elsewhere.get(&problem.field) {
                Some(origin) if problem.origin.is_none() => problem.at(origin.clone()),
                _ => problem,
            },
        ));
    }

    /// Whether a source names a database.
    pub(super) fn names_url(&self) -> bool {
        self.loaded.names_url()
    }

    /// Finds the driver and the settings that all sources come to, with an SQLite database to use if
    /// none names one, and has them visited.
    ///
    /// # Errors
    ///
    /// Every problem of all sources at once.
    pub(super) fn resolve<V: Visit>(
        self,
        fallback: SqliteOptions,
        visitor: V,
    ) -> Result<V::Output, ConfigError> {
        let Self { loaded, problems, fleet, .. } = self;
        let named = |url: &str| match &fleet {
            Some(fleet) => of_member(url, fleet),
            None => url.to_owned(),
        };
        let scheme = loaded.scheme().unwrap_or_default();
        match &*scheme {
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => visit(
                visitor,
                problems,
                loaded.resolve_with(|url| MysqlDriver::from_url(&named(url))),
            ),
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => visit(
                visitor,
                problems,
                loaded.resolve_with(|url| PostgresDriver::from_url(&named(url))),
            ),
            _ if loaded.names_url() => {
                visit(visitor, problems, loaded.resolve_with(|url| from_url(&named(url))))
            }
            _ => {
                let driver = SqliteDriver::new(fallback);
                let resolved = loaded.resolve_for(&driver).map(|resolved| (driver, resolved));
                visit(visitor, problems, resolved)
            }
        }
    }
}

/// The URL of a fresh member of a fleet.
fn of_member(url: &str, fleet: &FleetName) -> String {
    format!("{url}{}fleet={fleet}", if url.contains('?') { '&' } else { '?' })
}

fn visit<V: Visit, D: Database + Clone>(
    visitor: V,
    problems: Vec<Problem>,
    resolved: Result<(D, Resolved), ConfigError>,
) -> Result<V::Output, ConfigError> {
    let found = resolved.as_ref().err().into_iter().flat_map(ConfigError::problems).cloned();
    ConfigError::from_problems(problems.into_iter().chain(found).collect())?;
    let (driver, resolved) = resolved?;
    Ok(visitor.visit(driver, resolved))
}

/// Reads a URL that no other driver reads. Of one that has no scheme nothing is repeated, unless it
/// is clearly a path: it may be the connection string of another database, with a password.
fn from_url(url: &str) -> Result<SqliteDriver, ConfigError> {
    match url.split_once(':') {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("sqlite") => SqliteDriver::from_url(url),
        _ => Err(no_driver(url).into()),
    }
}

fn no_driver(url: &str) -> Problem {
    let forms = FORMS.join(", ");
    let Some(scheme) = url_scheme(url) else {
        let mut problem = Problem::invalid("url", "", "no scheme", forms);
        if is_path(url) {
            url.clone_into(&mut problem.value);
            problem.nearest = Some(format!("sqlite:{url}").into());
        }
        return problem;
    };
    let why = "this build has no driver for it";
    let mut problem = Problem::invalid("url scheme", scheme, why, forms);
    // A database of its own is no slip of the pen.
    let others = ["mariadb", "mysql", "postgres", "postgresql"];
    if !others.contains(&&*scheme.to_lowercase()) {
        problem.nearest = nearest(scheme, others.into_iter().chain(["sqlite"])).map(Box::from);
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
fn sources(arguments: &SettingsArguments) -> (Sources, Vec<Problem>) {
    let mut problems = arguments.layers.problems.clone();
    let mut sources = Sources::default().environment(std::env::vars_os());
    match (&arguments.layers.file, &arguments.file) {
        // Read once, for its other tables too.
        (Some(Ok(file)), _) => sources = sources.toml_read(file),
        (Some(Err(problem)), _) => problems.push(problem.clone()),
        (None, Some(path)) => sources = sources.toml_file(path),
        (None, None) => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_not_asked_for_that_this_build_has_no_driver_for() {
        for url in ["oracle://db/x", "no scheme"] {
            let allowed = no_driver(url).allowed;
            assert!(allowed.contains("sqlite:PATH"), "{allowed}");
            assert_eq!(allowed.contains("mysql://"), cfg!(feature = "mysql"), "{allowed}");
            assert_eq!(allowed.contains("postgres://"), cfg!(feature = "postgres"), "{allowed}");
        }
    }
}
