//! What a pool is told: [`PoolConfig`], its presets, and its whole validation.
//!
//! One table of fields ([`FIELDS`]) drives text, serde, files, the environment and the command line.

mod change;
mod duration;
mod fields;
mod origin;
mod preset;
mod problem;
#[cfg(feature = "serde")]
mod serde;
#[cfg(feature = "sources")]
mod sources;
mod validate;

use std::thread::available_parallelism;
use std::time::Duration;

pub use self::change::{Change, Reconfigured};
pub use self::duration::parse_duration;
pub use self::fields::{FIELDS, Field};
pub use self::origin::Origin;
pub use self::preset::Preset;
#[cfg(feature = "manager")]
pub(crate) use self::problem::shown_name;
pub use self::problem::{ConfigError, Problem, may_hold_password, nearest};
#[cfg(feature = "manager")]
pub(crate) use self::sources::{BESIDES, PRESET, Setting, URL, URL_FILE, environment, file};
#[cfg(feature = "sources")]
pub use self::sources::{
    Explanation, Loaded, Resolved, Secret, Sources, TomlEntry, TomlFile, TomlValue, json_schema,
    url_scheme,
};

/// The settings of a pool.
///
/// A plain struct: start from [`Default`] or a [`Preset`] and change fields. It is validated as a
/// whole, with every problem reported at once, when a pool is made or reconfigured. `None` switches
/// a feature off.
///
/// ```
/// use pool_core::PoolConfig;
///
/// let config = PoolConfig { max_open: 20, ..PoolConfig::default() };
/// config.validate()?;
/// assert_eq!(config.effective_max_idle(), 20);
/// # Ok::<(), pool_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// Hard cap on connections idle, in use and being opened. Default: 4 x cores, the upper end of
    /// the founding documents' advice of 2 to 4. [`PoolConfig::UNLIMITED`] lifts the cap; 0 is an
    /// error.
    pub max_open: usize,
    /// Idle connections kept at rest. Default: [`PoolConfig::UNLIMITED`], which
    /// [`effective_max_idle`](PoolConfig::effective_max_idle) lowers to `max_open`. 0 keeps none.
    pub max_idle: usize,
    /// Idle connections opened ahead in the background. Default: 0.
    pub min_idle: usize,
    /// How long there must have been more idle connections than `max_idle` before one is closed.
    /// Default: 5 s; zero closes at once, as Go's `database/sql` does, which churns.
    /// `max_idle = 0` and a reconfiguration ignore it.
    pub idle_grace: Duration,
    /// Age that no connection is handed out beyond, at least 100 ms. Default: 30 min; `None`: any.
    /// One in use at that age is closed when it comes back. Those that are needed are replaced
    /// ahead of it, by `connect_timeout` or a tenth of the lifetime, whichever is shorter.
    pub max_lifetime: Option<Duration>,
    /// Percent of `max_lifetime` by which a connection may retire early, drawn once at its birth,
    /// so that connections born together do not retire together. Default: 10.
    pub lifetime_jitter: u8,
    /// Idle time after which a connection is closed, down to `min_idle`. Default: 10 min; `None`:
    /// never.
    pub max_idle_time: Option<Duration>,
    /// The one deadline of an acquire, over queueing, checking, resetting and opening.
    /// Default: 30 s.
    pub acquire_timeout: Duration,
    /// Bound on one connect. Default: 10 s.
    pub connect_timeout: Duration,
    /// Bound on one check, one reset or one polite close. Default: 2 s.
    pub check_timeout: Duration,
    /// A connection idle for longer is checked before it is handed out. Default: 500 ms, as
    /// `HikariCP`; zero checks always, `None` never.
    pub check_after_idle: Option<Duration>,
    /// Interval at which idle connections are checked in the background. Default: `None`.
    pub keepalive: Option<Duration>,
    /// Acquires that may wait at once; one more fails immediately. Default: 10 000.
    pub max_waiters: usize,
    /// Connects in flight at once. Default: 8.
    pub max_opening: usize,
    /// How long after the first failed connect acquires that would have to wait start to fail at
    /// once. Counts anew if nobody asked for a connection for half a minute. Default: 1 s; `None`: they
    /// always wait for their deadline.
    pub outage_grace: Option<Duration>,
    /// A checkout held for longer is reported with its call site. Default: `None`.
    pub leak_after: Option<Duration>,
}

impl PoolConfig {
    /// No cap, for [`max_open`](PoolConfig::max_open) and [`max_idle`](PoolConfig::max_idle).
    pub const UNLIMITED: usize = usize::MAX;

    /// The settings of `preset`.
    #[must_use]
    pub fn preset(preset: Preset) -> Self {
        preset.config()
    }

    /// Idle connections really kept at rest: the smaller of `max_idle` and `max_open`.
    #[must_use]
    pub fn effective_max_idle(&self) -> usize {
        self.max_idle.min(self.max_open)
    }
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_open: 4 * available_parallelism().map_or(1, usize::from),
            max_idle: Self::UNLIMITED,
            min_idle: 0,
            idle_grace: Duration::from_secs(5),
            max_lifetime: Some(Duration::from_mins(30)),
            lifetime_jitter: 10,
            max_idle_time: Some(Duration::from_mins(10)),
            acquire_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            check_timeout: Duration::from_secs(2),
            check_after_idle: Some(Duration::from_millis(500)),
            keepalive: None,
            max_waiters: 10_000,
            max_opening: 8,
            outage_grace: Some(Duration::from_secs(1)),
            leak_after: None,
        }
    }
}
