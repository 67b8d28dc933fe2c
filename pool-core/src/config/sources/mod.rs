//! A configuration from several sources, each value with its origin.
//!
//! Low to high: preset, TOML file, the URL's `pool_*` parameters, environment, code. Every problem of
//! every source is reported at once, also of values that a higher source overrides.

mod file;
mod schema;
mod secret;
mod url;

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

pub use self::schema::json_schema;
pub use self::secret::Secret;
use super::{ConfigError, FIELDS, Field, Origin, PoolConfig, Preset, Problem};

/// Fields that are no settings of the pool: what chooses its preset and its database.
const PRESET: &str = "preset";
const URL: &str = "url";
const URL_FILE: &str = "url_file";
const BESIDES: [&str; 3] = [PRESET, URL, URL_FILE];

/// A value of one source, as text that may be a URL, or meant to be one.
#[derive(Clone, Debug)]
struct Setting {
    field: String,
    value: Secret,
    origin: Origin,
}

/// What the sources say. They rank by kind, in whatever order they are added.
///
/// ```
/// use pool_core::{Preset, Sources};
///
/// let resolved = Sources::default()
///     .preset(Preset::Production)
///     .toml("pool.toml", "[pool]\nmax_open = 40\nmax_lifetime = '10m'\n")
///     .url("postgres://app@db/shop?pool_max_open=30")
///     .environment(None, &[], [("POOL_ACQUIRE_TIMEOUT", "250ms")])
///     .resolve()?;
/// assert_eq!(resolved.config().max_open, 30);
/// assert_eq!(resolved.origin("max_open").to_string(), "pool_max_open in the URL");
/// assert_eq!(resolved.origin("max_lifetime").to_string(), "pool.toml:3");
/// assert_eq!(resolved.origin("max_idle").to_string(), "preset production");
/// assert_eq!(resolved.url().expect("given").expose(), "postgres://app@db/shop");
/// # Ok::<(), pool_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sources {
    preset: Option<Preset>,
    file: Vec<Setting>,
    environment: Vec<Setting>,
    code: Vec<Setting>,
    problems: Vec<Problem>,
}

impl Sources {
    /// The preset to start from, unless a source names another.
    #[must_use]
    pub fn preset(mut self, preset: Preset) -> Self {
        self.preset = Some(preset);
        self
    }

    /// The table `[pool]` of a TOML file; `file` is what messages call it.
    #[must_use]
    pub fn toml(mut self, file: &str, text: &str) -> Self {
        let settings = file::read(&Arc::from(file), text, &mut self.problems);
        self.file.extend(settings);
        self
    }

    /// The table `[pool]` of the TOML file at `path`. One that cannot be read is a problem.
    #[must_use]
    pub fn toml_file(mut self, path: &Path) -> Self {
        match fs::read_to_string(path) {
            Ok(text) => self.toml(&path.display().to_string(), &text),
            Err(error) => {
                let (path, why) = (path.display().to_string(), error.to_string());
                self.problems.push(Problem::invalid("file", path, why, "a readable TOML file"));
                self
            }
        }
    }

    /// The database's URL, as code gives it. A URL from another source counts the same way: its
    /// `pool_*` parameters are settings.
    #[must_use]
    pub fn url(self, url: &str) -> Self {
        self.code("url", URL, url)
    }

    /// Environment variables: `POOL_MAX_OPEN` and so on for every pool, `POOL_ORDERS_MAX_OPEN` for
    /// the pool called `orders`, `POOL_URL_FILE` for a URL that is kept in a file. Variables of
    /// `other_pools` are left alone; any other that begins with `POOL_` is a problem.
    #[must_use]
    pub fn environment<N: AsRef<str>, V: AsRef<str>>(
        mut self,
        pool: Option<&str>,
        other_pools: &[&str],
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let prefix_of = |pool: &str| format!("POOL_{}_", pool.replace('-', "_").to_uppercase());
        let own = pool.map(prefix_of);
        let others: Vec<_> = other_pools.iter().map(|pool| prefix_of(pool)).collect();
        let (mut general, mut named) = (Vec::new(), Vec::new());
        for (variable, value) in variables {
            let (variable, value) = (variable.as_ref(), value.as_ref());
            let Some(rest) = variable.strip_prefix("POOL_") else { continue };
            let origin = Origin::Environment { variable: variable.to_owned() };
            let setting = |field: &str| {
                let field = field.to_lowercase();
                Setting { field, value: Secret::new(value), origin: origin.clone() }
            };
            match own.as_ref().and_then(|own| variable.strip_prefix(own.as_str())) {
                Some(field) => named.push(setting(field)),
                None if others.iter().any(|other| variable.starts_with(other.as_str())) => {}
                None => general.push(setting(rest)),
            }
        }
        // What names the pool counts more.
        general.append(&mut named);
        self.environment.extend(general);
        self
    }

    /// A value that the program sets; `name` is what messages call it, such as `--pool`.
    #[must_use]
    pub fn code(mut self, name: &str, field: &str, value: &str) -> Self {
        let origin = Origin::Code { name: Arc::from(name) };
        self.code.push(Setting { field: field.to_owned(), value: Secret::new(value), origin });
        self
    }

