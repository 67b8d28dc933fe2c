//! What the sources say, each of them read once, on the way to a configuration or its problems.

use super::super::{ConfigError, FIELDS, Field, Origin, PoolConfig, Preset, Problem};
use super::resolved::index_of;
use super::{BESIDES, PRESET, Resolved, Secret, Setting, Sources, URL, file, url};
use crate::driver::Driver;

/// What [`Sources`] say, each of them read once: whatever becomes of a file afterwards, the driver
/// that is chosen by its URL gets the settings that stood beside it.
///
/// What is wrong with a source is told by the functions that resolve, all of it at once.
///
/// ```
/// use pool_core::Sources;
/// # use std::sync::Arc;
/// # use pool_core::runtime::TokioRuntime;
/// # use pool_testkit::{FakeDriver, FakeServer};
/// # let server = FakeServer::new(Arc::new(TokioRuntime::new()));
///
/// let loaded = Sources::default().url("fake://db/shop?pool_max_open=30").load();
/// assert_eq!(loaded.scheme().as_deref(), Some("fake")); // which tells the driver
/// let (driver, resolved) = loaded.resolve_with(|url| {
///     assert_eq!(url, "fake://db/shop");
///     Ok(FakeDriver::new(&server))
/// })?;
/// assert_eq!(resolved.config().max_open, 30);
/// # let _: FakeDriver = driver;
/// # Ok::<(), pool_core::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Loaded {
    /// One upon the other, before the whole is looked at.
    resolved: Resolved,
    problems: Vec<Problem>,
    /// Whether a source names a URL, or the file of one.
    names_url: bool,
}

impl Loaded {
    /// Reads the URL's file, if that counts; the other sources are read already.
    pub(super) fn new(sources: &Sources) -> Self {
        let mut problems = sources.problems.clone();
        problems.extend(two_urls(&sources.code));
        let found = find_url(sources, &mut problems);
        let (url, parameters) = match found {
            None => (None, Vec::new()),
            Some((url, origin)) => {
                let (url, parameters) = url::split(url.expose(), &mut problems);
                (Some((Secret::new(url), origin)), parameters)
            }
        };
        let ranked =
            [&sources.fallback, &sources.file, &parameters, &sources.environment, &sources.code];
        let settings: Vec<_> = ranked.into_iter().flatten().collect();
        let preset = find_preset(&settings, &mut problems).or(sources.preset);
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
        let resolved = Resolved { config, origins, url };
        Self { resolved, problems, names_url: sources.url_setting().is_some() }
    }

    /// Whether a source names the database's URL, or the file of one, be it readable or not.
    #[must_use]
    pub fn names_url(&self) -> bool {
        self.names_url
    }

    /// The scheme of the URL, in small letters, to choose a driver by. Not to be shown: of text that
    /// is no URL it may be a part of a password.
    #[must_use]
    pub fn scheme(&self) -> Option<String> {
        let (scheme, _) = self.resolved.url()?.expose().split_once(':')?;
        Some(scheme.to_lowercase())
    }

    /// What all sources come to.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem of every source, each with its origin.
    pub fn resolve(mut self) -> Result<Resolved, ConfigError> {
        let found = self.resolved.config.problems();
        self.resolved.locate(found, &mut self.problems);
        ConfigError::from_problems(self.problems)?;
        Ok(self.resolved)
    }

    /// What all sources come to for a pool of `driver`: what nobody set but a preset or
    /// the [fallback](Sources::fallback) is as [`Driver::pool_defaults`] fits it to the database.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem of every source and every objection of the driver, each
    /// with its origin.
    pub fn resolve_for<D: Driver>(mut self, driver: &D) -> Result<Resolved, ConfigError> {
        self.resolved.fit(driver);
        let mut found = self.resolved.config.problems();
        found.extend(driver.objections(&self.resolved.config));
        self.resolved.locate(found, &mut self.problems);
        ConfigError::from_problems(self.problems)?;
        Ok(self.resolved)
    }

    /// Makes a driver from the URL that the sources name, and the settings for it as
    /// [`resolve_for`](Self::resolve_for) does. The URL is without the pool's own parameters.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem of every source and of the URL, each with its origin; also
    /// if no source names a URL.
    pub fn resolve_with<D: Driver>(
        self,
        factory: impl FnOnce(&str) -> Result<D, ConfigError>,
    ) -> Result<(D, Resolved), ConfigError> {
        let missing = || {
            let allowed = "the database's URL, from any source";
            Problem::invalid(URL, "", "no source names it", allowed)
        };
        self.resolve_made(factory, |driver, loaded| loaded.resolve_for(driver), missing)
    }

    /// The same of whatever `make` makes. Without a URL, `missing` says what is allowed.
    pub(crate) fn resolve_made<T>(
        self,
        make: impl FnOnce(&str) -> Result<T, ConfigError>,
        resolve: impl FnOnce(&T, Self) -> Result<Resolved, ConfigError>,
        missing: impl FnOnce() -> Problem,
    ) -> Result<(T, Resolved), ConfigError> {
        let wrong = match &self.resolved.url {
            Some((url, origin)) => match make(url.expose()) {
                Ok(driver) => {
                    let resolved = resolve(&driver, self)?;
                    return Ok((driver, resolved));
                }
                Err(error) => {
                    let problems = error.problems().iter().cloned();
                    problems.map(|problem| problem.at(origin.clone())).collect()
                }
            },
            // Its file cannot be read, which is among the problems.
            None if self.names_url => Vec::new(),
            None => vec![missing()],
        };
        let mut problems = wrong;
        problems.extend(self.resolve().err().iter().flat_map(ConfigError::problems).cloned());
        Err(ConfigError::of(problems))
    }
}

/// The URL of the highest source, from the file that is named for it if it is.
fn find_url(sources: &Sources, problems: &mut Vec<Problem>) -> Option<(Secret, Origin)> {
    let found = sources.url_setting()?;
    if found.field == URL {
        return Some((found.value.clone(), found.origin.clone()));
    }
    match file::read_url(found.value.expose()) {
        Ok(url) => Some((url, found.origin.clone())),
        Err(problem) => {
            problems.push(problem.at(found.origin.clone()));
            None
        }
    }
}

/// What is wrong with settings of one source that name both a URL and the file of one.
pub(super) fn two_urls(settings: &[Setting]) -> Option<Problem> {
    let find = |name| settings.iter().find(|setting| setting.field == name);
    let (_, file) = (find(URL)?, find(super::URL_FILE)?);
    let why = "beside a url, of which it would be another";
    let problem = Problem::invalid(super::URL_FILE, "", why, "one of url and url_file");
    Some(problem.at(file.origin.clone()))
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
