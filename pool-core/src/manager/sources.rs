//! Where the settings of several pools come from, and what is wrong with them as a whole.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::routes::{self, Route};
use crate::config::environment::{Environment, PREFIX, prefix_of};
use crate::config::file::{NamedPools, read_named, read_toml};
use crate::config::{
    BESIDES, ConfigError, FIELDS, Field, Origin, PRESET, Preset, Problem, Secret, Setting, Sources,
    URL, URL_FILE, nearest, shown_name,
};

/// Why a URL that is no pool's own is refused.
const EVERYBODYS: &str = "it would be the database of every pool";

/// What a pool or a route may be called.
pub(super) const NAME: &str = "a name of a-z, 0-9 and single - or _, such as orders or orders-eu";

/// What the sources say about several pools. They rank as in [`Sources`], for every pool by itself.
///
/// The pools are the tables `[pools.NAME]` of one TOML file; its table `[pool]` goes for all of
/// them. Its tables `[routes.NAME]` say which `pools` stand in for each other, such as a primary and its
/// replicas. `POOL_MAX_OPEN` and so on go for all of them, too, `POOL_ORDERS_MAX_OPEN` for the pool
/// called `orders`. Only the URL of a pool must be its own: one for all of them is a problem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedSources {
    preset: Option<Preset>,
    file: Option<File>,
    environment: Environment,
    code: Vec<Code>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    name: Arc<str>,
    /// Its text, or why there is none.
    text: Result<Secret, Problem>,
}

#[derive(Clone, PartialEq, Eq)]
struct Code {
    pool: Option<String>,
    name: String,
    field: String,
    value: Secret,
}

/// Pool and field are what somebody wrote: a misplaced URL, perhaps.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code")
            .field("pool", &self.pool.as_deref().map(shown_name))
            .field("name", &self.name)
            .field("field", &shown_name(&self.field))
            .finish_non_exhaustive()
    }
}

/// A pool that the sources ask for.
pub(super) struct Asked {
    pub(super) name: String,
    /// Where it is named first.
    pub(super) origin: Origin,
    pub(super) sources: Sources,
}

/// What the sources say.
pub(super) struct Read {
    /// Every pool with its own sources.
    pub(super) asked: Vec<Asked>,
    pub(super) routes: Vec<Route>,
    /// What is wrong beyond the pools.
    pub(super) problems: Vec<Problem>,
}

impl NamedSources {
    /// The preset to start from, unless a source names another.
    #[must_use]
    pub fn preset(mut self, preset: Preset) -> Self {
        self.preset = Some(preset);
        self
    }

    /// The TOML file, in place of the one before; `file` is what messages call it.
    #[must_use]
    pub fn toml(mut self, file: &str, text: &str) -> Self {
        self.file = Some(File { name: file.into(), text: Ok(Secret::new(text)) });
        self
    }

    /// The TOML file at `path`, read now, in place of the one before. One that cannot be read is a
    /// problem.
    #[must_use]
    pub fn toml_file(mut self, path: impl AsRef<Path>) -> Self {
        self.file = Some(match read_toml(path.as_ref()) {
            Ok((name, text)) => File { name: name.into(), text: Ok(Secret::new(text)) },
            Err(problem) => File { name: "".into(), text: Err(problem) },
        });
        self
    }

