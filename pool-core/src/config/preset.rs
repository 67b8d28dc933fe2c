//! Starting points per environment, from the project's founding document.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{PoolConfig, Problem};

/// A starting point for an environment, overridable field by field.
///
/// | preset | `max_open` | `max_idle` | `max_lifetime` | `max_idle_time` |
/// |---|---|---|---|---|
/// | `development` | 5 | 2 | 1 h | 30 min |
/// | `testing` | 10 | 3 | 30 min | 15 min |
/// | `staging` | 15 | 5 | 3 min | 1 min |
/// | `production` | 25 | 5 | 5 min | 1 min |
/// | `high_load` | 100 | 20 | 2 min | 30 s |
///
/// ```
/// use pool_core::{PoolConfig, Preset};
///
/// let preset: Preset = "high-load".parse()?;
/// let config = PoolConfig { max_open: 60, ..PoolConfig::preset(preset) };
/// assert_eq!(config.max_idle, 20);
/// # Ok::<(), pool_core::Problem>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preset {
    /// A developer's machine.
    Development,
    /// Automated tests.
    Testing,
    /// A rehearsal of production.
    Staging,
    /// A service under ordinary load.
    Production,
    /// A service under heavy load.
    HighLoad,
}

impl Preset {
    /// Every preset, smallest first.
    pub const ALL: [Self; 5] =
        [Self::Development, Self::Testing, Self::Staging, Self::Production, Self::HighLoad];

    /// The fields that a preset sets.
    #[cfg(feature = "sources")]
    pub(super) const FIELDS: [&str; 4] = ["max_open", "max_idle", "max_lifetime", "max_idle_time"];

    /// The name used in text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Testing => "testing",
            Self::Staging => "staging",
            Self::Production => "production",
            Self::HighLoad => "high_load",
        }
    }

    pub(super) fn config(self) -> PoolConfig {
        let (max_open, max_idle, lifetime_secs, idle_secs) = match self {
            Self::Development => (5, 2, 60 * 60, 30 * 60),
            Self::Testing => (10, 3, 30 * 60, 15 * 60),
            Self::Staging => (15, 5, 3 * 60, 60),
            Self::Production => (25, 5, 5 * 60, 60),
            Self::HighLoad => (100, 20, 2 * 60, 30),
        };
        PoolConfig {
            max_open,
            max_idle,
            max_lifetime: Some(Duration::from_secs(lifetime_secs)),
            max_idle_time: Some(Duration::from_secs(idle_secs)),
            ..PoolConfig::default()
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let name = text.trim().to_ascii_lowercase().replace('-', "_");
        Self::ALL
            .into_iter()
            .find(|preset| preset.name() == name)
            .ok_or_else(|| Problem::unknown("preset", text, Self::ALL.into_iter().map(Self::name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_those_of_the_founding_document() {
        let rows = Preset::ALL.map(|preset| {
            let config = PoolConfig::preset(preset);
            let secs = |time: Option<Duration>| time.expect("on").as_secs();
            (
                config.max_open,
                config.max_idle,
                secs(config.max_lifetime),
                secs(config.max_idle_time),
            )
        });
        assert_eq!(
            rows,
            [
                (5, 2, 3600, 1800),
                (10, 3, 1800, 900),
                (15, 5, 180, 60),
                (25, 5, 300, 60),
                (100, 20, 120, 30)
            ]
        );
    }

    #[test]
    fn every_preset_is_valid() {
        for preset in Preset::ALL {
            assert_eq!(PoolConfig::preset(preset).validate(), Ok(()), "{preset}");
        }
    }

    #[test]
    fn an_unknown_preset_is_an_error_that_lists_the_names() {
        let problem = "prodction".parse::<Preset>().expect_err("no such preset").to_string();
        assert_eq!(
            problem,
            "preset = \"prodction\": unknown; allowed: development, testing, staging, production, \
             high_load; did you mean \"production\"?"
        );
    }

    #[test]
    fn high_load_may_be_spelled_with_a_hyphen() {
        assert_eq!("high-load".parse(), Ok(Preset::HighLoad));
    }
}
