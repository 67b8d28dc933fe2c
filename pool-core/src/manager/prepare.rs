//! Drivers and settings of all pools, before any pool is made or changed.

use std::sync::Arc;

use super::drivers::{AnyDriver, Drivers};
use super::routes::Route;
use super::sources::{Asked, NamedSources, Read, join_problems};
use crate::config::{ConfigError, Loaded, Resolved, Secret};

/// A pool that could be made.
pub(super) struct Prepared {
    pub(super) name: Arc<str>,
    pub(super) driver: Box<dyn AnyDriver>,
    pub(super) settings: Resolved,
    /// What the settings were made from.
    pub(super) loaded: Loaded,
}

impl Prepared {
    /// The driver and the settings of one pool, each source read once.
    pub(super) fn new(drivers: &Drivers, asked: &Asked) -> Result<Self, ConfigError> {
        let loaded = asked.sources.load();
        let made = loaded.clone().resolve_made(
            |url| drivers.make(url),
            |driver, loaded| driver.settle(loaded),
            || drivers.missing(asked),
        );
        let (driver, settings) = made?;
        Ok(Self { name: asked.name.as_str().into(), driver, settings, loaded })
    }

    /// What its driver is made from.
    pub(super) fn url(&self) -> &Secret {
        self.settings.url().expect("bug: a driver without a URL")
    }
}

/// Makes every driver and settles every setting.
pub(super) fn prepare(
    drivers: &Drivers,
    sources: &NamedSources,
) -> Result<(Vec<Prepared>, Vec<Route>), ConfigError> {
    let Read { asked, routes, mut problems } = sources.read(&[]);
    let mut prepared = Vec::new();
    let mut failed = Vec::new();
    for asked in &asked {
        match Prepared::new(drivers, asked) {
            Ok(ready) => prepared.push(ready),
            Err(error) => failed.push((&*asked.name, error)),
        }
    }
    problems.extend(join_problems(asked.len(), &failed));
    ConfigError::from_problems(problems)?;
    Ok((prepared, routes))
}