    /// Environment variables, as from [`std::env::vars_os`], in place of the ones before. Those that
    /// do not begin with `POOL_` are left alone.
    #[must_use]
    pub fn environment<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.environment = Environment::new(variables);
        self
    }

    /// A value that the program sets for one pool, or for all; `name` is what messages call it, such
    /// as `--pool`.
    #[must_use]
    pub fn code(mut self, name: &str, pool: Option<&str>, field: &str, value: &str) -> Self {
        self.code.push(Code {
            pool: pool.map(str::to_owned),
            name: name.to_owned(),
            field: field.to_owned(),
            value: Secret::new(value),
        });
        self
    }

    /// What the sources say, each pool by itself. `there` are pools that run already: what is said
    /// about one that the file does not name any more is no mistake.
    pub(super) fn read(&self, there: &[&str]) -> Read {
        let mut problems = Vec::new();
        let NamedPools { mut general, named, routes } = self.read_file(&mut problems);
        let mut names: Vec<&str> = Vec::new();
        for pool in &named {
            match check_name(&pool.name, &names) {
                Ok(()) => names.push(&pool.name),
                Err(problem) => problems.push(problem.at(pool.origin.clone())),
            }
        }
        let all: Vec<_> = named.iter().map(|pool| &*pool.name).collect();
        let routes = routes::check(&routes, &all, &names, &mut problems);
        general.retain(|setting| !is_refused(setting, &mut problems));
        let known: Vec<_> = names.iter().chain(there).copied().collect();
        let environment = self.own_environment(&known, &mut problems);
        self.check_code(&known, &mut problems);
        let asked = named.iter().filter(|pool| names.contains(&&*pool.name)).map(|pool| {
            let others: Vec<_> = known.iter().copied().filter(|name| *name != pool.name).collect();
            let variables = environment.settings(Some(&pool.name), &others, &mut problems);
            let mut sources = Sources::default()
                .with_file(general.iter().chain(&pool.settings).cloned())
                .with_environment(variables);
            if let Some(preset) = self.preset {
                sources = sources.preset(preset);
            }
            // What names the pool counts more.
            let (all, its): (Vec<_>, Vec<_>) = self.code.iter().partition(|it| it.pool.is_none());
            let all = all.into_iter().filter(|code| !is_url(&code.field));
            let its = its.into_iter().filter(|it| it.pool.as_ref() == Some(&pool.name));
            for Code { name, field, value, .. } in all.chain(its) {
                sources = sources.code(name, field, value.expose());
            }
            Asked { name: pool.name.clone(), origin: pool.origin.clone(), sources }
        });
        Read { asked: asked.collect(), routes, problems }
    }

    /// The variables that are about a pool, or about all.
    fn own_environment(&self, pools: &[&str], problems: &mut Vec<Problem>) -> Environment {
        let mut environment = self.environment.clone();
        problems.append(&mut environment.problems);
        let prefixes: Vec<_> = pools.iter().map(|pool| prefix_of(pool)).collect();
        environment.variables.retain(|(variable, _)| {
            let field = variable[PREFIX.len()..].to_lowercase();
            let origin = Origin::Environment { variable: variable.clone() };
            if prefixes.iter().any(|prefix| variable.starts_with(prefix)) {
                return true;
            }
            if is_url(&field) {
                let allowed = "POOL_<NAME>_URL";
                problems.push(Problem::invalid(field, "", EVERYBODYS, allowed).at(origin));
                return false;
            }
            if field == PRESET || Field::find(&field).is_some() {
                return true;
            }
            // A misspelt pool, perhaps: the names to compare with are those of its variables.
            let fields = || FIELDS.iter().map(|field| field.name).chain(BESIDES);
            let candidates: Vec<_> = [PREFIX.to_owned()]
                .iter()
                .chain(&prefixes)
                .flat_map(|prefix| {
                    fields().map(move |field| format!("{prefix}{}", field.to_uppercase()))
                })
                .collect();
            let mut problem = Problem::unknown("variable", &**variable, fields());
            problem.allowed = format!("POOL_<FIELD> or POOL_<NAME>_<FIELD> of {}", problem.allowed);
            problem.nearest =
                nearest(variable, candidates.iter().map(String::as_str)).map(Box::from);
            problems.push(problem.at(origin));
            false
        });
        environment
    }

    fn check_code(&self, pools: &[&str], problems: &mut Vec<Problem>) {
        for Code { pool, name, field, .. } in &self.code {
            let origin = Origin::Code { name: name.as_str().into() };
            match pool {
                Some(pool) if !pools.contains(&&**pool) => {
                    problems.push(Problem::unknown("pool", pool, pools.iter().copied()).at(origin));
                }
                None if is_url(field) => {
                    let allowed = "a URL for one pool";
                    problems.push(Problem::invalid(field, "", EVERYBODYS, allowed).at(origin));
                }
                _ => {}
            }
        }
    }

    /// What the file says. One without pools is a problem.
    fn read_file(&self, problems: &mut Vec<Problem>) -> NamedPools {
        let mut pools = NamedPools { general: Vec::new(), named: Vec::new(), routes: Vec::new() };
        let before = problems.len();
        let file = match &self.file {
            None => "",
            Some(File { name, text: Ok(text) }) => {
                pools = read_named(name, text.expose(), problems);
                name
            }
            Some(File { name, text: Err(problem) }) => {
                problems.push(problem.clone());
                name
            }
        };
        if pools.named.is_empty() && problems.len() == before {
            problems.push(Problem::invalid("file", file, "names no pool", "tables [pools.NAME]"));
        }
        pools
    }
}

