//! What each metric says of a pool at one moment, as far as its statistics know, or whoever checks or adapts
//! it has told. What none of them says is counted as it happens.

use pool_core::{
    Circuit, Control, FleetShare, HealthState, PoolConfig, PoolState, PoolStats, RecommendedSize,
    ShareState, Sizing, ToldHealth,
};

use crate::catalogue::{self, CLOSE_REASON, HEALTH_STATE, Metric, OUTCOME, SHARE_STATE, STATE};
use crate::window::utilisation;

/// A pool at one moment.
pub(crate) struct Reading {
    stats: PoolStats,
    config: PoolConfig,
    min_idle: usize,
    health: Option<ToldHealth>,
    recommended: Option<RecommendedSize>,
    share: Option<FleetShare>,
}

/// An attribute beside the pool's name, and its value.
pub(crate) type Attribute = Option<(&'static str, &'static str)>;

/// Whether `metric` can be read from a pool's statistics.
pub(crate) fn is_read(metric: &Metric) -> bool {
    const COUNTED: [Metric; 7] = [
        catalogue::CREATE_TIME,
        catalogue::WAIT_TIME,
        catalogue::USE_TIME,
        catalogue::CHECK_TIME,
        catalogue::OPEN_FAILURES,
        catalogue::LEAKS_SUSPECTED,
        catalogue::RECONFIGURATIONS,
    ];
    !COUNTED.contains(metric)
}

impl Reading {
    pub(crate) fn of(pool: &dyn Control) -> Self {
        let (stats, config) = (pool.stats(), pool.config());
        let min_idle = pool.steering().min_idle.unwrap_or(config.min_idle).min(stats.max_idle);
        let Sizing { recommended, share } = sizing(pool).unwrap_or_default();
        Self { stats, config, min_idle, health: health(pool), recommended, share }
    }

    /// Tells `emit` every value of `metric`.
    pub(crate) fn read(&self, metric: &Metric, emit: &mut dyn FnMut(f64, Attribute)) {
        let Self { stats, config, health, recommended, share, .. } = self;
        let mut count = |count: usize| emit(count as f64, None);
        match *metric {
            catalogue::COUNT => {
                emit(stats.idle as f64, Some((STATE, "idle")));
                emit(stats.in_use as f64, Some((STATE, "used")));
            }
            catalogue::IDLE_MAX => limit(stats.max_idle, count),
            catalogue::IDLE_MIN => count(self.min_idle),
            catalogue::MAX => limit(stats.max_open, count),
            catalogue::PENDING_REQUESTS => count(stats.waiting),
            catalogue::OPENING => count(stats.opening),
            catalogue::PEAK_IN_USE => count(stats.peak_in_use),
            catalogue::MAX_WAITERS => count(config.max_waiters),
            catalogue::TIMEOUTS => emit(stats.acquires.timed_out as f64, None),
            catalogue::OPENED => emit(stats.opened as f64, None),
            catalogue::GENERATION => emit(stats.generation as f64, None),
            catalogue::UTILISATION => emit(utilisation(stats), None),
            catalogue::OLDEST_WAIT => emit(stats.oldest_wait.as_secs_f64(), None),
            catalogue::CIRCUIT_OPEN => {
                emit(switch(stats.circuit != Circuit::Closed), None);
            }
            catalogue::HEALTH => {
                let Some(health) = health else { return };
                for state in HealthState::ALL {
                    emit(switch(state == health.state), Some((HEALTH_STATE, state.name())));
                }
            }
            catalogue::PROBE_CIRCUIT_OPEN => {
                let Some(health) = health else { return };
                emit(switch(health.probe_circuit != Circuit::Closed), None);
            }
            catalogue::SIZE_RECOMMENDED => {
                let Some(recommended) = recommended else { return };
                limit(recommended.max_open, count);
            }
            catalogue::SIZE_APPLIED => {
                let Some(recommended) = recommended else { return };
                emit(switch(recommended.is_applied), None);
            }
            catalogue::FLEET_GRANTED => {
                let Some(share) = share else { return };
                count(share.granted);
            }
            catalogue::FLEET_STATE => {
                let Some(share) = share else { return };
                for state in ShareState::ALL {
                    emit(switch(state == share.state), Some((SHARE_STATE, state.name())));
                }
            }
            catalogue::CLOSED => {
                for (reason, count) in stats.closed.iter() {
                    emit(count as f64, Some((CLOSE_REASON, reason.name())));
                }
            }
            catalogue::ACQUIRES => {
                for (outcome, count) in outcomes(stats) {
                    emit(count as f64, Some((OUTCOME, outcome)));
                }
            }
            _ => {}
        }
    }
}

/// What was told of a pool's health. Of one that was closed, nobody has to be told that it cannot serve.
pub(crate) fn health(pool: &dyn Control) -> Option<ToldHealth> {
    pool.health().filter(|_| pool.state() != PoolState::Closed)
}

/// What was told of a pool's size, likewise.
pub(crate) fn sizing(pool: &dyn Control) -> Option<Sizing> {
    pool.sizing().filter(|_| pool.state() != PoolState::Closed)
}

fn switch(is_on: bool) -> f64 {
    f64::from(u8::from(is_on))
}

/// There is no such thing as an unlimited number in a metric.
fn limit(limit: usize, emit: impl FnOnce(usize)) {
    if limit != PoolConfig::UNLIMITED {
        emit(limit);
    }
}

fn outcomes(stats: &PoolStats) -> [(&'static str, u64); 9] {
    let acquires = &stats.acquires;
    [
        ("immediate", acquires.immediate),
        ("waited", acquires.waited),
        ("opened", acquires.opened),
        ("timeout", acquires.timed_out),
        ("queue_full", acquires.queue_full),
        ("closed", acquires.closed),
        ("connect_failed", acquires.connect_failed),
        ("no_runtime", acquires.no_runtime),
        ("cancelled", acquires.cancelled),
    ]
}
