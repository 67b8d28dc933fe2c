//! A runtime inside a model: a thread of the tool for each task, and time that passes only where a
//! model says so.

use std::future::Future;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pool_core::runtime::{Instant, NoRuntime, Runtime, Task, Timer};

pub(crate) use crate::tool::future::block_on;
use crate::tool::thread::{self, JoinHandle};

/// When a model begins. Not the epoch, so that there is a time before.
const START: Instant = Instant::from_nanos(1_000_000_000_000);

/// Its own state is behind the standard library's primitives, held for no step of the tool.
#[derive(Debug)]
pub(crate) struct ModelRuntime {
    clock: Arc<Clock>,
    spawned: Mutex<Vec<JoinHandle<()>>>,
    /// Whether the next task is dropped after its first poll, as by a runtime that is shut down.
    doomed: AtomicBool,
    /// Whether each thread is taken to be a runtime that it drives itself.
    driven: AtomicBool,
}

impl ModelRuntime {
    pub(crate) fn new() -> Self {
        let clock = Clock {
            now: AtomicU64::new(START.as_nanos()),
            horizon: AtomicU64::new(START.as_nanos()),
            sleepers: Mutex::new(Vec::new()),
        };
        Self {
            clock: Arc::new(clock),
            spawned: Mutex::new(Vec::new()),
            doomed: AtomicBool::new(false),
            driven: AtomicBool::new(false),
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn doom_the_next_task(&self) {
        self.doomed.store(true, Ordering::Relaxed);
    }

    /// From now on a worker belongs to the thread that starts it, and who waits on another one looks
    /// whether it runs. A task still has a thread of its own: when that goes on is up to the tool, as
    /// it is up to its user when a runtime is driven.
    pub(crate) fn belongs_to_its_threads(&self) {
        self.driven.store(true, Ordering::Relaxed);
    }

    /// Waits until every task is done.
    pub(crate) fn join(&self) {
        let spawned = std::mem::take(&mut *locked(&self.spawned));
        for task in spawned {
            task.join().expect("a task that does not panic");
        }
    }
}

impl Runtime for ModelRuntime {
    fn spawn(&self, mut task: Task) -> Result<(), NoRuntime> {
        let handle = if self.doomed.swap(false, Ordering::Relaxed) {
            thread::spawn(move || {
                let _ = poll_once(task.as_mut());
                drop(task);
            })
        } else {
            thread::spawn(move || block_on(task))
        };
        locked(&self.spawned).push(handle);
        Ok(())
    }

    fn timer(&self) -> Result<Box<dyn Timer>, NoRuntime> {
        Ok(Box::new(ModelTimer { clock: Arc::clone(&self.clock), at: Instant::NEVER }))
    }

    fn driven(&self) -> Option<u64> {
        let driven = self.driven.load(Ordering::Relaxed);
        driven.then(|| {
            let mut hasher = DefaultHasher::new();
            thread::current().id().hash(&mut hasher);
            hasher.finish()
        })
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.clock.now.load(Ordering::Relaxed))
    }

    fn seed(&self) -> u64 {
        1
    }
}

/// Time as the timers see it. A timer due up to the horizon fires when it is looked at, and the clock
/// then shows its time: how soon a deadline comes is a matter of when its owner runs, which the tool
/// decides.
#[derive(Debug)]
pub(crate) struct Clock {
    now: AtomicU64,
    horizon: AtomicU64,
    /// Tasks whose timers lie beyond the horizon.
    sleepers: Mutex<Vec<Waker>>,
}

impl Clock {
    /// Lets the timers of the next while fire, before that while is over by the clock.
    pub(crate) fn look_ahead(&self, by: Duration) {
        let now = Instant::from_nanos(self.now.load(Ordering::Relaxed));
        self.horizon.store(now.after(by).as_nanos(), Ordering::Relaxed);
        let sleepers = std::mem::take(&mut *locked(&self.sleepers));
        sleepers.into_iter().for_each(Waker::wake);
    }
}

struct ModelTimer {
    clock: Arc<Clock>,
    at: Instant,
}

impl Timer for ModelTimer {
    fn reset(&mut self, at: Instant) {
        self.at = at;
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.at == Instant::NEVER {
            return Poll::Pending;
        }
        if self.at.as_nanos() > self.clock.horizon.load(Ordering::Relaxed) {
            let mut sleepers = locked(&self.clock.sleepers);
            if !sleepers.iter().any(|sleeper| sleeper.will_wake(cx.waker())) {
                sleepers.push(cx.waker().clone());
            }
            return Poll::Pending;
        }
        self.clock.now.fetch_max(self.at.as_nanos(), Ordering::Relaxed);
        self.at = Instant::NEVER;
        Poll::Ready(())
    }
}

/// Polls a future once, with a waker of the task around it.
pub(crate) fn poll_once<T>(future: impl Future<Output = T> + Unpin) -> Poll<T> {
    let mut future = pin!(future);
    block_on(std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))))
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
