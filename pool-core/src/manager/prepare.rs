//! Drivers and settings of all pools, before any pool is made or changed.

use std::sync::Arc;

use super::drivers::{AnyDriver, Drivers};
use super::sources::{Asked, NamedSources, join_problems};
use crate::config::{ConfigError, Problem, Resolved, Secret};

/// A pool that could be made.
pub(super) struct Prepared {
    pub(super) name: Arc<str>,
    pub(super) url: Secret,
    pub(super) driver: Box<dyn AnyDriver>,
    pub(super) settings: Resolved,
}

/// Makes every driver and settles every setting.
pub(super) fn prepare(
    drivers: &Drivers,
    sources: &NamedSources,
) -> Result<Vec<Prepared>, ConfigError> {
    let (asked, mut problems) = sources.read();
    let mut prepared = Vec::new();
    let mut failed = Vec::new();
    for asked in asked {
        match prepare_one(drivers, &asked) {
            Ok(ready) => prepared.push(ready),
            Err(problems) => failed.push((asked.name, problems)),
        }
    }
    problems.extend(join_problems(prepared.len() + failed.len(), &failed));
    ConfigError::from_problems(problems)?;
    Ok(prepared)
}

pub(super) fn prepare_one(drivers: &Drivers, asked: &Asked) -> Result<Prepared, Vec<Problem>> {
    let made = drivers.make(asked);
    let resolved = match &made {
        Ok((_, driver)) => driver.resolve(&asked.sources),
        Err(_) => asked.sources.resolve(),
    };
    match (made, resolved) {
        (Ok((url, driver)), Ok(settings)) => {
            Ok(Prepared { name: asked.name.as_str().into(), url, driver, settings })
        }
        (made, resolved) => {
            let mut problems = made.err().unwrap_or_default();
            problems.extend(resolved.err().iter().flat_map(ConfigError::problems).cloned());
            Err(problems)
        }
    }
}
