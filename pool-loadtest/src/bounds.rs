//! How long opening, preparing and checking may take, and what is said when they take longer.

use std::error::Error;
use std::time::Duration;

use pool_core::PoolConfig;

/// What each step may take at least: making a table takes longer than some acquire timeouts that
/// are worth a load.
const LEAST: Duration = Duration::from_millis(250);

/// How long opening, or one statement before or after the load, may take.
pub(crate) fn limit(config: &PoolConfig) -> Duration {
    config.acquire_timeout.max(LEAST)
}

/// A step was given up.
#[derive(Debug, thiserror::Error)]
#[error("timed out after {} ({})", humantime::format_duration(*limit), origin(*limit))]
pub(crate) struct OutOfTime {
    /// How long it was given.
    pub(crate) limit: Duration,
    /// What probably held it up, if that could be found out.
    pub(crate) source: Option<Box<dyn Error + Send + Sync>>,
}

fn origin(limit: Duration) -> &'static str {
    if limit > LEAST { "acquire_timeout" } else { "the least time it is given" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_may_take_as_long_as_an_acquire_but_not_less_than_a_table_takes() {
        let limit =
            |acquire_timeout| limit(&PoolConfig { acquire_timeout, ..PoolConfig::default() });
        assert_eq!(limit(Duration::from_secs(3)), Duration::from_secs(3));
        assert_eq!(limit(Duration::from_millis(1)), LEAST);
    }

    #[test]
    fn running_out_of_time_names_the_setting_that_was_too_short() {
        let words = |limit| OutOfTime { limit, source: None }.to_string();
        assert_eq!(words(Duration::from_secs(3)), "timed out after 3s (acquire_timeout)");
        assert_eq!(words(LEAST), "timed out after 250ms (the least time it is given)");
    }
}
