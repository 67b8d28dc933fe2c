//! The future of an acquire: one look at the idle connections, then a place in the queue.

use std::borrow::Borrow;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::driver::Driver;
use crate::error::{AcquireError, AcquireFailure, CallSite};
use crate::guard::Guard;
use crate::listeners::Wanted;
use crate::observer::{
    AcquireCancelled, AcquireFailed, AcquireStarted, AcquireSucceeded, Served, WaiterQueued,
};
use crate::pool::Pool;
use crate::runtime::Instant;
use crate::shared::Shared;
use crate::state::{Checkout, Collected, Entry, Moment};
use crate::watchdog::Watchdog;

/// The future of [`Pool::acquire`] (with a borrowed pool) and of [`Pool::acquire_owned`] (with a
/// handle of its own).
///
/// # Cancel safety
///
/// Dropping it at any point loses no capacity, no connection and no wake-up: what it had been given
/// goes to the next in line.
///
/// # Panics
///
/// If it is polled again after it was ready.
#[must_use = "an acquire does nothing until it is awaited"]
pub struct Acquire<D: Driver, P: Borrow<Pool<D>>> {
    /// Present until it moves on to the guard.
    pool: Option<P>,
    _driver: PhantomData<fn() -> D>,
    site: CallSite,
    /// Instead of `acquire_timeout`.
    timeout: Option<Duration>,
    stage: Stage,
    /// Present while waiting on another runtime than the worker's.
    watchdog: Option<Box<Watchdog>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    /// In the queue, under this key.
    Waiting(u32),
    Done,
}

type Outcome<D, P> = Result<Guard<D, P>, AcquireError>;

impl<D: Driver, P: Borrow<Pool<D>>> Acquire<D, P> {
    pub(crate) fn new(pool: P, site: CallSite, timeout: Option<Duration>) -> Self {
        let stage = Stage::Start;
        Self { pool: Some(pool), _driver: PhantomData, site, timeout, stage, watchdog: None }
    }

    #[inline]
    fn shared(&self) -> &Arc<Shared<D>> {
        self.pool.as_ref().expect("bug: an acquire without its pool").borrow().shared()
    }

