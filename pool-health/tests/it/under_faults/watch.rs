//! What is told at every moment, by whom does not matter: looked at each millisecond, from outside of the
//! program's runtime.

use std::fmt::Debug;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::until;

/// How often it is looked at.
const EACH: Duration = Duration::from_millis(1);

/// Ends when it is dropped.
pub(super) struct Watch<T> {
    seen: Arc<Mutex<Vec<(Instant, T)>>>,
}

impl<T: Clone + Debug + PartialEq + Send + 'static> Watch<T> {
    pub(super) fn start(look: impl Fn() -> T + Send + 'static) -> Self {
        let seen = Arc::new(Mutex::new(vec![(Instant::now(), look())]));
        let noted = Arc::downgrade(&seen);
        thread::spawn(move || {
            while let Some(seen) = noted.upgrade() {
                let now = look();
                let mut seen = seen.lock();
                if seen.last().is_none_or(|(_, last)| *last != now) {
                    seen.push((Instant::now(), now));
                }
                drop(seen);
                thread::sleep(EACH);
            }
        });
        Self { seen }
    }

    /// Waits until it is so, and says since when.
    pub(super) async fn until(&self, is_so: impl Fn(&T) -> bool) -> Instant {
        let latest = || self.seen.lock().last().cloned().expect("the first");
        let found = Mutex::new(None);
        until(|| {
            let (at, value) = latest();
            *found.lock() = is_so(&value).then_some(at);
            found.lock().is_some()
        })
        .await;
        found.into_inner().expect("found")
    }

    /// All that was told, one after the other.
    pub(super) fn told(&self) -> Vec<T> {
        self.seen.lock().iter().map(|(_, value)| value.clone()).collect()
    }
}
