//! What the sources come to: a configuration whose values know where they came from.

use std::fmt;

use super::super::problem::NOT_SHOWN;
use super::super::{FIELDS, Origin, PoolConfig, Problem};
use super::{Secret, url_scheme};
use crate::driver::Driver;

/// A configuration whose values know where they came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    pub(super) config: PoolConfig,
    /// In the order of `FIELDS`.
    pub(super) origins: Vec<Origin>,
    pub(super) url: Option<(Secret, Origin)>,
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

    /// Replaces what nobody set but a preset or the fallback by what the database demands.
    pub(super) fn fit<D: Driver>(&mut self, driver: &D) {
        let fitted = driver.pool_defaults(self.config.clone());
        let system = driver.metadata().system_name;
        for (field, origin) in FIELDS.iter().zip(&mut self.origins) {
            let is_free =
                matches!(origin, Origin::Default | Origin::Preset(_) | Origin::Fallback { .. });
            if is_free && field.get(&fitted) != field.get(&self.config) {
                field.copy(&fitted, &mut self.config);
                *origin = Origin::Driver { system: system.clone() };
            }
        }
    }

    /// Adds `found` to `problems`, each with where its value came from.
    pub(super) fn locate(&self, found: Vec<Problem>, problems: &mut Vec<Problem>) {
        problems.extend(found.into_iter().map(|problem| {
            match FIELDS.iter().position(|field| field.name == problem.field) {
                Some(index) => problem.at(self.origins[index].clone()),
                // A driver's own, of its URL.
                None => match self.url_origin() {
                    Some(origin) => problem.at(origin.clone()),
                    None => problem,
                },
            }
        }));
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
            let shown = url_scheme(url.expose()).map(|scheme| format!("{scheme}:..."));
            let shown = shown.as_deref().unwrap_or(NOT_SHOWN);
            writeln!(f, "{:<18} {shown:<14} {origin}", "url")?;
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

pub(super) fn index_of(name: &str) -> usize {
    let position = FIELDS.iter().position(|field| field.name == name);
    position.expect("bug: a field that is not in the table")
}