    #[inline]
    fn start(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<D, P>> {
        let site = self.site;
        self.shared().observers.notify(Wanted::ACQUIRE_STARTED, |observer, pool| {
            observer.acquire_started(&AcquireStarted { pool, site });
        });
        if self.shared().idle_hint() {
            let recent = self.shared().recent();
            let checkout =
                self.shared().transition(|state, effects| state.take_idle(recent, site, effects));
            if let Some(checkout) = checkout {
                let guard = self.succeed(checkout, Served::Immediate, Duration::ZERO);
                return Poll::Ready(Ok(guard));
            }
        }
        self.enter(cx)
    }

    fn enter(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<D, P>> {
        let moment = Moment { exact: self.shared().now(), cheap: self.shared().recent() };
        let (site, timeout) = (self.site, self.timeout);
        // Cloned outside the lock: a waker is foreign code.
        let waker = cx.waker().clone();
        let mut stage = Stage::Start;
        let (entry, needs_worker, driven) = self.shared().transition(|state, effects| {
            let entry = state.enter(moment, timeout, site, waker, effects);
            if let Entry::Waiting { key, .. } = entry {
                stage = Stage::Waiting(key);
            }
            (entry, state.needs_worker(), state.worker_driven())
        });
        self.stage = stage;
        match entry {
            Entry::Acquired(checkout) => {
                if needs_worker {
                    // Served without one; only those who wait need to know that there is none.
                    let _ = self.shared().ensure_worker();
                }
                Poll::Ready(Ok(self.succeed(checkout, Served::Immediate, Duration::ZERO)))
            }
            Entry::Refused(failure) => Poll::Ready(Err(self.fail(failure))),
            Entry::Waiting { key, waiting } => {
                self.shared().observers.notify(Wanted::RARE, |observer, pool| {
                    observer.waiter_queued(&WaiterQueued { pool, site, waiting });
                });
                if needs_worker {
                    return self.start_worker(key);
                }
                self.watch_worker(driven, cx);
                Poll::Pending
            }
        }
    }

    fn watch_worker(&mut self, driven: Option<u64>, cx: &mut Context<'_>) {
        let mut watchdog = self.watchdog.take();
        Watchdog::watch(&mut watchdog, self.shared(), driven, cx);
        self.watchdog = watchdog;
    }

    /// Looks whether the wait is over.
    fn look(&mut self, key: u32, cx: &mut Context<'_>) -> Poll<Outcome<D, P>> {
        let shared = self.shared();
        let recent = shared.recent();
        let mut state = shared.lock();
        if let Some(collected) = state.collect(key, recent) {
            drop(state);
            return Poll::Ready(self.settle(collected));
        }
        let same_task = state.will_wake(key, cx.waker());
        let mut worker = (state.needs_worker(), state.worker_driven());
        drop(state);
        if !same_task {
            let waker = cx.waker().clone();
            let collected = self.shared().transition(|state, effects| {
                let collected = state.collect(key, recent);
                match collected {
                    Some(_) => effects.drop_waker(Some(waker)),
                    None => state.set_waker(key, waker, effects),
                }
                // A worker that was lost meanwhile woke only those whose wakers were there.
                worker = (state.needs_worker(), state.worker_driven());
                collected
            });
            if let Some(collected) = collected {
                return Poll::Ready(self.settle(collected));
            }
        }
        let (needs_worker, driven) = worker;
        if needs_worker {
            return self.start_worker(key);
        }
        self.watch_worker(driven, cx);
        Poll::Pending
    }

    fn start_worker(&mut self, key: u32) -> Poll<Outcome<D, P>> {
        let Err(missing) = self.shared().ensure_worker() else { return Poll::Pending };
        let (now, recent) = (self.shared().now(), self.shared().recent());
        let collected = self.shared().transition(|state, effects| {
            // It may have been served meanwhile.
            state.collect(key, recent).or_else(|| {
                state.no_runtime(key, missing, now, effects);
                state.collect(key, recent)
            })
        });
        Poll::Ready(self.settle(collected.expect("bug: a settled acquire without its outcome")))
    }

    fn settle(&mut self, collected: Collected<D::Connection>) -> Outcome<D, P> {
        match collected {
            Collected::Acquired { checkout, served, since } => {
                let waited = self.waited(since, Wanted::ACQUIRE_SUCCEEDED);
                Ok(self.succeed(checkout, served, waited))
            }
            Collected::Failed(failure) => Err(self.fail(failure)),
        }
    }

    /// How long it has waited, for observers alone: the exact clock is the dearest part of a wait.
    fn waited(&self, since: Instant, wanted: Wanted) -> Duration {
        let shared = self.shared();
        if shared.observers.want(wanted) { shared.now().since(since) } else { Duration::ZERO }
    }

    #[inline]
    fn succeed(
        &mut self,
        checkout: Checkout<D::Connection>,
        served: Served,
        waited: Duration,
    ) -> Guard<D, P> {
        self.stage = Stage::Done;
        let site = self.site;
        self.shared().observers.notify(Wanted::ACQUIRE_SUCCEEDED, |observer, pool| {
            observer.acquire_succeeded(&AcquireSucceeded { pool, site, served, waited });
        });
        let pool = self.pool.take().expect("bug: an acquire without its pool");
        Guard::new(pool, checkout, site)
    }

    #[cold]
    fn cancel(&self, key: u32) {
        let (shared, site) = (self.shared(), self.site);
        let recent = shared.recent();
        let since = shared.transition(|state, effects| state.cancel(key, recent, effects));
        let waited = self.waited(since, Wanted::RARE);
        shared.observers.notify(Wanted::RARE, |observer, pool| {
            observer.acquire_cancelled(&AcquireCancelled { pool, site, waited });
        });
    }

    #[cold]
    fn fail(&mut self, failure: Box<AcquireFailure>) -> AcquireError {
        self.stage = Stage::Done;
        let error = AcquireError::new(failure);
        self.shared().observers.notify(Wanted::RARE, |observer, pool| {
            observer.acquire_failed(&AcquireFailed { pool, error: &error });
        });
        error
    }
}

/// Nothing in it is pinned in place.
impl<D: Driver, P: Borrow<Pool<D>>> Unpin for Acquire<D, P> {}

impl<D: Driver, P: Borrow<Pool<D>>> Future for Acquire<D, P> {
    type Output = Outcome<D, P>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<D, P>> {
        let this = self.get_mut();
        match this.stage {
            Stage::Start => this.start(cx),
            Stage::Waiting(key) => this.look(key, cx),
            Stage::Done => panic!("an acquire was polled after it was done"),
        }
    }
}

impl<D: Driver, P: Borrow<Pool<D>>> Drop for Acquire<D, P> {
    #[inline]
    fn drop(&mut self) {
        if let Stage::Waiting(key) = self.stage {
            self.cancel(key);
        }
    }
}

impl<D: Driver, P: Borrow<Pool<D>>> std::fmt::Debug for Acquire<D, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acquire")
            .field("site", &self.site)
            .field("timeout", &self.timeout)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
