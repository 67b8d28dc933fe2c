//! A runtime in virtual time: no clock, no thread, and tasks run in an order drawn from a seed.
//!
//! The same seed runs the same tasks in the same order, so a failure replays.

mod hand;
mod task;

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use pool_core::runtime::{Instant, NoRuntime, Runtime, Task, Timer};

pub use self::hand::Hand;
pub use self::task::SimTask;
use self::task::TaskWaker;

/// Polls of tasks at one instant after which a run is given up as a busy loop.
const MOST_POLLS_AT_ONCE: usize = 1_000_000;

/// A single-threaded runtime in virtual time. Clones are handles to the same one.
///
/// ```
/// use std::time::Duration;
/// use pool_testkit::Sim;
///
/// let sim = Sim::new(7);
/// let started = sim.now();
/// sim.block_on(sim.sleep(Duration::from_secs(3600)));
/// assert_eq!(sim.now().since(started), Duration::from_secs(3600));
/// ```
#[derive(Clone)]
pub struct Sim {
    shared: Arc<Shared>,
}

struct Shared {
    seed: u64,
    state: Mutex<State>,
}

struct State {
    now: Instant,
    rng: fastrand::Rng,
    /// A task is absent while it is polled and once it is done.
    tasks: Vec<Option<Task>>,
    /// Tasks that were woken, in the order of waking.
    ready: Vec<usize>,
    /// By time, then by number, so that equal times keep an order.
    timers: BTreeMap<(Instant, u64), Waker>,
    next_timer: u64,
    timers_fired: u64,
    shut_down: bool,
}

