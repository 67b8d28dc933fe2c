//! The seam for monitoring: one trait of events, and the set of those who listen.
//!
//! Nothing here records anything; `pool-monitor` does.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use crate::contain::contain;
use crate::control::Reconfigured;
use crate::driver::ErrorClass;
use crate::error::{AcquireError, CallSite};
use crate::runtime::{Instant, Runtime};
use crate::stats::CloseReason;

/// Told what happens in a pool.
///
/// Called outside the pool's lock, on whichever thread the event happened; must not block. A panic
/// is contained. A pool without observers pays one branch an event.
pub trait Observer: Send + Sync + 'static {
    /// An acquire was polled for the first time.
    fn acquire_started(&self, event: &AcquireStarted<'_>) {
        let _ = event;
    }
    /// An acquire got its connection.
    fn acquire_succeeded(&self, event: &AcquireSucceeded<'_>) {
        let _ = event;
    }
    /// An acquire failed.
    fn acquire_failed(&self, event: &AcquireFailed<'_>) {
        let _ = event;
    }
    /// An acquire was dropped while it waited.
    fn acquire_cancelled(&self, event: &AcquireCancelled<'_>) {
        let _ = event;
    }
    /// An acquire found no idle connection and has to wait.
    fn waiter_queued(&self, event: &WaiterQueued<'_>) {
        let _ = event;
    }
    /// A guard was dropped.
    fn released(&self, event: &ConnectionReleased<'_>) {
        let _ = event;
    }
    /// A connection was opened.
    fn opened(&self, event: &ConnectionOpened<'_>) {
        let _ = event;
    }
    /// A connect failed.
    fn open_failed(&self, event: &OpenFailed<'_>) {
        let _ = event;
    }
    /// A connection has left the pool.
    fn closed(&self, event: &ConnectionClosed<'_>) {
        let _ = event;
    }
    /// A checkout is held for longer than `leak_after`.
    fn leak_suspected(&self, event: &LeakSuspected<'_>) {
        let _ = event;
    }
    /// The configuration was changed.
    fn reconfigured(&self, event: &PoolReconfigured<'_>) {
        let _ = event;
    }
    /// A driver's connection sends a statement.
    fn statement_started(&self, event: &StatementStarted<'_>) {
        let _ = event;
    }
    /// A statement has ended.
    fn statement_finished(&self, event: &StatementFinished<'_>) {
        let _ = event;
    }
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            #[non_exhaustive]
            pub struct $name<'a> {
                /// The pool's name.
                pub pool: &'a str,
                $($(#[$field_doc])* pub $field: $type,)*
            }
        )*
    };
}

events! {
    /// See [`Observer::acquire_started`].
    AcquireStarted {
        /// Where it was called.
        site: CallSite,
    }
    /// See [`Observer::acquire_succeeded`].
    AcquireSucceeded {
        /// Where it was called.
        site: CallSite,
        /// How it was served.
        served: Served,
        /// How long it waited; zero if it was served at once.
        waited: Duration,
    }
    /// See [`Observer::acquire_failed`].
    AcquireFailed {
        /// What the caller is told.
        error: &'a AcquireError,
    }
    /// See [`Observer::acquire_cancelled`].
    AcquireCancelled {
        /// Where it was called.
        site: CallSite,
        /// How long it had waited.
        waited: Duration,
    }
    /// See [`Observer::waiter_queued`].
    WaiterQueued {
        /// Where it was called.
        site: CallSite,
        /// Acquires waiting now, this one included.
        waiting: usize,
    }
    /// See [`Observer::released`].
    ConnectionReleased {
        /// Where it was acquired.
        site: CallSite,
        /// How long it was held, to the precision of the cheap clock (milliseconds).
        held: Duration,
    }
    /// See [`Observer::opened`].
    ConnectionOpened {
        /// Number of the connection.
        connection_id: u64,
        /// How long the connect took.
        took: Duration,
    }
    /// See [`Observer::open_failed`].
    OpenFailed {
        /// How long the connect took.
        took: Duration,
        /// What kind of error it was.
        class: ErrorClass,
        /// Failed connects since the last success, this one included.
        attempts: u32,
        /// The driver's error, or a [`DriverFault`](crate::DriverFault).
        error: &'a (dyn Error + Send + Sync + 'static),
    }
    /// See [`Observer::closed`].
    ConnectionClosed {
        /// Number of the connection.
        connection_id: u64,
        /// Why it was closed.
        reason: CloseReason,
        /// Time since it was opened.
        age: Duration,
        /// What the driver said, if a check or a reset failed.
        error: Option<&'a (dyn Error + Send + Sync + 'static)>,
    }
    /// See [`Observer::leak_suspected`].
    LeakSuspected {
        /// Where it was acquired.
        site: CallSite,
        /// How long it has been held.
        held: Duration,
    }
    /// See [`Observer::reconfigured`].
    PoolReconfigured {
        /// What was applied and what waits.
        outcome: &'a Reconfigured,
    }
    /// See [`Observer::statement_started`].
    StatementStarted {
        /// Number of the connection.
        connection_id: u64,
        /// Number of the statement, unique in the program.
        statement_id: u64,
        /// Its text, where the driver knows it; never its parameters.
        text: Option<&'a str>,
    }
    /// See [`Observer::statement_finished`].
    StatementFinished {
        /// Number of the connection.
        connection_id: u64,
        /// Number of the statement.
        statement_id: u64,
        /// Its text, where the driver knows it; never its parameters.
        text: Option<&'a str>,
        /// How long it ran.
        took: Duration,
        /// How it ended.
        outcome: StatementOutcome<'a>,
    }
}

