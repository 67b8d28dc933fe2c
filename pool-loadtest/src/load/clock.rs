//! Times that may be too far away to be told.

use std::time::Duration;

use tokio::time::Instant;

/// As far away as makes no difference: 30 years, what tokio calls the far future.
const FAR: Duration = Duration::from_hours(24 * 365 * 30);

/// So long after `time`, or in the far future.
pub(crate) fn later(time: Instant, by: Duration) -> Instant {
    time.checked_add(by.min(FAR)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_far_away_is_far_away() {
        let now = Instant::now();
        assert_eq!(later(now, Duration::MAX) - now, FAR);
        assert_eq!(later(now, Duration::from_secs(1)) - now, Duration::from_secs(1));
    }
}
