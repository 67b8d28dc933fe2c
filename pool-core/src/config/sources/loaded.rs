//! What the sources say, each of them read once, on the way to a configuration or its problems.

use super::super::{ConfigError, FIELDS, Field, Origin, PoolConfig, Preset, Problem};
use super::resolved::index_of;
use super::{BESIDES, PRESET, Resolved, Secret, Setting, Sources, URL, file, url};
use crate::driver::Driver;

/// The sources one upon the other, before the whole is looked at.
#[derive(Clone)]
pub(crate) struct Loaded {
    resolved: Resolved,
    problems: Vec<Problem>,
    /// Whether a source names a URL, or the file of one.
    names_url: bool,
}

impl Loaded {
    /// Reads the URL's file, if there is one; the other sources are read already.
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
        let ranked = [&sources.file, &parameters, &sources.environment, &sources.code];
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
        Self { resolved, problems, names_url: sources.names_url() }
    }

    /// The database's URL without the pool's own parameters.
    pub(super) fn url(&self) -> Option<&Secret> {
        self.resolved.url()
    }

    /// The configuration as it is.
    pub(crate) fn finish(mut self) -> Result<Resolved, ConfigError> {
        let found = self.resolved.config.problems();
        self.resolved.locate(found, &mut self.problems);
        ConfigError::from_problems(self.problems)?;
        Ok(self.resolved)
    }

    /// The configuration for a pool of `driver`.
    pub(crate) fn finish_for<D: Driver>(mut self, driver: &D) -> Result<Resolved, ConfigError> {
        self.resolved.fit(driver);
        let mut found = self.resolved.config.problems();
        found.extend(driver.objections(&self.resolved.config));
        self.resolved.locate(found, &mut self.problems);
        ConfigError::from_problems(self.problems)?;
        Ok(self.resolved)
    }

    /// Makes a driver from the URL, and the configuration for it. Without a URL, `missing` says what
    /// is allowed.
    pub(crate) fn finish_with<T>(
        self,
        make: impl FnOnce(&str) -> Result<T, ConfigError>,
        finish: impl FnOnce(&T, Self) -> Result<Resolved, ConfigError>,
        missing: impl FnOnce() -> Problem,
    ) -> Result<(T, Resolved), ConfigError> {
        let wrong = match &self.resolved.url {
            Some((url, origin)) => match make(url.expose()) {
                Ok(driver) => {
                    let resolved = finish(&driver, self)?;
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
        problems.extend(self.finish().err().iter().flat_map(ConfigError::problems).cloned());
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
