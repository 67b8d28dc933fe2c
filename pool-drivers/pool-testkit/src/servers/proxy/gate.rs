//! When something may pass. Not here: bytes and sockets.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Behaviour;

/// How a proxy behaves at the moment; those who wait for a change are woken by it.
#[derive(Debug)]
pub(super) struct Gate {
    behaviour: Mutex<Behaviour>,
    changed: Condvar,
}

/// One way of one connection: when what was sent last has got through.
#[derive(Debug)]
pub(super) struct Lane {
    free_at: Instant,
}

/// What becomes of something that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    Pass,
    /// Its connection is gone.
    Cut,
}

impl Default for Gate {
    fn default() -> Self {
        Self { behaviour: Mutex::new(Behaviour::Through), changed: Condvar::new() }
    }
}

impl Gate {
    pub(super) fn behaviour(&self) -> Behaviour {
        *self.lock()
    }

    pub(super) fn set(&self, behaviour: Behaviour) {
        *self.lock() = behaviour;
        self.changed.notify_all();
    }

    /// Has everybody who waits look again whether their connection is cut.
    pub(super) fn wake(&self) {
        // Whoever has looked and does not wait yet holds the lock.
        drop(self.lock());
        self.changed.notify_all();
    }

    /// Waits until `length` bytes that arrived at `arrived` may pass.
    pub(super) fn pass(
        &self,
        lane: &mut Lane,
        arrived: Instant,
        length: usize,
        is_cut: impl Fn() -> bool,
    ) -> Passage {
        let mut behaviour = self.lock();
        loop {
            if is_cut() {
                return Passage::Cut;
            }
            match lane.due(*behaviour, arrived, length) {
                None => behaviour = self.wait(behaviour),
                Some(due) => {
                    let left = due.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        lane.free_at = due;
                        return Passage::Pass;
                    }
                    behaviour = self.wait_for(behaviour, left);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, behaviour: MutexGuard<'a, Behaviour>) -> MutexGuard<'a, Behaviour> {
        self.changed.wait(behaviour).unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for<'a>(
        &self,
        behaviour: MutexGuard<'a, Behaviour>,
        bound: Duration,
    ) -> MutexGuard<'a, Behaviour> {
        let waited = self.changed.wait_timeout(behaviour, bound);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Lane {
    pub(super) fn new(now: Instant) -> Self {
        Self { free_at: now }
    }

    /// When `length` bytes that arrived at `arrived` get through; never, if nothing does.
    fn due(&self, behaviour: Behaviour, arrived: Instant, length: usize) -> Option<Instant> {
        match behaviour {
            Behaviour::Through | Behaviour::HalfOpen | Behaviour::Refuse => Some(arrived),
            // Not after what went before: a delay slows nothing down but each answer.
            Behaviour::Delay(delay) => Some(arrived + delay),
            Behaviour::Throttle { bytes } => {
                let takes = Duration::from_secs(1).mul_f64(length as f64 / f64::from(bytes.max(1)));
                Some(self.free_at.max(arrived) + takes)
            }
            Behaviour::BlackHole => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_delay_is_counted_from_the_arrival_alone() {
        let now = Instant::now();
        let lane = Lane { free_at: now + 5 * SECOND };
        assert_eq!(lane.due(Behaviour::Delay(SECOND), now, 100), Some(now + SECOND));
    }

    #[test]
    fn a_throttle_lets_one_through_after_the_other() {
        let now = Instant::now();
        let throttle = Behaviour::Throttle { bytes: 100 };
        let busy = Lane { free_at: now + 5 * SECOND };
        assert_eq!(busy.due(throttle, now, 200), Some(now + 7 * SECOND));
        assert_eq!(Lane::new(now - SECOND).due(throttle, now, 200), Some(now + 2 * SECOND));
    }

    #[test]
    fn nothing_leaves_a_black_hole() {
        let now = Instant::now();
        assert_eq!(Lane::new(now).due(Behaviour::BlackHole, now, 0), None);
    }
}
