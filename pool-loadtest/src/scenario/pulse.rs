//! When operations succeeded, to a tenth of a second, and how soon one did after something.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The length of a beat.
pub(crate) const BEAT: Duration = Duration::from_millis(100);
/// Beats that are kept; those of a longer run are not counted beyond this, which is seven minutes.
const BEATS: usize = 4096;

/// When operations succeeded, since the load began.
#[derive(Debug)]
pub(crate) struct Pulse {
    began: OnceLock<Instant>,
    beats: Box<[AtomicU32]>,
    /// Whether somebody waits for the next success.
    is_awaited: AtomicBool,
    /// When it came.
    came: Mutex<Option<Instant>>,
    notify: Notify,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            began: OnceLock::new(),
            beats: (0..BEATS).map(|_| AtomicU32::new(0)).collect(),
            is_awaited: AtomicBool::new(false),
            came: Mutex::new(None),
            notify: Notify::new(),
        }
    }
}

impl Pulse {
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
        let number =
            (now.saturating_duration_since(*began).as_millis() / BEAT.as_millis()) as usize;
        if let Some(beat) = self.beats.get(number) {
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
        let whole = (end.as_millis() / BEAT.as_millis()) as usize;
        self.beats.iter().take(whole).map(|beat| beat.load(Ordering::Relaxed)).collect()
    }
}

/// Successes per second in these beats.
pub(crate) fn rate(beats: &[u32]) -> f64 {
    let sum: u64 = beats.iter().copied().map(u64::from).sum();
    sum as f64 / (beats.len().max(1) as f64 * BEAT.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_counts_in_the_beat_it_came_in() {
        let pulse = Pulse::default();
        pulse.beat();
        pulse.begin(Instant::now() - 2 * BEAT - BEAT / 4);
        pulse.beat();
        pulse.beat();
        let beats = pulse.until(10 * BEAT);
        assert_eq!(beats.iter().sum::<u32>(), 2, "what came before the load is no part of it");
        assert_eq!(beats[..2], [0, 0]);
        assert!((rate(&[3, 1]) - 20.0).abs() < 1e-9);
    }

    #[tokio::test]
    async fn the_next_success_is_the_first_one_after_it_was_awaited() {
        let pulse = Pulse::default();
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