impl Sim {
    /// A runtime whose task order and jitter follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            // Not the epoch, so that "an hour ago" exists.
            now: Instant::EPOCH.after(Duration::from_hours(24)),
            rng: fastrand::Rng::with_seed(seed),
            tasks: Vec::new(),
            ready: Vec::new(),
            timers: BTreeMap::new(),
            next_timer: 0,
            timers_fired: 0,
            shut_down: false,
        };
        Self { shared: Arc::new(Shared { seed, state: Mutex::new(state) }) }
    }

    /// Runs a test under each of `seeds`, naming the seed of the first that fails.
    ///
    /// # Panics
    ///
    /// With the panic of the test.
    pub fn for_each_seed(seeds: std::ops::Range<u64>, test: impl Fn(&Self)) {
        for seed in seeds {
            let failure = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                test(&Self::new(seed));
            }));
            if let Err(failure) = failure {
                eprintln!(
                    "the simulation failed with seed {seed}; replay it with Sim::new({seed})"
                );
                std::panic::resume_unwind(failure);
            }
        }
    }

    /// The runtime for a pool's options.
    #[must_use]
    pub fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.clone())
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.shared.state.lock().now
    }

    /// Timers that have fired so far.
    #[must_use]
    pub fn timers_fired(&self) -> u64 {
        self.shared.state.lock().timers_fired
    }

    /// A task whose result can be asked for. It is first polled by the next run.
    pub fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> SimTask<T> {
        let (task, handle) = SimTask::new(future);
        self.start(task);
        handle
    }

    fn start(&self, task: Task) {
        let mut state = self.shared.state.lock();
        if state.shut_down {
            drop(state);
            return drop(task);
        }
        let id = state.tasks.len();
        state.tasks.push(Some(task));
        state.ready.push(id);
    }

    /// Waits in virtual time.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        let mut timer = SimTimer::new(self.clone());
        timer.reset(self.now().after(duration));
        poll_fn(move |cx| timer.poll_expired(cx))
    }

    /// Runs tasks until none is ready. Time stands still.
    pub fn run(&self) {
        for _ in 0..MOST_POLLS_AT_ONCE {
            if !self.poll_one() {
                return;
            }
        }
        panic!("seed {}: tasks keep waking each other at {:?}", self.shared.seed, self.now());
    }

    /// Runs one ready task, drawn at random, once; whether there was one.
    #[must_use]
    pub fn run_one(&self) -> bool {
        self.poll_one()
    }

    /// Lets time pass to the next timer and fires it; whether there was one. Runs no task.
    #[must_use]
    pub fn skip_to_next_timer(&self) -> bool {
        self.fire_next_timer(Instant::NEVER)
    }

    /// Runs tasks while `duration` passes, stopping at every timer on the way.
    pub fn advance(&self, duration: Duration) {
        let until = self.now().after(duration);
        self.run();
        while self.fire_next_timer(until) {
            self.run();
        }
        self.shared.state.lock().now = until;
        self.run();
    }

    /// Runs tasks, and lets time pass whenever none is ready, until `future` is done.
    ///
    /// # Panics
    ///
    /// If it waits for something that will never come.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut hand = hand::CountingWaker::new();
        loop {
            if let Poll::Ready(value) = hand.poll(future.as_mut()) {
                return value;
            }
            while !hand.take_woken() {
                let progress = self.poll_one() || self.fire_next_timer(Instant::NEVER);
                assert!(progress, "seed {}: deadlock at {:?}", self.shared.seed, self.now());
            }
        }
    }

    /// Drops every task, as a runtime that is shut down; later ones are dropped unpolled.
    pub fn shut_down(&self) {
        let tasks = {
            let mut state = self.shared.state.lock();
            state.shut_down = true;
            state.ready.clear();
            std::mem::take(&mut state.tasks)
        };
        drop(tasks);
    }

    /// Lets tasks be spawned again after [`shut_down`](Self::shut_down): a new runtime.
    pub fn restart(&self) {
        self.shared.state.lock().shut_down = false;
    }

    /// Polls a ready task drawn at random; `false` if none is ready.
    fn poll_one(&self) -> bool {
        let (id, mut task) = loop {
            let mut state = self.shared.state.lock();
            if state.ready.is_empty() {
                return false;
            }
            let ready = state.ready.len();
            let drawn = state.rng.usize(0..ready);
            let id = state.ready.remove(drawn);
            if let Some(task) = state.tasks.get_mut(id).and_then(Option::take) {
                break (id, task);
            }
        };
        let waker = Waker::from(Arc::new(TaskWaker::new(&self.shared, id)));
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            let mut state = self.shared.state.lock();
            match state.tasks.get_mut(id) {
                Some(place) => *place = Some(task),
                // Shut down meanwhile: dropped outside the lock.
                None => drop(state),
            }
        }
        true
    }

    /// Moves time to the next timer, if it is due by `until`, and fires it.
    fn fire_next_timer(&self, until: Instant) -> bool {
        let mut state = self.shared.state.lock();
        match state.timers.first_key_value() {
            Some((&(at, _), _)) if at <= until => {
                let ((at, _), waker) = state.timers.pop_first().expect("bug: it was there");
                state.now = state.now.max(at);
                state.timers_fired += 1;
                drop(state);
                waker.wake();
                true
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("seed", &self.shared.seed).finish_non_exhaustive()
    }
}

impl Runtime for Sim {
    fn spawn(&self, task: Task) -> Result<(), NoRuntime> {
        self.start(task);
        Ok(())
    }

    fn timer(&self) -> Result<Box<dyn Timer>, NoRuntime> {
        Ok(Box::new(SimTimer::new(self.clone())))
    }

    fn now(&self) -> Instant {
        Self::now(self)
    }

    fn seed(&self) -> u64 {
        self.shared.seed
    }
}

struct SimTimer {
    sim: Sim,
    at: Instant,
    /// Where it stands among the runtime's timers.
    registered: Option<(Instant, u64)>,
}

impl SimTimer {
    fn new(sim: Sim) -> Self {
        Self { sim, at: Instant::NEVER, registered: None }
    }

    fn deregister(&mut self) {
        if let Some(key) = self.registered.take() {
            let waker = self.sim.shared.state.lock().timers.remove(&key);
            drop(waker);
        }
    }
}

impl Timer for SimTimer {
    fn reset(&mut self, at: Instant) {
        self.deregister();
        self.at = at;
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.deregister();
        let mut state = self.sim.shared.state.lock();
        if self.at == Instant::NEVER {
            return Poll::Pending;
        }
        if state.now >= self.at {
            self.at = Instant::NEVER;
            return Poll::Ready(());
        }
        let key = (self.at, state.next_timer);
        state.next_timer += 1;
        state.timers.insert(key, cx.waker().clone());
        self.registered = Some(key);
        Poll::Pending
    }
}

impl Drop for SimTimer {
    fn drop(&mut self) {
        self.deregister();
    }
}