/// Whether a setting for all pools is a URL, with that as a problem.
fn is_refused(setting: &Setting, problems: &mut Vec<Problem>) -> bool {
    let is_url = is_url(&setting.field);
    if is_url {
        let problem = Problem::invalid(&setting.field, "", EVERYBODYS, "it in [pools.NAME]");
        problems.push(problem.at(setting.origin.clone()));
    }
    is_url
}

fn is_url(field: &str) -> bool {
    field == URL || field == URL_FILE
}

/// Whether a pool may be called `name` beside those `known`: its environment variables must be
/// nobody else's.
fn check_name(name: &str, known: &[&str]) -> Result<(), Problem> {
    if !is_name(name) {
        return Err(Problem::invalid("pool", shown_name(name), "not a name of a pool", NAME));
    }
    let own = prefix_of(name);
    let general = PREFIX.to_owned();
    let others = known.iter().map(|other| (prefix_of(other), format!("the pool {other:?}")));
    for (other, whose) in others.chain([(general, "all pools".to_owned())]) {
        if let Some(variable) = shared_variable(&own, &other) {
            let why = format!("its variable {variable} would be one of {whose}, too");
            return Err(Problem::invalid("pool", name, why, "another name"));
        }
    }
    Ok(())
}

pub(super) fn is_name(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    name.split(['-', '_']).all(is_word) && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// A variable that begins with both prefixes and means something with either.
fn shared_variable(one: &str, other: &str) -> Option<String> {
    let (shorter, longer) = if one.len() < other.len() { (one, other) } else { (other, one) };
    let fields = FIELDS.iter().map(|field| field.name).chain(BESIDES);
    let mut variables = fields.map(|field| format!("{shorter}{}", field.to_uppercase()));
    variables.find(|variable| variable.starts_with(longer))
}

/// What is wrong with `failed` of `pools` pools. What is wrong with all of them alike is said once,
/// the rest with the pool's name before the field's.
pub(super) fn join_problems(pools: usize, failed: &[(&str, ConfigError)]) -> Vec<Problem> {
    let is_common = |problem: &Problem| {
        failed.len() == pools && failed.iter().all(|(_, error)| error.problems().contains(problem))
    };
    let mut joined = Vec::new();
    for (index, (pool, error)) in failed.iter().enumerate() {
        for problem in error.problems() {
            if !is_common(problem) {
                let field = format!("{pool}.{}", problem.field);
                joined.push(Problem { field, ..problem.clone() });
            } else if index == 0 {
                joined.push(problem.clone());
            }
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_whose_variables_could_be_anothers_is_refused() {
        for (name, known) in [
            ("max", &[][..]),     // POOL_MAX_OPEN
            ("url", &[]),         // POOL_URL_FILE
            ("check_after", &[]), // POOL_CHECK_AFTER_IDLE
            ("a-b", &["a_b"]),    // POOL_A_B_...
            ("a", &["a-max"]),    // POOL_A_MAX_OPEN
            ("a-max", &["a"]),    // POOL_A_MAX_OPEN
        ] {
            let problem = check_name(name, known).expect_err(name);
            assert!(problem.why.contains("variable POOL_"), "{problem}");
        }
        for (name, known) in
            [("orders", &["orders-eu"][..]), ("orders-eu", &["orders"]), ("m", &[])]
        {
            assert_eq!(check_name(name, known), Ok(()));
        }
        for name in ["", "Orders", "1st", "a--b", "-a", "a.b", "a b", "ä"] {
            assert_eq!(check_name(name, &[]).expect_err(name).allowed, NAME);
        }
    }
}
