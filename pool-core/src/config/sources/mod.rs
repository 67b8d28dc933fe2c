//! A configuration from several sources, each value with its origin.
//!
//! Low to high: preset, fallback, TOML file, the URL's `pool_*` parameters, environment, code. Every problem of
//! every source is reported at once, also of values that a higher source overrides.

pub(crate) mod environment;
pub(crate) mod file;
mod foreign;
mod loaded;
mod resolved;
mod schema;
mod secret;
mod url;

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use self::environment::Environment;
pub use self::foreign::{TomlEntry, TomlFile, TomlValue};
pub use self::loaded::Loaded;
pub use self::resolved::{Explanation, Resolved};
pub use self::schema::json_schema;
pub use self::secret::Secret;
pub use self::url::url_scheme;
use super::problem::shown_name;
use super::{Origin, Preset, Problem};

/// Fields that are no settings of the pool: what chooses its preset and its database.
pub(crate) const PRESET: &str = "preset";
pub(crate) const URL: &str = "url";
pub(crate) const URL_FILE: &str = "url_file";
pub(crate) const BESIDES: [&str; 3] = [PRESET, URL, URL_FILE];

/// A value of one source, as text that may be a URL, or meant to be one.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) field: String,
    value: Secret,
    pub(crate) origin: Origin,
}

/// The field is what somebody wrote: a misplaced URL, perhaps.
impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting")
            .field("field", &shown_name(&self.field))
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// Where settings come from. The sources rank by kind, in whatever order they are added.
///
/// ```
/// use pool_core::{Preset, Sources};
///
/// let resolved = Sources::default()
///     .preset(Preset::Production)
///     .toml("pool.toml", "[pool]\nmax_open = 40\nmax_lifetime = '10m'\n")
///     .url("postgres://app@db/shop?pool_max_open=30")
///     .environment([("POOL_ACQUIRE_TIMEOUT", "250ms")])
///     .load()
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
    fallback: Vec<Setting>,
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

    /// What the program sets where no source but a preset says otherwise; `name` is what messages call
    /// it, such as `scenario churn`. What the database demands goes before it.
    ///
    /// ```
    /// use pool_core::Sources;
    ///
    /// let sources = Sources::default().fallback("scenario churn", "max_idle", "1");
    /// let resolved = sources.clone().load().resolve()?;
    /// assert_eq!(resolved.origin("max_idle").to_string(), "scenario churn");
    /// let resolved = sources.environment([("POOL_MAX_IDLE", "3")]).load().resolve()?;
    /// assert_eq!(resolved.config().max_idle, 3);
    /// # Ok::<(), pool_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn fallback(mut self, name: &str, field: &str, value: &str) -> Self {
        let origin = Origin::Fallback { name: Arc::from(name) };
        let value = Secret::new(value);
        self.fallback.push(Setting { field: field.to_owned(), value, origin });
        self
    }

    /// The table `[pool]` of a TOML file; `file` is what messages call it.
    #[must_use]
    pub fn toml(mut self, file: &str, text: &str) -> Self {
        let settings = file::read(&Arc::from(file), text, &mut self.problems);
        self.file.extend(settings);
        self
    }

    /// The table `[pool]` of the TOML file at `path`, read now. One that cannot be read is a problem.
    #[must_use]
    pub fn toml_file(mut self, path: impl AsRef<Path>) -> Self {
        match TomlFile::read(path) {
            Ok(file) => self.toml_read(&file),
            Err(problem) => {
                self.problems.push(problem);
                self
            }
        }
    }

    /// The table `[pool]` of a file that was read already.
    #[must_use]
    pub fn toml_read(self, file: &TomlFile) -> Self {
        self.toml(file.name(), file.text())
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

    /// Environment variables, as from [`std::env::vars_os`]: `POOL_MAX_OPEN` and so on,
    /// `POOL_URL_FILE` for a URL that is kept in a file. Any other that begins with `POOL_` is a
    /// problem.
    #[must_use]
    pub fn environment<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut environment = Environment::new(variables);
        self.problems.append(&mut environment.problems);
        let settings = environment.settings(None, &[], &mut self.problems);
        self.with_environment(settings)
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

    /// Reads what is left to read: the file of the URL, if the highest source that names a database
    /// names one. Files of settings were read, and the environment was taken, when they were added.
    ///
    /// Blocks the thread while it reads. A file that cannot be read is a problem.
    #[must_use]
    pub fn load(&self) -> Loaded {
        Loaded::new(self)
    }

    /// The highest setting of a URL or its file.
    fn url_setting(&self) -> Option<&Setting> {
        let ranked = [&self.code, &self.environment, &self.file, &self.fallback];
        let mut settings = ranked.into_iter().flat_map(|settings| settings.iter().rev());
        settings.find(|it| it.field == URL || it.field == URL_FILE)
    }
}