    /// What all sources come to.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem of every source, each with its origin.
    pub fn resolve(&self) -> Result<Resolved, ConfigError> {
        let mut problems = self.problems.clone();
        let url = self.find_url(&mut problems);
        let (url, parameters) = match url {
            None => (None, Vec::new()),
            Some((url, origin)) => {
                let (url, parameters) = url::split(url.expose(), &mut problems);
                (Some((Secret::new(url), origin)), parameters)
            }
        };
        let ranked = [&self.file, &parameters, &self.environment, &self.code];
        let settings: Vec<_> = ranked.into_iter().flatten().collect();
        let preset = find_preset(&settings, &mut problems).or(self.preset);
        let mut config = preset.map_or_else(PoolConfig::default, PoolConfig::preset);
        let mut origins = vec![Origin::Default; FIELDS.len()];
        if let Some(preset) = preset {
            for field in Preset::FIELDS {
                origins[index_of(field)] = Origin::Preset(preset);
            }
        }
        for setting in settings {
            if BESIDES.contains(&&*setting.field) {
                continue;
            }
            match set(&mut config, setting) {
                Ok(()) => origins[index_of(&setting.field)] = setting.origin.clone(),
                Err(problem) => problems.push(problem.at(setting.origin.clone())),
            }
        }
        for problem in config.problems() {
            let origin = origins[index_of(&problem.field)].clone();
            problems.push(problem.at(origin));
        }
        ConfigError::from_problems(problems)?;
        Ok(Resolved { config, origins, url })
    }

    /// The database's URL without the pool's own parameters, whatever else is wrong.
    #[must_use]
    pub fn database_url(&self) -> Option<Secret> {
        let (url, _) = self.find_url(&mut Vec::new())?;
        Some(Secret::new(url::split(url.expose(), &mut Vec::new()).0))
    }

    /// The URL of the highest source, from the file that is named for it if it is.
    fn find_url(&self, problems: &mut Vec<Problem>) -> Option<(Secret, Origin)> {
        let ranked = [&self.code, &self.environment, &self.file];
        let mut settings = ranked.into_iter().flat_map(|settings| settings.iter().rev());
        let found = settings.find(|it| it.field == URL || it.field == URL_FILE)?;
        if found.field == URL {
            return Some((found.value.clone(), found.origin.clone()));
        }
        let path = found.value.expose();
        match fs::read_to_string(path) {
            Ok(url) => Some((Secret::new(url.trim_end()), found.origin.clone())),
            Err(error) => {
                let allowed = "the path of a file that holds the URL";
                let problem = Problem::invalid(URL_FILE, path, error.to_string(), allowed);
                problems.push(problem.at(found.origin.clone()));
                None
            }
        }
    }
}

fn set(config: &mut PoolConfig, setting: &Setting) -> Result<(), Problem> {
    if Field::named(&setting.field).is_err() {
        // The value may belong to a misspelt `url`: it is not repeated.
        let names = FIELDS.iter().map(|field| field.name).chain(BESIDES);
        return Err(Problem::unknown("setting", &setting.field, names));
    }
    config.set(&setting.field, setting.value.expose())
}

/// The preset that the highest source names.
fn find_preset(settings: &[&Setting], problems: &mut Vec<Problem>) -> Option<Preset> {
    let mut found = None;
    for setting in settings.iter().filter(|setting| setting.field == PRESET) {
        match setting.value.expose().parse() {
            Ok(preset) => found = Some(preset),
            Err(problem) => {
                let problem: Problem = problem;
                problems.push(problem.at(setting.origin.clone()));
            }
        }
    }
    found
}

fn index_of(name: &str) -> usize {
    let position = FIELDS.iter().position(|field| field.name == name);
    position.expect("bug: a field that is not in the table")
}

/// A configuration whose values know where they came from.
#[derive(Clone, Debug)]
pub struct Resolved {
    config: PoolConfig,
    /// In the order of `FIELDS`.
    origins: Vec<Origin>,
    url: Option<(Secret, Origin)>,
}

impl Resolved {
    /// The configuration. It is valid.
    #[must_use]
    pub fn config(&self) -> &PoolConfig {
        &self.config
    }

    /// The database's URL without the pool's own parameters, if a source gave one.
    #[must_use]
    pub fn url(&self) -> Option<&Secret> {
        self.url.as_ref().map(|(url, _)| url)
    }

    /// Where the URL came from.
    #[must_use]
    pub fn url_origin(&self) -> Option<&Origin> {
        self.url.as_ref().map(|(_, origin)| origin)
    }

    /// Where a field's value came from.
    ///
    /// # Panics
    ///
    /// With a name that no field has.
    #[must_use]
    pub fn origin(&self, field: &str) -> &Origin {
        &self.origins[index_of(field)]
    }

    /// Every field with its value in effect and where it came from, as lines of a table. The URL's
    /// line tells its scheme only.
    #[must_use]
    pub fn explain(&self) -> Explanation<'_> {
        Explanation(self)
    }
}

/// What [`Resolved::explain`] shows.
#[derive(Debug)]
pub struct Explanation<'a>(&'a Resolved);

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Resolved { config, origins, url } = self.0;
        if let Some((url, origin)) = url {
            let scheme = url.expose().split_once(':').map_or("", |(scheme, _)| scheme);
            writeln!(f, "{:<18} {:<14} {origin}", "url", format!("{scheme}:..."))?;
        }
        for (field, origin) in FIELDS.iter().zip(origins) {
            let effective = config.effective_max_idle();
            if field.name == "max_idle" && effective != config.max_idle {
                let given = field.text(config);
                let value = match effective {
                    PoolConfig::UNLIMITED => "unlimited".to_owned(),
                    effective => effective.to_string(),
                };
                writeln!(
                    f,
                    "{:<18} {value:<14} {origin} ({given}), lowered to max_open",
                    field.name
                )?;
            } else {
                writeln!(f, "{:<18} {:<14} {origin}", field.name, field.text(config))?;
            }
        }
        Ok(())
    }
}
