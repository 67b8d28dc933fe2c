//! The one table of fields: names, meanings, and each field as text.

use std::fmt;
use std::time::Duration;

use super::{PoolConfig, Problem, parse_duration};

/// One field of [`PoolConfig`].
#[derive(Clone, Copy)]
pub struct Field {
    /// Its name in Rust and in every text form.
    pub name: &'static str,
    /// What it means, in one line.
    pub meaning: &'static str,
    /// What is allowed, in words.
    pub allowed: &'static str,
    /// Whether zero has a meaning.
    pub zero_allowed: bool,
    read: fn(&PoolConfig) -> Value,
    write: fn(&mut PoolConfig, &str) -> Option<()>,
    #[cfg(feature = "sources")]
    copy: fn(&PoolConfig, &mut PoolConfig),
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A field's value, for text and for the checks that all fields share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Count(usize),
    Time(Duration),
    OptionalTime(Option<Duration>),
    Percent(u8),
}

impl Value {
    pub(super) fn is_zero(self) -> bool {
        match self {
            Self::Count(count) => count == 0,
            Self::Time(time) => time.is_zero(),
            Self::OptionalTime(time) => time == Some(Duration::ZERO),
            Self::Percent(percent) => percent == 0,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Count(PoolConfig::UNLIMITED) => f.write_str("unlimited"),
            Self::Count(count) => write!(f, "{count}"),
            Self::Time(time) | Self::OptionalTime(Some(time)) => f.write_str(&format_time(time)),
            Self::OptionalTime(None) => f.write_str("off"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// A duration as the text forms write it: `1h 30m`, `250ms`.
pub(super) fn format_time(time: Duration) -> String {
    if time == Duration::MAX {
        "max".to_owned()
    } else {
        humantime::format_duration(time).to_string()
    }
}

trait Text: Sized {
    fn parse(text: &str) -> Option<Self>;
    fn value(self) -> Value;
}

impl Text for usize {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.replace('_', "");
        // `usize::MAX` in digits is a slip, not a wish for no limit.
        digits.parse().ok().filter(|count| *count != PoolConfig::UNLIMITED)
    }

    fn value(self) -> Value {
        Value::Count(self)
    }
}

impl Text for Duration {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "max" => Some(Self::MAX),
            "0" => Some(Self::ZERO),
            _ => parse_duration(text),
        }
    }

    fn value(self) -> Value {
        Value::Time(self)
    }
}

impl Text for Option<Duration> {
    fn parse(text: &str) -> Option<Self> {
        if text == "off" { Some(None) } else { Duration::parse(text).map(Some) }
    }

    fn value(self) -> Value {
        Value::OptionalTime(self)
    }
}

impl Text for u8 {
    fn parse(text: &str) -> Option<Self> {
        text.strip_suffix('%').unwrap_or(text).trim_end().parse().ok()
    }

    fn value(self) -> Value {
        Value::Percent(self)
    }
}

fn parse_limit(text: &str) -> Option<usize> {
    if text == "unlimited" { Some(PoolConfig::UNLIMITED) } else { Text::parse(text) }
}

macro_rules! field {
    ($name:ident, $zero_allowed:expr, $allowed:expr, $meaning:expr) => {
        field!($name, $zero_allowed, $allowed, $meaning, Text::parse)
    };
    ($name:ident, $zero_allowed:expr, $allowed:expr, $meaning:expr, $parse:expr) => {
        Field {
            name: stringify!($name),
            meaning: $meaning,
            allowed: $allowed,
            zero_allowed: $zero_allowed,
            read: |config| Text::value(config.$name),
            write: |config, text| {
                config.$name = $parse(text)?;
                Some(())
            },
            #[cfg(feature = "sources")]
            copy: |from, to| to.$name = from.$name,
        }
    };
}

/// Every field of [`PoolConfig`], in the order of the documentation.
pub const FIELDS: &[Field] = &[
    field!(
        max_open,
        false,
        "a whole number from 1, or unlimited",
        "hard cap on connections idle, in use and being opened",
        parse_limit
    ),
    field!(
        max_idle,
        true,
        "a whole number, or unlimited (which follows max_open)",
        "idle connections kept at rest; 0 keeps none",
        parse_limit
    ),
    field!(min_idle, true, "a whole number", "idle connections opened ahead in the background"),
    field!(
        idle_grace,
        true,
        "a duration such as 5s; 0 closes surplus at once",
        "unused time after which an idle connection beyond max_idle is closed"
    ),
    field!(
        max_lifetime,
        false,
        "a duration above zero such as 30m, or off",
        "age at which a connection is replaced"
    ),
    field!(
        lifetime_jitter,
        true,
        "0% to 100%",
        "part of max_lifetime by which a connection may retire early"
    ),
    field!(
        max_idle_time,
        false,
        "a duration above zero such as 10m, or off",
        "idle time after which a connection is closed"
    ),
    field!(
        acquire_timeout,
        false,
        "a duration above zero such as 30s",
        "the one deadline of an acquire, over all its phases"
    ),
    field!(connect_timeout, false, "a duration above zero such as 10s", "bound on one connect"),
    field!(
        check_timeout,
        false,
        "a duration above zero such as 2s",
        "bound on one check, reset or polite close"
    ),
    field!(
        check_after_idle,
        true,
        "a duration such as 500ms; 0 checks always; or off",
        "a connection idle for longer is checked before it is handed out"
    ),
    field!(
        keepalive,
        false,
        "a duration above zero such as 1m, or off",
        "interval of background checks of idle connections"
    ),
    field!(
        max_waiters,
        false,
        "a whole number from 1",
        "acquires that may wait at once; one more fails immediately"
    ),
    field!(max_opening, false, "a whole number from 1", "connects in flight at once"),
    field!(
        outage_grace,
        false,
        "a duration above zero such as 1s, or off",
        "time after the first failed connect from which waiting acquires fail at once"
    ),
    field!(
        leak_after,
        false,
        "a duration above zero such as 1m, or off",
        "a checkout held for longer is reported with its call site"
    ),
];

impl Field {
    /// The field called `name`.
    ///
    /// # Errors
    ///
    /// A [`Problem`] that lists every name and the nearest one.
    pub fn named(name: &str) -> Result<&'static Self, Problem> {
        Self::find(name)
            .ok_or_else(|| Problem::unknown("field", name, FIELDS.iter().map(|field| field.name)))
    }

    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.name == name)
    }

    /// The field's value in `config` as text that [`PoolConfig::set`] accepts.
    #[must_use]
    pub fn text(&self, config: &PoolConfig) -> String {
        self.get(config).to_string()
    }

    /// Sets the field in `to` as it is in `from`.
    #[cfg(feature = "sources")]
    pub(super) fn copy(&self, from: &PoolConfig, to: &mut PoolConfig) {
        (self.copy)(from, to);
    }

    pub(super) fn get(&self, config: &PoolConfig) -> Value {
        (self.read)(config)
    }
}

