//! What the live view knows: a fold of a run's progress, without a terminal and without a clock.

use std::collections::VecDeque;
use std::time::Duration;

use pool_core::PoolStats;
use pool_health::HealthState;

use crate::load::Progress;
use crate::report::Latency;
use crate::words::counted;

/// Seconds whose throughput is kept: more than the widest terminal shows.
const SECONDS: usize = 512;
/// Events that are kept.
const EVENTS: usize = 200;
/// Over how long the throughput of now is taken.
const NOW: Duration = Duration::from_secs(1);

/// Where a run is.
#[derive(Clone, Debug)]
pub(super) struct LiveState {
    /// How long the load is to take.
    pub(super) duration: Duration,
    pub(super) elapsed: Duration,
    pub(super) operations: u64,
    pub(super) errors: u64,
    /// Arrivals that were dropped.
    pub(super) dropped: u64,
    /// What is left of the warm-up, while it lasts.
    pub(super) warm_up_left: Option<Duration>,
    /// Operations a second, over the last second.
    pub(super) throughput: f64,
    /// Operations of each whole second so far, the oldest first.
    pub(super) seconds: VecDeque<u64>,
    pub(super) response: Option<Latency>,
    /// Absent until the load begins.
    pub(super) pool: Option<PoolStats>,
    pub(super) health: HealthState,
    /// What happened, each in a line, the oldest first.
    pub(super) events: VecDeque<String>,
    /// Older ones that are not kept.
    pub(super) forgotten: u64,
    pub(super) ended: bool,
    /// Time and operations of the last second's progress, the oldest first.
    recent: VecDeque<(Duration, u64)>,
    /// Time and operations at the last whole second.
    whole: (Duration, u64),
}

impl LiveState {
    pub(super) fn new(duration: Duration) -> Self {
        Self {
            duration,
            elapsed: Duration::ZERO,
            operations: 0,
            errors: 0,
            dropped: 0,
            warm_up_left: None,
            throughput: 0.0,
            seconds: VecDeque::new(),
            response: None,
            pool: None,
            health: HealthState::Unknown,
            events: VecDeque::new(),
            forgotten: 0,
            ended: false,
            recent: VecDeque::from([(Duration::ZERO, 0)]),
            whole: (Duration::ZERO, 0),
        }
    }

    /// The run has come so far.
    pub(super) fn advance(&mut self, progress: &Progress, health: HealthState) {
        let Progress { elapsed, operations, errors, dropped, warm_up_left, ended, .. } = *progress;
        self.elapsed = elapsed;
        self.operations = operations;
        self.errors = errors;
        self.dropped = dropped;
        self.warm_up_left = warm_up_left;
        self.ended = ended;
        self.health = health;
        self.pool = Some(progress.pool.clone());
        self.response = progress.response.or(self.response);
        self.recent.push_back((elapsed, operations));
        // One of at least a second ago stays, to count from.
        while self.recent.get(1).is_some_and(|(at, _)| elapsed.saturating_sub(*at) >= NOW) {
            self.recent.pop_front();
        }
        self.throughput = rate(self.recent[0], (elapsed, operations));
        if elapsed.as_secs() > self.whole.0.as_secs() {
            self.seconds.push_back(rate(self.whole, (elapsed, operations)).round() as u64);
            self.whole = (elapsed, operations);
            if self.seconds.len() > SECONDS {
                self.seconds.pop_front();
            }
        }
    }

    /// Something happened.
    pub(super) fn add_event(&mut self, event: String) {
        self.events.push_back(event);
        if self.events.len() > EVENTS {
            self.events.pop_front();
            self.forgotten += 1;
        }
    }

    /// What happened, to be told where it stays.
    pub(super) fn told(self) -> Vec<String> {
        let earlier = (self.forgotten > 0)
            .then(|| format!("{} before these", counted(self.forgotten, "event")));
        earlier.into_iter().chain(self.events).collect()
    }

    pub(super) fn left(&self) -> Duration {
        self.duration.saturating_sub(self.elapsed)
    }

    /// How much of the time is over, from 0 to 1.
    pub(super) fn share(&self) -> f64 {
        if self.duration.is_zero() {
            return 1.0;
        }
        (self.elapsed.as_secs_f64() / self.duration.as_secs_f64()).clamp(0.0, 1.0)
    }
}

/// Operations a second from one time to another.
fn rate(from: (Duration, u64), to: (Duration, u64)) -> f64 {
    let seconds = to.0.saturating_sub(from.0).as_secs_f64();
    if seconds > 0.0 { to.1.saturating_sub(from.1) as f64 / seconds } else { 0.0 }
}

#[cfg(test)]
pub(in crate::cli) mod tests {
    use pool_core::{Pool, PoolConfig};
    use pool_sqlite::{SqliteDriver, SqliteOptions};

    use super::*;

    pub(crate) fn idle_pool() -> PoolStats {
        let driver = SqliteDriver::new(SqliteOptions::shared_memory("live"));
        Pool::new(driver, PoolConfig::default()).expect("valid").stats()
    }

    pub(crate) fn progress(millis: u64, operations: u64) -> Progress {
        Progress {
            elapsed: Duration::from_millis(millis),
            warm_up_left: None,
            operations,
            errors: 0,
            dropped: 0,
            throughput: 0.0,
            response: None,
            ended: false,
            changes: Vec::new(),
            points: Vec::new(),
            pool: idle_pool(),
            partial: None,
        }
    }

    #[test]
    fn the_throughput_of_now_is_that_of_the_last_second() {
        let mut state = LiveState::new(Duration::from_secs(10));
        for tick in 0..=10 {
            // 1000 in the first second, 200 in the next.
            let operations = if tick <= 5 { tick * 200 } else { 1_000 + (tick - 5) * 40 };
            state.advance(&progress(tick * 200, operations), HealthState::Healthy);
        }
        assert_eq!((state.throughput.round() as u64, state.left().as_secs()), (200, 8));
        assert_eq!(state.seconds, [1_000, 200]);
        assert!((state.share() - 0.2).abs() < 1e-9, "{}", state.share());
    }

    #[test]
    fn a_second_that_was_late_counts_by_its_length() {
        let mut state = LiveState::new(Duration::from_secs(10));
        state.advance(&progress(2_000, 4_000), HealthState::Healthy);
        assert_eq!((&state.seconds, state.throughput as u64), (&VecDeque::from([2_000]), 2_000));
    }

    #[test]
    fn percentiles_stay_until_there_are_newer_ones() {
        let mut state = LiveState::new(Duration::from_secs(10));
        let mut histogram = hdrhistogram::Histogram::<u64>::new(3).expect("three digits");
        histogram.record(2_000).expect("in range");
        let response = Some(Latency::new(&histogram));
        state.advance(&Progress { response, ..progress(200, 1) }, HealthState::Healthy);
        state.advance(&progress(400, 2), HealthState::Healthy);
        assert_eq!(state.response, response);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut state = LiveState::new(Duration::from_hours(1));
        for second in 1..2_000 {
            state.advance(&progress(second * 1_000, second), HealthState::Healthy);
            state.add_event(format!("event {second}"));
        }
        assert_eq!((state.seconds.len(), state.events.len()), (SECONDS, EVENTS));
        assert_eq!(state.events.back().map(String::as_str), Some("event 1999"));
        assert!(state.recent.len() <= 7, "{}", state.recent.len());
        let told = state.told();
        assert_eq!((told.len(), &*told[0]), (EVENTS + 1, "1 799 events before these"));
    }
}
