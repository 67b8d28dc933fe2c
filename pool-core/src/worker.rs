//! The pool's one background task: it makes the calls of the driver and keeps the one timer.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use futures_util::future::{AbortHandle, Abortable, BoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::contain::{contain, panic_message};
use crate::driver::{ConnectContext, Driver};
use crate::error::DriverFault;
use crate::runtime::{NoRuntime, Timer};
use crate::shared::Shared;
use crate::state::{Command, Failure, Finished};

/// Rounds of work before other tasks get their turn.
const ROUNDS: usize = 16;

/// A call of the driver under way, for a slot.
type Call<C> = BoxFuture<'static, (u32, Finished<C>)>;

pub(crate) struct Worker<D: Driver> {
    shared: Arc<Shared<D>>,
    /// Number of its seat.
    seat: u64,
    calls: FuturesUnordered<Call<D::Connection>>,
    /// How to cut a call short, by slot.
    abort_handles: Vec<Option<AbortHandle>>,
    /// Reused between rounds.
    commands: Vec<Command<D::Connection>>,
    timer: Option<Box<dyn Timer>>,
    /// What the runtime lacks.
    missing: Option<NoRuntime>,
    done: bool,
}

impl<D: Driver> Shared<D> {
    /// Starts a worker on the runtime around the caller, if there is none.
    pub(crate) fn ensure_worker(self: &Arc<Self>) -> Result<(), NoRuntime> {
        let driven = self.runtime.driven();
        let Some(seat) = self.lock().take_seat(driven) else { return Ok(()) };
        self.runtime.spawn(Box::pin(Worker::new(Arc::clone(self), seat)))?;
        // A runtime that is shutting down takes the task and drops it, which vacates the seat. If the
        // seat is vacant because others gave the worker up meanwhile, the caller was woken.
        if self.lock().lacks_worker_since_lost(seat) {
            return Err(NoRuntime::new("the async runtime around it is shutting down"));
        }
        Ok(())
    }
}

impl<D: Driver> Worker<D> {
    /// A worker for the seat that the caller has taken.
    pub(crate) fn new(shared: Arc<Shared<D>>, seat: u64) -> Self {
        Self {
            shared,
            seat,
            calls: FuturesUnordered::new(),
            abort_handles: Vec::new(),
            commands: Vec::new(),
            timer: None,
            missing: None,
            done: false,
        }
    }

    fn start(&mut self, command: Command<D::Connection>) {
        let shared = Arc::clone(&self.shared);
        match command {
            Command::Open { slot, id } => self.call(slot, "connect", async move {
                let context = ConnectContext::new(id, shared.statements(id));
                finished(&shared.driver, shared.driver.connect(context).await)
            }),
            Command::Check { slot, connection } => self.call(slot, "check", async move {
                finished(&shared.driver, shared.driver.check(connection).await)
            }),
            Command::Reset { slot, connection } => self.call(slot, "reset", async move {
                finished(&shared.driver, shared.driver.reset(connection).await)
            }),
            Command::Close { slot, connection } => self.call(slot, "close", async move {
                // A goodbye that fails leaves the connection as gone as one that succeeds.
                let _ = shared.driver.close(connection).await;
                Finished::Gone
            }),
            Command::Cut { slot } => {
                if let Some(Some(handle)) = self.abort_handles.get(slot as usize) {
                    handle.abort();
                }
            }
        }
    }

    fn call(
        &mut self,
        slot: u32,
        name: &'static str,
        call: impl Future<Output = Finished<D::Connection>> + Send + 'static,
    ) {
        let (handle, registration) = AbortHandle::new_pair();
        let index = slot as usize;
        if self.abort_handles.len() <= index {
            self.abort_handles.resize_with(index + 1, || None);
        }
        self.abort_handles[index] = Some(handle);
        // The outer block drops the call inside `catch_unwind`, where a panicking drop is contained.
        let call = AssertUnwindSafe(async move { Abortable::new(call, registration).await });
        let call = call.catch_unwind().map(move |result| {
            let finished = match result {
                Ok(Ok(finished)) => finished,
                Ok(Err(_aborted)) => Finished::Cut,
                Err(payload) => {
                    let message = panic_message(payload);
                    let fault = DriverFault::Panicked { call: name, message };
                    Finished::Failed(Failure::transient(fault))
                }
            };
            (slot, finished)
        });
        self.calls.push(call.boxed());
    }

    /// Takes in what has ended, then does what is due. Ready with whether it is done for ever.
    fn round(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        // First, so that what has ended is neither cut nor given up at its deadline.
        self.drive_calls(cx);
        let (now, waker) = (self.shared.runtime.now(), cx.waker().clone());
        let plan = self.shared.transition(|state, effects| {
            state.work(self.seat, now, waker, &mut self.commands, effects)
        });
        if plan.done {
            return Poll::Ready(true);
        }
        let mut commands = std::mem::take(&mut self.commands);
        commands.drain(..).for_each(|command| self.start(command));
        self.commands = commands;
        // Those just started begin, those just cut end.
        let has_progressed = self.drive_calls(cx);
        let timer = self.timer.as_mut().expect("bug: a round without a timer");
        timer.reset(plan.wake_at);
        if timer.poll_expired(cx).is_ready() || has_progressed {
            Poll::Ready(false)
        } else {
            Poll::Pending
        }
    }

    /// Drives the calls and tells of those that have ended; whether any has.
    fn drive_calls(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        while let Poll::Ready(Some((slot, finished))) = self.calls.poll_next_unpin(cx) {
            any = true;
            self.abort_handles[slot as usize] = None;
            let (now, seat) = (self.shared.runtime.now(), self.seat);
            self.shared.transition(|state, fx| state.finish(seat, slot, finished, now, fx));
        }
        any
    }
}

/// Nothing in it is pinned in place: calls are boxed.
impl<D: Driver> Unpin for Worker<D> {}

impl<D: Driver> Future for Worker<D> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.timer.is_none() {
            match this.shared.runtime.timer() {
                Ok(timer) => this.timer = Some(timer),
                Err(missing) => {
                    this.missing = Some(missing);
                    return Poll::Ready(());
                }
            }
        }
        for _ in 0..ROUNDS {
            match this.round(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(false) => {}
                Poll::Ready(true) => {
                    this.done = true;
                    return Poll::Ready(());
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<D: Driver> Drop for Worker<D> {
    /// With calls under way if it was given up, or dropped before it was done: its runtime is going,
    /// or was not usable.
    fn drop(&mut self) {
        // One by one: a panic in one of them must not keep the others from being dropped.
        for call in std::mem::take(&mut self.calls) {
            contain(|| drop(call));
        }
        for command in self.commands.drain(..) {
            contain(|| drop(command));
        }
        if self.done {
            return;
        }
        let now = self.shared.runtime.now();
        let (seat, missing) = (self.seat, self.missing.as_ref());
        self.shared.transition(|state, effects| state.worker_lost(seat, missing, now, effects));
    }
}

fn finished<D: Driver>(
    driver: &D,
    result: Result<D::Connection, D::Error>,
) -> Finished<D::Connection> {
    match result {
        Ok(connection) => Finished::Good(connection),
        Err(error) => {
            let (class, code) = (driver.classify(&error), driver.status_code(&error));
            Finished::Failed(Failure { error: Arc::new(error), class, code })
        }
    }
}
