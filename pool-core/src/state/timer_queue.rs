//! Points in time by index, soonest first: a binary heap that can remove from the middle.

use crate::runtime::Instant;

/// Not in the queue.
const ABSENT: u32 = u32::MAX;

/// At most one point in time for each index.
#[derive(Debug, Default)]
pub(super) struct TimerQueue {
    heap: Vec<(Instant, u32)>,
    /// Where in `heap` an index stands.
    positions: Vec<u32>,
}

impl TimerQueue {
    /// The soonest point in time, or [`Instant::NEVER`].
    pub(super) fn soonest(&self) -> Instant {
        self.heap.first().map_or(Instant::NEVER, |(at, _)| *at)
    }

    /// Sets the point in time of `index`; [`Instant::NEVER`] takes it out.
    pub(super) fn set(&mut self, index: u32, at: Instant) {
        self.remove(index);
        if at == Instant::NEVER {
            return;
        }
        if self.positions.len() <= index as usize {
            self.positions.resize(index as usize + 1, ABSENT);
        }
        self.heap.push((at, index));
        self.sift_up(self.heap.len() - 1);
    }

    pub(super) fn remove(&mut self, index: u32) {
        let position = match self.positions.get(index as usize) {
            None | Some(&ABSENT) => return,
            Some(&position) => position as usize,
        };
        self.positions[index as usize] = ABSENT;
        let removed = self.heap.swap_remove(position);
        debug_assert_eq!(removed.1, index, "a position points at its own entry");
        if position < self.heap.len() {
            self.positions[self.heap[position].1 as usize] = position as u32;
            self.sift_down(position);
            self.sift_up(position);
        }
    }

    /// The soonest index, if its time has come.
    pub(super) fn due(&self, now: Instant) -> Option<u32> {
        self.heap.first().filter(|(at, _)| *at <= now).map(|(_, index)| *index)
    }

    /// Takes out the soonest index, if its time has come.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let index = self.due(now)?;
        self.remove(index);
        Some(index)
    }

    fn sift_up(&mut self, mut position: usize) {
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.heap[parent].0 <= self.heap[position].0 {
                break;
            }
            self.swap(parent, position);
            position = parent;
        }
        self.positions[self.heap[position].1 as usize] = position as u32;
    }

    fn sift_down(&mut self, mut position: usize) {
        loop {
            let left = 2 * position + 1;
            let Some(child) = (left..self.heap.len().min(left + 2)).min_by_key(|i| self.heap[*i].0)
            else {
                break;
            };
            if self.heap[position].0 <= self.heap[child].0 {
                break;
            }
            self.swap(position, child);
            position = child;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.positions[self.heap[a].1 as usize] = a as u32;
        self.positions[self.heap[b].1 as usize] = b as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_come_out_soonest_first_whatever_was_set_and_removed() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut queue = TimerQueue::default();
        let mut expected = std::collections::BTreeMap::new();
        for _ in 0..5_000 {
            let (index, at) = (rng.u32(0..64), Instant::from_nanos(rng.u64(0..1_000)));
            if rng.u8(0..3) == 0 {
                queue.remove(index);
                expected.remove(&index);
            } else {
                queue.set(index, at);
                expected.insert(index, at);
            }
            let soonest = expected.values().min().copied().unwrap_or(Instant::NEVER);
            assert_eq!(queue.soonest(), soonest);
        }
        let mut last = Instant::EPOCH;
        while let Some(index) = queue.pop_due(Instant::from_nanos(1_000)) {
            let at = expected.remove(&index).expect("was set");
            assert!(at >= last, "{at:?} after {last:?}");
            last = at;
        }
        assert!(expected.is_empty(), "{expected:?} never came out");
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let mut queue = TimerQueue::default();
        queue.set(3, Instant::from_nanos(10));
        assert_eq!(queue.pop_due(Instant::from_nanos(9)), None);
        assert_eq!(queue.pop_due(Instant::from_nanos(10)), Some(3));
        queue.set(3, Instant::NEVER);
        assert_eq!(queue.soonest(), Instant::NEVER);
    }
}
