//! An acquire that is watched: when it entered the queue, what came of it, and whether that may be.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use pool_core::runtime::Instant;
use pool_core::{Acquire, AcquireError, AcquireErrorKind, PoolState};
use pool_testkit::{FakeDriver, Session, Sim};

use crate::rig::{FakePool, OwnedGuard};

/// What became of all acquires, as their callers know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Acquires polled at least once. Each takes its place in the order of the queue from it.
    pub(super) entered: u64,
    /// Served without entering, by `try_acquire`.
    pub(super) tried: u64,
    pub(super) succeeded: u64,
    pub(super) cancelled: u64,
    pub(super) timed_out: u64,
    pub(super) queue_full: u64,
    pub(super) closed: u64,
    pub(super) connect_failed: u64,
    pub(super) no_runtime: u64,
    /// The latest place that was served.
    pub(super) last_served: u64,
    /// Sessions in users' hands.
    pub(super) held: BTreeSet<u64>,
    /// Whether the runtime is shut down.
    pub(super) is_down: bool,
}

impl Tally {
    /// Takes note of a connection that was handed out.
    pub(super) fn hand_out(&mut self, guard: &OwnedGuard) {
        let Session { in_transaction, altered, ref owed, .. } = guard.session();
        assert!(!in_transaction && !altered && owed.is_empty(), "I5: handed out dirty: {guard:?}");
        assert!(self.held.insert(guard.id()), "I5: session {} has two holders", guard.id());
        self.succeeded += 1;
    }

    fn fail(&mut self, error: &AcquireError, now: Instant, deadline: Instant) {
        let details = error.details();
        let stats = &details.circumstances.stats;
        let (count, is_true) = match error.kind() {
            AcquireErrorKind::Timeout => (&mut self.timed_out, now >= deadline),
            AcquireErrorKind::QueueFull => (&mut self.queue_full, details.waited.is_zero()),
            AcquireErrorKind::Closed => {
                // Those who waited fail on the way to being closed.
                let waited = !details.waited.is_zero() || stats.waiting > 0;
                (&mut self.closed, stats.state == PoolState::Closed || waited)
            }
            AcquireErrorKind::ConnectFailed => (&mut self.connect_failed, stats.open_failed > 0),
            AcquireErrorKind::NoRuntime => (&mut self.no_runtime, self.is_down),
            other => panic!("a kind of failure that nobody knows: {other:?}"),
        };
        *count += 1;
        assert!(is_true, "an untrue failure: {error:?}");
    }
}

/// One acquire, shared with its future.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its place in the order of the queue, from its first poll on.
    pub(super) place: Option<u64>,
    pub(super) deadline: Instant,
    pub(super) outcome: Option<Result<OwnedGuard, AcquireErrorKind>>,
    /// Whether its future is gone without an outcome.
    pub(super) is_dropped: bool,
}

/// The future of an acquire that is watched. Ready once there is an outcome.
pub(super) struct Asking {
    pool: FakePool,
    acquire: Option<Acquire<FakeDriver, FakePool>>,
    timeout: Option<Duration>,
    sim: Sim,
    /// Whether it is polled as soon as it is woken.
    is_task: bool,
    tally: Arc<Mutex<Tally>>,
    asked: Arc<Mutex<Asked>>,
}

impl Asking {
    pub(super) fn new(
        pool: &FakePool,
        sim: &Sim,
        tally: &Arc<Mutex<Tally>>,
        timeout: Option<Duration>,
        is_task: bool,
    ) -> (Self, Arc<Mutex<Asked>>) {
        let asked =
            Asked { place: None, deadline: Instant::NEVER, outcome: None, is_dropped: false };
        let asked = Arc::new(Mutex::new(asked));
        let acquire = match timeout {
            Some(timeout) => pool.acquire_owned_within(timeout),
            None => pool.acquire_owned(),
        };
        let asking = Self {
            pool: pool.clone(),
            acquire: Some(acquire),
            timeout,
            sim: sim.clone(),
            is_task,
            tally: Arc::clone(tally),
            asked: Arc::clone(&asked),
        };
        (asking, asked)
    }

    fn enter(&self, asked: &mut Asked) {
        if asked.place.is_none() {
            let mut tally = self.tally.lock();
            tally.entered += 1;
            asked.place = Some(tally.entered);
            let timeout = self.timeout.unwrap_or_else(|| self.pool.config().acquire_timeout);
            asked.deadline = self.sim.now().after(timeout);
        }
    }
}

impl Future for Asking {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let asked = Arc::clone(&this.asked);
        let mut asked = asked.lock();
        let is_first = asked.place.is_none();
        let waiting = if is_first { this.pool.stats().waiting } else { 0 };
        this.enter(&mut asked);
        let acquire = this.acquire.as_mut().expect("polled after it was ready");
        let Poll::Ready(result) = Pin::new(acquire).poll(cx) else { return Poll::Pending };
        this.acquire = None;
        let now = this.sim.now();
        assert!(!this.is_task || now <= asked.deadline, "I7: {asked:?} past its deadline");
        let mut tally = this.tally.lock();
        asked.outcome = Some(match result {
            Ok(guard) => {
                assert_eq!(waiting, 0, "I4: served ahead of those who wait");
                tally.hand_out(&guard);
                tally.last_served = tally.last_served.max(asked.place.expect("entered"));
                Ok(guard)
            }
            Err(error) => {
                tally.fail(&error, now, asked.deadline);
                Err(error.kind())
            }
        });
        Poll::Ready(())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if self.acquire.is_some() {
            let mut asked = self.asked.lock();
            asked.is_dropped = true;
            if asked.place.is_some() {
                self.tally.lock().cancelled += 1;
            }
        }
    }
}