impl PoolConfig {
    /// Sets one field from text: whole numbers, durations (`250ms`, `1h 30m`), percentages, `off`,
    /// `unlimited`. Relations between fields are left to [`validate`](PoolConfig::validate).
    ///
    /// # Errors
    ///
    /// A [`Problem`] that names the field, the text and what is allowed; nothing has changed then.
    ///
    /// ```
    /// use pool_core::PoolConfig;
    ///
    /// let mut config = PoolConfig::default();
    /// config.set("acquire_timeout", "250ms")?;
    /// let problem = config.set("max_opn", "8").unwrap_err();
    /// assert_eq!(problem.nearest.as_deref(), Some("max_open"));
    /// # Ok::<(), pool_core::Problem>(())
    /// ```
    pub fn set(&mut self, field: &str, text: &str) -> Result<(), Problem> {
        let field = Field::named(field)?;
        (field.write)(self, text.trim())
            .ok_or_else(|| Problem::invalid(field.name, text, "not understood", field.allowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_survives_the_way_through_text() {
        let odd = PoolConfig {
            max_open: PoolConfig::UNLIMITED,
            max_idle: 7,
            min_idle: 1,
            idle_grace: Duration::ZERO,
            max_lifetime: None,
            lifetime_jitter: 25,
            max_idle_time: Some(Duration::from_millis(90_500)),
            acquire_timeout: Duration::MAX,
            connect_timeout: Duration::from_nanos(1_000_001),
            check_timeout: Duration::from_secs(3),
            check_after_idle: Some(Duration::ZERO),
            keepalive: Some(Duration::from_mins(1)),
            max_waiters: 12,
            max_opening: 3,
            outage_grace: None,
            leak_after: Some(Duration::from_secs(9)),
        };
        let mut read_back = PoolConfig::default();
        for field in FIELDS {
            assert_ne!(field.text(&odd), field.text(&read_back), "{} must differ", field.name);
            read_back.set(field.name, &field.text(&odd)).expect("own text is accepted");
        }
        assert_eq!(read_back, odd);
    }

    #[test]
    fn text_that_is_not_understood_changes_nothing_and_says_what_is_allowed() {
        let mut config = PoolConfig::default();
        for (field, text) in [
            ("max_open", "-1"),
            ("max_open", "off"),
            ("max_open", "18446744073709551615"),
            ("max_idle", "2.5"),
            ("acquire_timeout", "off"),
            ("acquire_timeout", "30"),
            ("connect_timeout", "-1s"),
            ("lifetime_jitter", "300%"),
            ("keepalive", ""),
        ] {
            let problem = config.set(field, text).expect_err(text);
            assert_eq!((problem.field.as_str(), problem.value.as_str()), (field, text));
            assert_eq!(problem.allowed, Field::named(field).expect("known").allowed);
        }
        assert_eq!(config, PoolConfig::default());
    }

    #[test]
    fn an_unknown_field_lists_the_names_and_the_nearest() {
        let problem = PoolConfig::default().set("max_conns", "1").expect_err("unknown");
        assert!(problem.allowed.starts_with("max_open, max_idle, min_idle"), "{problem}");
        let problem = PoolConfig::default().set("aquire_timeout", "1s").expect_err("unknown");
        assert_eq!(problem.nearest.as_deref(), Some("acquire_timeout"));
    }
}
