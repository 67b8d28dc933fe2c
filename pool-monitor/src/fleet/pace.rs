//! When a member settles: at each heartbeat, sooner where somebody waits for it, later while it fails.
//!
//! On average no more than once in four seconds: a heartbeat, and what a purse of extra beats pays for.

use std::time::Duration;

use fastrand::Rng;
use pool_core::runtime::Instant;

/// Between two settlements, at least.
const HASTE: Duration = Duration::from_secs(1);
/// Extra beats that can be had at once.
const PURSE: u32 = 10;
/// How long it takes to save for one more.
const SAVING: Duration = Duration::from_secs(20);
/// How much a heartbeat varies: members that started together drift apart.
const JITTER: f64 = 0.2;

/// How often a fleet settles, and for how long that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between two settlements, on average: 5 s.
    pub heartbeat: Duration,
    /// For how long a settlement holds on the server: 15 s. Two heartbeats may fail.
    pub lease: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(5), lease: Duration::from_secs(15) }
    }
}

impl Timing {
    /// Until when a lease that was asked for at `begun` holds for the member itself: a tenth less than
    /// on the server, for clocks that run at another pace and for connects under way.
    pub(super) fn holds_until(self, begun: Instant) -> Instant {
        begun.after(self.lease - self.lease / 10)
    }
}

#[derive(Debug)]
pub(super) struct Pace {
    timing: Timing,
    rng: Rng,
    next: Instant,
    /// When the last settlement began.
    begun: Instant,
    /// When the purse will be full again.
    full_at: Instant,
    /// In a row.
    failures: u32,
}

impl Pace {
    /// The first beat is due at once.
    pub(super) fn new(timing: Timing, rng: Rng, now: Instant) -> Self {
        Self { timing, rng, next: now, begun: Instant::EPOCH, full_at: now, failures: 0 }
    }

    pub(super) fn begin(&mut self, now: Instant) {
        if now < self.next {
            self.full_at = self.full_at.max(now).after(SAVING);
        }
        self.begun = now;
    }

    /// When the settlement began that is under way, or was the last.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    pub(super) fn committed(&mut self, now: Instant) {
        self.failures = 0;
        self.next = now.after(self.jittered(self.timing.heartbeat));
    }

    pub(super) fn failed(&mut self, now: Instant) {
        let wait = HASTE.saturating_mul(1 << self.failures.min(16)).min(self.timing.heartbeat);
        self.failures += 1;
        self.next = now.after(self.jittered(wait));
    }

    /// The next beat; an early one, if it would help somebody and the last settlement went well.
    pub(super) fn next(&self, is_urgent: bool) -> Instant {
        if !is_urgent || self.failures > 0 {
            return self.next;
        }
        let saved = (SAVING * (PURSE - 1)).as_nanos() as u64;
        let paid_at = Instant::from_nanos(self.full_at.as_nanos().saturating_sub(saved));
        self.next.min(paid_at.max(self.begun.after(HASTE)))
    }

    fn jittered(&mut self, duration: Duration) -> Duration {
        duration.mul_f64(1.0 - JITTER + 2.0 * JITTER * self.rng.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace() -> (Pace, Instant) {
        let start = Instant::from_nanos(1_000_000_000_000);
        (Pace::new(Timing::default(), Rng::with_seed(1), start), start)
    }

    #[test]
    fn heartbeats_are_spread_between_four_and_six_seconds() {
        let (mut pace, mut now) = pace();
        let mut gaps = Vec::new();
        for _ in 0..1000 {
            pace.begin(now);
            pace.committed(now);
            gaps.push(pace.next(false).since(now).as_secs_f64());
            now = pace.next(false);
        }
        gaps.sort_by(f64::total_cmp);
        assert!(gaps[0] >= 4.0 && gaps[10] < 4.1, "{:?}", &gaps[..11]);
        assert!(gaps[999] <= 6.0 && gaps[989] > 5.9, "{:?}", &gaps[989..]);
    }

    #[test]
    fn however_urgent_it_is_no_more_than_a_quarter_of_a_settlement_is_made_each_second() {
        let (mut pace, start) = pace();
        let (mut now, mut settled) = (start, 0_u32);
        while now < start.after(1000 * SECOND) {
            pace.begin(now);
            pace.committed(now);
            settled += 1;
            let next = pace.next(true);
            assert!(next.since(now) >= HASTE);
            now = next;
        }
        assert!((200..=250 + PURSE).contains(&settled), "{settled} in 1000 s");
    }

    #[test]
    fn who_fails_tries_again_soon_and_then_less_and_less_often() {
        let (mut pace, mut now) = pace();
        let mut waits = Vec::new();
        for _ in 0..6 {
            pace.begin(now);
            pace.failed(now);
            let next = pace.next(true);
            waits.push(next.since(now).as_secs_f64());
            now = next;
        }
        for (wait, around) in waits.iter().zip([1.0, 2.0, 4.0, 5.0, 5.0, 5.0]) {
            assert!((wait / around - 1.0).abs() <= JITTER, "{waits:?}");
        }
    }
}
