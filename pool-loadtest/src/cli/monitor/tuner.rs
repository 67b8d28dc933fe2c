//! The tuner of a run's pool, if one was asked for, and what it says of the pool's size.

use std::fmt;

use clap::ValueEnum;
use pool_core::{ControlHandle, PoolConfig, RecommendedSize};
use pool_monitor::adaptive::{AdaptiveOptions, AdaptiveSize, TunerMode, TunerOptions};
use schemars::JsonSchema;
use serde::Serialize;

/// What the tuner may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TunerChoice {
    /// It is not there.
    #[default]
    Off,
    /// It says what it would do, and changes nothing.
    Shadow,
    /// It tries sizes up to the `max_open` that is configured, and keeps what is better.
    On,
}

impl TunerChoice {
    /// Tunes this pool for as long as the result is there. Needs a tokio runtime around it.
    pub(super) fn start(self, pool: &ControlHandle) -> anyhow::Result<Option<AdaptiveSize>> {
        if self == Self::Off {
            return Ok(None);
        }
        let tuner = TunerOptions { mode: self.mode(), ..TunerOptions::default() };
        let options = AdaptiveOptions { tuner, ..AdaptiveOptions::default() };
        Ok(Some(AdaptiveSize::start(pool, options)?))
    }

    /// What the monitor calls it.
    pub(crate) fn mode(self) -> TunerMode {
        match self {
            Self::Off => TunerMode::Off,
            Self::Shadow => TunerMode::Shadow,
            Self::On => TunerMode::On,
        }
    }
}

/// What the tuner says of the pool's size.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Recommended {
    /// How many connections should be allowed to be open; `None` if any number.
    max_open: Option<usize>,
    /// Why.
    reason: String,
    /// Whether that was in force when the load ended, or was only said.
    is_applied: bool,
}

impl From<RecommendedSize> for Recommended {
    fn from(size: RecommendedSize) -> Self {
        let RecommendedSize { max_open, reason, is_applied } = size;
        let max_open = (max_open != PoolConfig::UNLIMITED).then_some(max_open);
        Self { max_open, reason, is_applied }
    }
}

impl fmt::Display for Recommended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { max_open, reason, is_applied } = self;
        f.write_str(if *is_applied {
            "has set max_open to "
        } else {
            "recommends a max_open of "
        })?;
        match max_open {
            Some(max_open) => write!(f, "{max_open}: {reason}"),
            None => write!(f, "unlimited: {reason}"),
        }
    }
}
