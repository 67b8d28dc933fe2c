//! What each metric says of a pool at one moment, as far as its statistics know. What they do not know is
//! counted as it happens.

use pool_core::{Circuit, Control, PoolConfig, PoolStats};

use crate::catalogue::{self, CLOSE_REASON, Metric, OUTCOME, STATE};
use crate::window::utilisation;

/// A pool at one moment.
pub(crate) struct Reading {
    stats: PoolStats,
    config: PoolConfig,
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
        Self { stats: pool.stats(), config: pool.config() }
    }

    /// Tells `emit` every value of `metric`.
    pub(crate) fn read(&self, metric: &Metric, emit: &mut dyn FnMut(f64, Attribute)) {
        let Self { stats, config } = self;
        let mut count = |count: usize| emit(count as f64, None);
        match *metric {
            catalogue::COUNT => {
                emit(stats.idle as f64, Some((STATE, "idle")));
                emit(stats.in_use as f64, Some((STATE, "used")));
            }
            catalogue::IDLE_MAX => limit(stats.max_idle, count),
            catalogue::IDLE_MIN => count(config.min_idle),
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
                emit(f64::from(u8::from(stats.circuit != Circuit::Closed)), None);
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
