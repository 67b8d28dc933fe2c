//! What a pool tells of by itself and a watcher wants to know at once: suspected leaks, and connects
//! that begin to fail or succeed again.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use pool_core::{
    Brief, Circuit, CircuitChanged, ControlHandle, Frequent, LeakSuspected, Observer, Subscription,
};

use crate::words::counted;

/// How many are kept until somebody asks; of more of them only the number is told.
const KEPT: usize = 20;

/// What has happened and was not told yet.
#[derive(Debug, Default)]
struct Queue {
    words: VecDeque<String>,
    /// How many there was no room for.
    lost: u64,
}

/// Remembers what happens in a pool until it is dropped.
pub(super) struct Incidents {
    queue: Arc<Watcher>,
    _subscription: Subscription,
}

impl fmt::Debug for Incidents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incidents").finish_non_exhaustive()
    }
}

impl Incidents {
    pub(super) fn watch(pool: &ControlHandle) -> Self {
        let queue = Arc::new(Watcher::default());
        let observer: Arc<dyn Observer> = queue.clone();
        Self { queue, _subscription: pool.observe(observer) }
    }

    /// What has happened since the last time this was asked.
    pub(super) fn news(&self) -> Vec<String> {
        self.queue.take()
    }
}

#[derive(Debug, Default)]
struct Watcher(Mutex<Queue>);

impl Watcher {
    fn add(&self, words: String) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.words.len() < KEPT {
            queue.words.push_back(words);
        } else {
            queue.lost += 1;
        }
    }

    fn take(&self) -> Vec<String> {
        let queue = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let lost = (queue.lost > 0).then(|| format!("and {}", counted(queue.lost, "more event")));
        queue.words.into_iter().chain(lost).collect()
    }
}

impl Observer for Watcher {
    fn frequent(&self) -> Frequent {
        Frequent::NONE
    }

    fn leak_suspected(&self, event: &LeakSuspected<'_>) {
        let held = Brief(event.held);
        self.add(format!("a connection is held for {held} (leak_after), from {}", event.site));
    }

    fn circuit_changed(&self, event: &CircuitChanged<'_>) {
        if let Some(words) = connects(event.from, event.to) {
            self.add(words.to_owned());
        }
    }
}

/// What to tell of connects. Of an attempt that failed again there is nothing new.
fn connects(from: Circuit, to: Circuit) -> Option<&'static str> {
    match (from, to) {
        (_, Circuit::Closed) => Some("connects succeed again"),
        // Half open at once, if others are still under way.
        (Circuit::Closed, _) => Some("connects fail"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_is_room_for_is_counted() {
        let watcher = Watcher::default();
        (0..KEPT + 3).for_each(|number| watcher.add(format!("event {number}")));
        let told = watcher.take();
        assert_eq!((told.len(), &*told[KEPT]), (KEPT + 1, "and 3 more events"));
        assert_eq!(watcher.take(), [""; 0]);
    }

    #[test]
    fn connects_that_go_on_failing_are_told_of_once() {
        use Circuit::{Closed, HalfOpen, Open};

        let course = [Closed, Open, HalfOpen, Open, HalfOpen, Open, HalfOpen, Closed];
        let told = course.windows(2).filter_map(|pair| connects(pair[0], pair[1]));
        let expected = ["connects fail", "connects succeed again"];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        let one_of_several = [Closed, HalfOpen, Open, HalfOpen, Closed];
        let told = one_of_several.windows(2).filter_map(|pair| connects(pair[0], pair[1]));
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }
}
