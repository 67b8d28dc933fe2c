//! The pauses of one task of a closed loop.

use std::time::Duration;

use fastrand::Rng;

use crate::arrivals::ThinkTime;

/// What the runtime's timer is precise to. No pause is shorter.
const TICK: Duration = Duration::from_millis(1);
/// What is made up for at most: more is no imprecision of the timer, but a stall.
const MOST_AHEAD: Duration = Duration::from_millis(2);

/// Makes pauses right on average, though each is as imprecise as the timer.
#[derive(Debug)]
pub(super) struct Pauses {
    think_time: ThinkTime,
    rng: Rng,
    /// Time that was to be paused and was not.
    owed: Duration,
    /// Time that was paused too long.
    ahead: Duration,
}

impl Pauses {
    pub(super) fn new(think_time: ThinkTime, rng: Rng) -> Self {
        Self { think_time, rng, owed: Duration::ZERO, ahead: Duration::ZERO }
    }

    /// How long to pause now; `None` not at all.
    pub(super) fn next(&mut self) -> Option<Duration> {
        if self.think_time == ThinkTime::None {
            return None;
        }
        self.owed = self.owed.saturating_add(self.think_time.draw(&mut self.rng));
        let made_up = self.owed.min(self.ahead);
        self.owed -= made_up;
        self.ahead -= made_up;
        (self.owed >= TICK).then_some(self.owed)
    }

    /// So long was paused.
    pub(super) fn paused(&mut self, time: Duration) {
        self.ahead = time.saturating_sub(self.owed).min(MOST_AHEAD);
        self.owed = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long so many pauses take with a timer that is up to a tick late.
    fn paused(think_time: ThinkTime, times: u32) -> Duration {
        let mut pauses = Pauses::new(think_time, Rng::with_seed(1));
        let mut sum = Duration::ZERO;
        for _ in 0..times {
            if let Some(pause) = pauses.next() {
                let nanos = pause.as_nanos().next_multiple_of(TICK.as_nanos());
                let late = Duration::from_nanos(nanos as u64) + TICK / 10;
                pauses.paused(late);
                sum += late;
            }
        }
        sum
    }

    #[test]
    fn pauses_shorter_than_the_timer_are_right_on_average() {
        for micros in [10, 300, 1_500, 20_300] {
            let time = Duration::from_micros(micros);
            let sum = paused(ThinkTime::Fixed(time), 1_000);
            assert!(sum.abs_diff(time * 1_000) <= 2 * MOST_AHEAD, "{micros} us: {sum:?}");
        }
        assert_eq!(paused(ThinkTime::None, 10), Duration::ZERO);
    }

    #[test]
    fn a_stall_is_not_made_up_for() {
        let mut pauses = Pauses::new(ThinkTime::Fixed(10 * TICK), Rng::with_seed(1));
        assert_eq!(pauses.next(), Some(10 * TICK));
        pauses.paused(Duration::from_secs(2));
        assert_eq!(pauses.next(), Some(8 * TICK));
    }
}
