//! An alarm clock that is more precise than the runtime's timer, which knows whole milliseconds.
//!
//! A thread of its own sleeps: the system wakes it within some 60 us of the time, and meanwhile no
//! core is busy, as it would be if a task looked at the clock again and again.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::Notify;

pub(super) struct Alarm {
    shared: Arc<Shared>,
}

struct Shared {
    next: Mutex<Next>,
    changed: Condvar,
    rings: Notify,
}

#[derive(Clone, Copy)]
enum Next {
    At(Instant),
    /// Until it is set again.
    Never,
    /// The thread is not needed any more.
    Gone,
}

impl Alarm {
    /// # Errors
    ///
    /// If there can be no more threads.
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared {
            next: Mutex::new(Next::Never),
            changed: Condvar::new(),
            rings: Notify::new(),
        });
        let sleeper = Arc::clone(&shared);
        thread::Builder::new().name("load-pacer".to_owned()).spawn(move || sleeper.sleep())?;
        Ok(Self { shared })
    }

    /// Sets it to this time, and no other.
    pub(super) fn set(&self, at: Instant) {
        self.shared.change(Next::At(at));
    }

    /// Waits until it rings. It may ring too early, or for the time before.
    pub(super) async fn rings(&self) {
        self.shared.rings.notified().await;
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.shared.change(Next::Gone);
    }
}

impl Shared {
    fn change(&self, next: Next) {
        *self.lock() = next;
        self.changed.notify_one();
    }

    fn sleep(&self) {
        let mut next = self.lock();
        loop {
            match *next {
                Next::Gone => return,
                Next::Never => {
                    next = self.changed.wait(next).unwrap_or_else(PoisonError::into_inner);
                }
                Next::At(at) => match at.checked_duration_since(Instant::now()) {
                    Some(left) if !left.is_zero() => {
                        let waited = self.changed.wait_timeout(next, left);
                        next = waited.unwrap_or_else(PoisonError::into_inner).0;
                    }
                    _ => {
                        *next = Next::Never;
                        self.rings.notify_one();
                    }
                },
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_rings_at_its_time_and_not_before() {
        let alarm = Alarm::start().expect("a thread");
        alarm.set(Instant::now() + Duration::from_hours(1));
        let began = Instant::now();
        let at = began + Duration::from_micros(300);
        alarm.set(at);
        alarm.rings().await;
        assert!(Instant::now() >= at);
    }

    #[tokio::test]
    async fn a_time_that_has_passed_rings_at_once() {
        let alarm = Alarm::start().expect("a thread");
        alarm.set(Instant::now());
        alarm.rings().await;
        assert!(matches!(*alarm.shared.lock(), Next::Never));
    }
}
