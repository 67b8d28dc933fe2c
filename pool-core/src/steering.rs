//! What a machine lays over a configuration: a tuner's sizes, a fleet's share.

use std::num::NonZeroUsize;

use crate::config::PoolConfig;
use crate::runtime::Instant;

/// Sizes laid over those that are configured, by [`Control::steer`](crate::Control::steer).
///
/// They hold until others are laid over, also when the configuration changes below them: the
/// configuration belongs to people, these to whoever adapts the pool to its load or to its share of a
/// server. They never make a pool larger than it is configured.
///
/// ```
/// use std::num::NonZeroUsize;
/// use pool_core::Steering;
///
/// # use pool_core::{Pool, PoolConfig};
/// # let pool = Pool::new(pool_testkit::Nothing, PoolConfig::default()).unwrap();
/// let control = pool.control();
/// let steering = Steering { max_open: NonZeroUsize::new(1), ..Steering::default() };
/// control.steer(steering);
/// assert_eq!(control.stats().max_open, 1);
/// assert!(control.config().max_open > 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steering {
    /// Hard cap on open connections, if it is below the configured one.
    pub max_open: Option<NonZeroUsize>,
    /// Idle connections kept at rest, if those are fewer than configured.
    pub max_idle: Option<usize>,
    /// Idle connections opened ahead, instead of as many as configured; no more than are kept.
    pub min_idle: Option<usize>,
    /// Up to where connects may start.
    pub opening: Option<OpeningLease>,
}

/// Up to where connects may start, and for how long.
///
/// Existing connections stay, however many there are. The time is looked at where a connect starts:
/// a process that was stopped for a while opens nothing when it goes on, before anybody could tell it
/// that its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpeningLease {
    /// No connect starts at or above so many connections, open or being closed.
    pub ceiling: usize,
    /// From then on none starts at all, by the pool's [clock](crate::Control::now), and one that
    /// started under this lease is given up; `None` for never.
    pub until: Option<Instant>,
}

/// The sizes that are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) max_open: usize,
    pub(crate) max_idle: usize,
    pub(crate) min_idle: usize,
}

impl Steering {
    /// Nothing but a limit on where connects may start, which lasts.
    #[must_use]
    pub const fn opening_up_to(ceiling: usize) -> Self {
        let opening = Some(OpeningLease { ceiling, until: None });
        Self { max_open: None, max_idle: None, min_idle: None, opening }
    }

    pub(crate) fn sizes(&self, config: &PoolConfig) -> Sizes {
        let max_open =
            self.max_open.map_or(config.max_open, |most| most.get().min(config.max_open));
        let max_idle = config.effective_max_idle().min(self.max_idle.unwrap_or(usize::MAX));
        let max_idle = max_idle.min(max_open);
        let min_idle = self.min_idle.unwrap_or(config.min_idle).min(max_idle);
        Sizes { max_open, max_idle, min_idle }
    }

    pub(crate) fn opening_until(&self) -> Option<Instant> {
        self.opening.and_then(|lease| lease.until)
    }

    pub(crate) fn opening_ceiling(&self, now: Instant) -> usize {
        match self.opening {
            None => usize::MAX,
            Some(OpeningLease { until: Some(until), .. }) if now >= until => 0,
            Some(OpeningLease { ceiling, .. }) => ceiling,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(steering: Steering) -> (usize, usize, usize) {
        let config = PoolConfig { max_open: 10, max_idle: 8, min_idle: 3, ..PoolConfig::default() };
        let Sizes { max_open, max_idle, min_idle } = steering.sizes(&config);
        (max_open, max_idle, min_idle)
    }

    #[test]
    fn a_pool_is_never_steered_above_its_configuration() {
        let most = Steering {
            max_open: NonZeroUsize::new(99),
            max_idle: Some(99),
            min_idle: Some(99),
            opening: None,
        };
        assert_eq!(sizes(Steering::default()), (10, 8, 3));
        assert_eq!(sizes(most), (10, 8, 8));
    }

    #[test]
    fn a_smaller_cap_lowers_what_is_kept_idle_and_opened_ahead() {
        let steered =
            |max_open| Steering { max_open: NonZeroUsize::new(max_open), ..Steering::default() };
        assert_eq!(sizes(steered(9)), (9, 8, 3));
        assert_eq!(sizes(steered(2)), (2, 2, 2));
    }

    #[test]
    fn once_a_lease_is_over_nothing_may_be_opened() {
        let at = Instant::from_nanos;
        let lease = OpeningLease { ceiling: 4, until: Some(at(10)) };
        let ceiling =
            |opening, now| Steering { opening, ..Steering::default() }.opening_ceiling(now);
        assert_eq!(ceiling(Some(lease), at(9)), 4);
        assert_eq!(ceiling(Some(lease), at(10)), 0);
        assert_eq!(ceiling(Some(OpeningLease { until: None, ..lease }), at(10)), 4);
        assert_eq!(ceiling(None, at(10)), usize::MAX);
    }
}
