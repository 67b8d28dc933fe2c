//! A configuration from several sources, each value with its origin.
//!
//! Low to high: preset, TOML file, the URL's `pool_*` parameters, environment, code. Every problem of
//! every source is reported at once, also of values that a higher source overrides.

pub(crate) mod environment;
pub(crate) mod file;
mod resolved;
mod schema;
mod secret;
mod url;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use self::environment::Environment;
use self::resolved::index_of;
pub use self::resolved::{Explanation, Resolved};
pub use self::schema::json_schema;
pub use self::secret::Secret;
use super::{ConfigError, FIELDS, Field, Origin, PoolConfig, Preset, Problem};
use crate::driver::Driver;

/// Fields that are no settings of the pool: what chooses its preset and its database.
const PRESET: &str = "preset";
const URL: &str = "url";
const URL_FILE: &str = "url_file";
pub(crate) const BESIDES: [&str; 3] = [PRESET, URL, URL_FILE];

/// A value of one source, as text that may be a URL, or meant to be one.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) field: String,
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

    /// What a file with several pools says about one of them.
    #[cfg(feature = "manager")]
    pub(crate) fn with_file(mut self, settings: impl IntoIterator<Item = Setting>) -> Self {
        self.file.extend(settings);
        self
    }

    /// The database's URL, as code gives it. A URL from another source counts the same way: its
    /// `pool_*` parameters are settings.
    #[must_use]
    pub fn url(self, url: &str) -> Self {
        self.code("url", URL, url)
    }

    /// Environment variables, as from [`std::env::vars_os`]: `POOL_MAX_OPEN` and so on for every
    /// pool, `POOL_ORDERS_MAX_OPEN` for the pool called `orders`, `POOL_URL_FILE` for a URL that is
    /// kept in a file. Variables of `other_pools` are left alone; any other that begins with `POOL_`
    /// is a problem.
    #[must_use]
    pub fn environment<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        self,
        pool: Option<&str>,
        other_pools: &[&str],
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut environment = Environment::new(variables);
        let mut sources = self;
        sources.problems.append(&mut environment.problems);
        sources.with_environment(environment.settings(pool, other_pools))
    }

    /// What the environment says about one of several pools.
    pub(crate) fn with_environment(mut self, settings: Vec<Setting>) -> Self {
        self.environment.extend(settings);
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
        let resolved = self.read(&mut problems);
        resolved.locate(resolved.config.problems(), &mut problems);
        ConfigError::from_problems(problems)?;
        Ok(resolved)
    }

    /// What all sources come to for a pool of `driver`: what nobody set but a preset is as
    /// [`Driver::pool_defaults`] fits it to the database.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem of every source and every objection of the driver, each
    /// with its origin.
    pub fn resolve_for<D: Driver>(&self, driver: &D) -> Result<Resolved, ConfigError> {
        let mut problems = self.problems.clone();
        let mut resolved = self.read(&mut problems);
        resolved.fit(driver);
        let mut found = resolved.config.problems();
        found.extend(driver.objections(&resolved.config));
        resolved.locate(found, &mut problems);
        ConfigError::from_problems(problems)?;
        Ok(resolved)
    }

    /// The sources one upon the other, before the whole is looked at.
    fn read(&self, problems: &mut Vec<Problem>) -> Resolved {
        let (url, parameters) = match self.find_url(problems) {
            None => (None, Vec::new()),
            Some((url, origin)) => {
                let (url, parameters) = url::split(url.expose(), problems);
                (Some((Secret::new(url), origin)), parameters)
            }
        };
        let ranked = [&self.file, &parameters, &self.environment, &self.code];
        let settings: Vec<_> = ranked.into_iter().flatten().collect();
        let preset = find_preset(&settings, problems).or(self.preset);
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
        Resolved { config, origins, url }
    }

    /// The database's URL without the pool's own parameters, whatever else is wrong.
    #[must_use]
    pub fn database_url(&self) -> Option<Secret> {
        let (url, _) = self.find_url(&mut Vec::new())?;
        Some(Secret::new(url::split(url.expose(), &mut Vec::new()).0))
    }

    /// The same, and where it comes from; without a text if its file cannot be read.
    #[cfg(feature = "manager")]
    pub(crate) fn located_url(&self) -> Option<(Option<Secret>, Origin)> {
        let origin = self.url_setting()?.origin.clone();
        Some((self.database_url(), origin))
    }

    /// The URL of the highest source, from the file that is named for it if it is.
    fn find_url(&self, problems: &mut Vec<Problem>) -> Option<(Secret, Origin)> {
        let found = self.url_setting()?;
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

    /// The highest setting of a URL or its file.
    fn url_setting(&self) -> Option<&Setting> {
        let ranked = [&self.code, &self.environment, &self.file];
        let mut settings = ranked.into_iter().flat_map(|settings| settings.iter().rev());
        settings.find(|it| it.field == URL || it.field == URL_FILE)
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
