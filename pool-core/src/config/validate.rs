//! The rules that a configuration as a whole must keep.

use std::time::Duration;

use super::fields::{Value, format_time};
use super::{ConfigError, FIELDS, Field, PoolConfig, Problem};

/// Below, a pool of a few connections would connect all the time.
const SHORTEST_LIFETIME: Duration = Duration::from_millis(100);

impl PoolConfig {
    /// Checks every field and every relation between fields.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with *all* problems; values are never clamped.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::from_problems(self.problems())
    }

    /// Everything wrong with it.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for field in FIELDS {
            let value = field.get(self);
            if value.is_zero() && !field.zero_allowed {
                let why = match value {
                    Value::OptionalTime(_) => "zero is not a way to switch it off",
                    _ => "must not be zero",
                };
                problems.push(Problem::invalid(field.name, value.to_string(), why, field.allowed));
            }
        }
        if self.lifetime_jitter > 100 {
            let value = format!("{}%", self.lifetime_jitter);
            let why = "more than the whole lifetime";
            problems.push(Problem::invalid("lifetime_jitter", value, why, "0% to 100%"));
        }
        for (name, value) in [
            ("min_idle", self.min_idle),
            ("max_waiters", self.max_waiters),
            ("max_opening", self.max_opening),
        ] {
            if value == Self::UNLIMITED {
                let why = "only max_open and max_idle may be without a limit";
                let field = Field::find(name);
                let allowed = field.map_or("", |field| field.allowed);
                problems.push(Problem::invalid(name, "unlimited", why, allowed));
            }
        }
        if let Some(lifetime) = self.max_lifetime
            && lifetime < SHORTEST_LIFETIME
            && !lifetime.is_zero()
        {
            problems.push(Problem::invalid(
                "max_lifetime",
                format_time(lifetime),
                "the pool would do little else than open and close connections",
                format!("at least {}, or off", format_time(SHORTEST_LIFETIME)),
            ));
        }
        let max_idle = self.effective_max_idle();
        if self.min_idle > max_idle {
            problems.push(Problem::invalid(
                "min_idle",
                self.min_idle.to_string(),
                "more than the pool keeps idle",
                format!("at most {max_idle}, the smaller of max_idle and max_open"),
            ));
        }
        if let (Some(keepalive), Some(lifetime)) = (self.keepalive, self.max_lifetime)
            && keepalive >= lifetime
            && lifetime > Duration::ZERO
        {
            problems.push(Problem::invalid(
                "keepalive",
                format_time(keepalive),
                "a connection would retire before its first background check",
                format!("less than max_lifetime ({}), or off", format_time(lifetime)),
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(config: &PoolConfig) -> Vec<String> {
        let error = config.validate().expect_err("invalid");
        error.problems().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_but_open_and_idle_connections_may_be_without_a_limit() {
        let config = PoolConfig {
            max_open: PoolConfig::UNLIMITED,
            max_idle: PoolConfig::UNLIMITED,
            min_idle: PoolConfig::UNLIMITED,
            max_waiters: PoolConfig::UNLIMITED,
            max_opening: PoolConfig::UNLIMITED,
            ..PoolConfig::default()
        };
        let problems = problems(&config);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems.iter().all(|problem| problem.contains("without a limit")), "{problems:?}");
    }

    #[test]
    fn a_lifetime_that_would_only_churn_is_an_error() {
        let config =
            PoolConfig { max_lifetime: Some(Duration::from_nanos(1)), ..PoolConfig::default() };
        assert!(problems(&config)[0].contains("at least 100ms"), "{:?}", problems(&config));
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let config = PoolConfig {
            max_open: 0,
            min_idle: 3,
            acquire_timeout: Duration::ZERO,
            connect_timeout: Duration::ZERO,
            max_lifetime: Some(Duration::ZERO),
            ..PoolConfig::default()
        };
        assert_eq!(
            problems(&config),
            [
                "max_open = \"0\": must not be zero; allowed: a whole number from 1, or unlimited",
                "max_lifetime = \"0s\": zero is not a way to switch it off; allowed: a duration \
                 above zero such as 30m, or off",
                "acquire_timeout = \"0s\": must not be zero; allowed: a duration above zero such \
                 as 30s",
                "connect_timeout = \"0s\": must not be zero; allowed: a duration above zero such \
                 as 10s",
                "min_idle = \"3\": more than the pool keeps idle; allowed: at most 0, the smaller \
                 of max_idle and max_open",
            ]
        );
    }

    #[test]
    fn zero_is_legal_only_where_it_has_a_meaning() {
        let zero_allowed: Vec<_> =
            FIELDS.iter().filter(|field| field.zero_allowed).map(|field| field.name).collect();
        assert_eq!(
            zero_allowed,
            ["max_idle", "min_idle", "idle_grace", "lifetime_jitter", "check_after_idle"]
        );
    }

    #[test]
    fn lowering_max_open_below_max_idle_lowers_the_effective_max_idle() {
        let config = PoolConfig { max_open: 3, max_idle: 10, ..PoolConfig::default() };
        assert_eq!(config.validate(), Ok(()));
        assert_eq!(config.effective_max_idle(), 3);
    }

    #[test]
    fn min_idle_is_held_against_the_effective_max_idle() {
        let config = PoolConfig { max_open: 3, max_idle: 10, min_idle: 4, ..PoolConfig::default() };
        assert_eq!(
            problems(&config),
            [
                "min_idle = \"4\": more than the pool keeps idle; allowed: at most 3, the smaller of \
              max_idle and max_open"
            ]
        );
    }

    #[test]
    fn the_longest_durations_are_valid() {
        let config = PoolConfig {
            idle_grace: Duration::MAX,
            max_lifetime: Some(Duration::MAX),
            acquire_timeout: Duration::MAX,
            keepalive: Some(Duration::from_secs(1)),
            ..PoolConfig::default()
        };
        assert_eq!(config.validate(), Ok(()));
    }

    #[test]
    fn a_keepalive_that_could_never_run_is_an_error() {
        let config =
            PoolConfig { keepalive: Some(Duration::from_hours(1)), ..PoolConfig::default() };
        assert_eq!(
            problems(&config),
            ["keepalive = \"1h\": a connection would retire before its first background check; \
              allowed: less than max_lifetime (30m), or off"]
        );
    }
}