/// How an acquire was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Served {
    /// At once, by an idle connection.
    Immediate,
    /// After waiting, by a connection that was open already.
    Waited,
    /// After waiting, by a newly opened connection.
    Opened,
}

/// How a statement ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum StatementOutcome<'a> {
    /// It succeeded.
    Ok,
    /// It failed.
    Failed(&'a (dyn Error + 'static)),
    /// Its future was dropped first.
    Cancelled,
}

type Listener = (u64, Arc<dyn Observer>);

/// Those who listen to one pool.
pub(crate) struct Observers {
    pub(crate) pool: Arc<str>,
    /// Whether `listeners` is not empty: the one branch paid per event.
    any: AtomicBool,
    listeners: RwLock<Arc<[Listener]>>,
    next_id: AtomicU64,
}

impl Observers {
    pub(crate) fn new(pool: Arc<str>) -> Self {
        Self {
            pool,
            any: AtomicBool::new(false),
            listeners: RwLock::new(Arc::new([])),
            next_id: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Tells every observer; `event` is called with the pool's name.
    #[inline]
    pub(crate) fn notify(&self, event: impl Fn(&dyn Observer, &str)) {
        if self.any() {
            self.notify_listeners(&event);
        }
    }

    #[cold]
    fn notify_listeners(&self, event: &dyn Fn(&dyn Observer, &str)) {
        let listeners = self.listeners.read().clone();
        for (_, observer) in listeners.iter() {
            contain(|| event(&**observer, &self.pool));
        }
    }

    pub(crate) fn subscribe(self: &Arc<Self>, observer: Arc<dyn Observer>) -> Subscription {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.change(|listeners| listeners.push((id, observer)));
        Subscription { observers: Some(Arc::clone(self)), id }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Listener>)) {
        let old = {
            let mut listeners = self.listeners.write();
            let mut changed = listeners.to_vec();
            change(&mut changed);
            self.any.store(!changed.is_empty(), Ordering::Relaxed);
            std::mem::replace(&mut *listeners, changed.into())
        };
        // An observer's `Drop` is foreign code: outside the lock, contained.
        contain(|| drop(old));
    }
}

/// Keeps an observer subscribed; dropping it ends that.
#[must_use = "dropping the subscription ends it"]
pub struct Subscription {
    /// `None` once it is to be kept.
    observers: Option<Arc<Observers>>,
    id: u64,
}

impl Subscription {
    /// Leaves the observer subscribed for as long as the pool lives.
    pub fn keep(mut self) {
        self.observers = None;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(observers) = &self.observers else { return };
        let mut removed = None;
        observers.change(|listeners| {
            let position = listeners.iter().position(|(id, _)| *id == self.id);
            removed = position.map(|position| listeners.remove(position));
        });
        contain(|| drop(removed));
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("id", &self.id).finish_non_exhaustive()
    }
}

static NEXT_STATEMENT_ID: AtomicU64 = AtomicU64::new(1);

/// Where a driver's connection tells observers about its statements.
#[derive(Clone)]
pub struct Statements {
    observers: Arc<Observers>,
    runtime: Option<Arc<dyn Runtime>>,
    connection_id: u64,
}

impl Statements {
    pub(crate) fn new(
        observers: Arc<Observers>,
        runtime: Arc<dyn Runtime>,
        connection_id: u64,
    ) -> Self {
        Self { observers, runtime: Some(runtime), connection_id }
    }

    /// Tells nobody; for connections opened without a pool.
    #[must_use]
    pub fn unobserved() -> Self {
        let observers = Arc::new(Observers::new(Arc::from("")));
        Self { observers, runtime: None, connection_id: 0 }
    }

    /// Announces a statement; `None`, at the cost of one branch, if nobody listens.
    #[must_use]
    pub fn start<'a>(&'a self, text: Option<&'a str>) -> Option<RunningStatement<'a>> {
        if !self.observers.any() {
            return None;
        }
        let statement_id = NEXT_STATEMENT_ID.fetch_add(1, Ordering::Relaxed);
        let connection_id = self.connection_id;
        self.observers.notify(|observer, pool| {
            let event = StatementStarted { pool, connection_id, statement_id, text };
            observer.statement_started(&event);
        });
        Some(RunningStatement { statements: self, statement_id, text, started: self.now() })
    }

    fn now(&self) -> Instant {
        self.runtime.as_ref().map_or(Instant::EPOCH, |runtime| runtime.now())
    }
}

impl fmt::Debug for Statements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statements")
            .field("connection_id", &self.connection_id)
            .finish_non_exhaustive()
    }
}

/// A statement under way. Dropping it without [`finish`](Self::finish) reports it as cancelled.
#[derive(Debug)]
#[must_use = "a statement that is not finished is reported as cancelled"]
pub struct RunningStatement<'a> {
    statements: &'a Statements,
    statement_id: u64,
    text: Option<&'a str>,
    started: Instant,
}

impl RunningStatement<'_> {
    /// Reports how the statement ended.
    pub fn finish(self, result: Result<(), &(dyn Error + 'static)>) {
        self.report(result.map_or_else(StatementOutcome::Failed, |()| StatementOutcome::Ok));
        // Holds references only; what is left of it is the report of a cancellation.
        std::mem::forget(self);
    }

    fn report(&self, outcome: StatementOutcome<'_>) {
        let Self { statements, statement_id, text, started } = *self;
        let took = statements.now().since(started);
        let connection_id = statements.connection_id;
        statements.observers.notify(|observer, pool| {
            let event =
                StatementFinished { pool, connection_id, statement_id, text, took, outcome };
            observer.statement_finished(&event);
        });
    }
}

impl Drop for RunningStatement<'_> {
    fn drop(&mut self) {
        self.report(StatementOutcome::Cancelled);
    }
}
