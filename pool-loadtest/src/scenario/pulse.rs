//! When operations succeeded, to a tenth of a second or to a small part of a long run, and how soon
//! one did after something.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The least length of a beat.
const SHORTEST: Duration = Duration::from_millis(100);
/// Beats that a run is divided into at most.
const MOST: u32 = 2048;
/// Beats that are kept: a run may go on for a while after its time.
const KEPT: usize = 2 * MOST as usize;

/// When operations succeeded, since the load began.
#[derive(Debug)]
pub(crate) struct Pulse {
    /// The length of a beat.
    beat: Duration,
    began: OnceLock<Instant>,
    beats: Box<[AtomicU32]>,
    /// Whether somebody waits for the next success.
    is_awaited: AtomicBool,
    /// When it came.
    came: Mutex<Option<Instant>>,
    notify: Notify,
}

impl Pulse {
    /// Of a load of this length.
    pub(crate) fn of(duration: Duration) -> Self {
        Self {
            beat: (duration / MOST).max(SHORTEST),
            began: OnceLock::new(),
            beats: (0..KEPT).map(|_| AtomicU32::new(0)).collect(),
            is_awaited: AtomicBool::new(false),
            came: Mutex::new(None),
            notify: Notify::new(),
        }
    }

    /// The load began then. Only the first time this is said counts.
    pub(crate) fn begin(&self, at: Instant) {
        let _ = self.began.set(at);
    }

    /// Whether it has.
    pub(crate) fn has_begun(&self) -> bool {
        self.began.get().is_some()
    }

    /// An operation succeeded.
    pub(crate) fn beat(&self) {
        let Some(began) = self.began.get() else { return };
        let now = Instant::now();
        if let Some(beat) = self.beats.get(self.number(now.saturating_duration_since(*began))) {
            beat.fetch_add(1, Ordering::Relaxed);
        }
        if self.is_awaited.load(Ordering::Relaxed) && self.is_awaited.swap(false, Ordering::Relaxed)
        {
            *self.came.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
            self.notify.notify_one();
        }
    }

    /// From now on the next success is awaited.
    pub(crate) fn await_next(&self) {
        *self.came.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.is_awaited.store(true, Ordering::Relaxed);
    }

    /// Waits for the success that is awaited.
    pub(crate) async fn next(&self) -> Instant {
        loop {
            let came = *self.came.lock().unwrap_or_else(PoisonError::into_inner);
            match came {
                Some(came) => return came,
                None => self.notify.notified().await,
            }
        }
    }

    /// Successes in each beat from the first up to, and without, the one in which `end` is.
    pub(crate) fn until(&self, end: Duration) -> Vec<u32> {
        let whole = self.number(end);
        self.beats.iter().take(whole).map(|beat| beat.load(Ordering::Relaxed)).collect()
    }

    /// The beat of a time since the load began.
    pub(crate) fn number(&self, at: Duration) -> usize {
        (at.as_nanos() / self.beat.as_nanos()) as usize
    }

    /// How long so many beats take, in seconds.
    pub(crate) fn seconds(&self, beats: usize) -> f64 {
        beats as f64 * self.beat.as_secs_f64()
    }

    /// Successes per second in these beats.
    pub(crate) fn rate(&self, beats: &[u32]) -> f64 {
        let sum: u64 = beats.iter().copied().map(u64::from).sum();
        sum as f64 / self.seconds(beats.len().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_success_counts_in_the_beat_it_came_in() {
        let pulse = Pulse::of(SECOND);
        pulse.beat();
        pulse.begin(Instant::now() - 2 * SHORTEST - SHORTEST / 4);
        pulse.beat();
        pulse.beat();
        let beats = pulse.until(SECOND);
        assert_eq!(beats.iter().sum::<u32>(), 2, "what came before the load is no part of it");
        assert_eq!(beats[..2], [0, 0]);
        assert!((pulse.rate(&[3, 1]) - 20.0).abs() < 1e-9);
    }

    #[test]
    fn a_long_load_is_seen_to_its_end() {
        let hour = Duration::from_hours(1);
        let pulse = Pulse::of(hour);
        pulse.begin(Instant::now().checked_sub(hour - SECOND).expect("the clock goes back so far"));
        pulse.beat();
        let beats = pulse.until(hour);
        assert_eq!((beats.len(), beats.last()), (MOST as usize, Some(&1)));
        assert!((pulse.seconds(beats.len()) - hour.as_secs_f64()).abs() < 1e-3);
    }

    #[tokio::test]
    async fn the_next_success_is_the_first_one_after_it_was_awaited() {
        let pulse = Pulse::of(SECOND);
        pulse.begin(Instant::now());
        pulse.beat();
        let before = Instant::now();
        pulse.await_next();
        pulse.beat();
        let came = pulse.next().await;
        assert!(came >= before);
        pulse.beat();
        assert_eq!(pulse.next().await, came);
    }
}
