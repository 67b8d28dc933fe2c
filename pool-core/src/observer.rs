//! The seam for monitoring: one trait of events.
//!
//! Nothing here records anything; `pool-monitor` does.

use std::error::Error;
use std::ops::BitOr;
use std::time::Duration;

use crate::comment::SqlComment;
use crate::config::{ConfigError, Reconfigured};
use crate::error::{AcquireError, CallSite, ErrorClass};
use crate::health::HealthState;
use crate::sizing::Sizing;
use crate::stats::{Circuit, CloseReason};

/// Told what happens in a pool.
///
/// Called outside the pool's lock, on whichever thread the event happened; must not block. A panic
/// is contained. A pool without observers pays one branch an event.
pub trait Observer: Send + Sync + 'static {
    /// Which of the frequent events it wants to be told; asked once, when it subscribes. What no
    /// observer wants costs nothing.
    fn frequent(&self) -> Frequent {
        Frequent::ALL
    }
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
    /// Connects begin to fail, are tried again, or succeed again.
    fn circuit_changed(&self, event: &CircuitChanged<'_>) {
        let _ = event;
    }
    /// The driver has checked an idle connection.
    fn checked(&self, event: &ConnectionChecked<'_>) {
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
    /// A configuration was refused; nothing has changed.
    fn reconfigure_refused(&self, event: &ReconfigureRefused<'_>) {
        let _ = event;
    }
    /// Whoever checks the pool says something else of its health, or of its probes, than before.
    fn health_changed(&self, event: &HealthChanged<'_>) {
        let _ = event;
    }
    /// Whoever adapts the pool says something else of its size than before: what is recommended, or what
    /// it has of a server that is shared.
    fn sizing_changed(&self, event: &SizingChanged<'_>) {
        let _ = event;
    }
    /// A driver's connection sends a statement.
    fn statement_started(&self, event: &StatementStarted<'_>) {
        let _ = event;
    }
    /// A statement that was started is about to be sent as text: what is a comment in it to say? It
    /// is seen by whoever may look at the server's log.
    fn sql_comment(&self, statement_id: u64, comment: &mut SqlComment) {
        let _ = (statement_id, comment);
    }
    /// A statement has ended.
    fn statement_finished(&self, event: &StatementFinished<'_>) {
        let _ = event;
    }
}

/// A set of the events that come with every acquire and every statement.
///
/// ```
/// use pool_core::Frequent;
///
/// let wanted = Frequent::ACQUIRE_SUCCEEDED | Frequent::RELEASED;
/// assert!(wanted.contains(Frequent::RELEASED));
/// assert!(!wanted.contains(Frequent::ALL));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frequent(u8);

impl Frequent {
    /// None of them; only what happens now and then.
    pub const NONE: Self = Self(0);
    /// [`Observer::acquire_started`].
    pub const ACQUIRE_STARTED: Self = Self(1);
    /// [`Observer::acquire_succeeded`].
    pub const ACQUIRE_SUCCEEDED: Self = Self(1 << 1);
    /// [`Observer::released`].
    pub const RELEASED: Self = Self(1 << 2);
    /// [`Observer::statement_started`] and [`Observer::statement_finished`].
    pub const STATEMENTS: Self = Self(1 << 3);
    /// All of them.
    pub const ALL: Self = Self((1 << 4) - 1);

    /// Whether all of `others` are among them.
    #[must_use]
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }
}

impl BitOr for Frequent {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
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
        /// The database's own code for it, if the database said it.
        code: Option<&'a str>,
    }
    /// See [`Observer::circuit_changed`].
    CircuitChanged {
        /// What it was.
        from: Circuit,
        /// What it is.
        to: Circuit,
    }
    /// See [`Observer::checked`].
    ConnectionChecked {
        /// Number of the connection.
        connection_id: u64,
        /// How long it had been idle when the check began: time since it was last used, whether or not it
        /// was checked in between.
        idle: Duration,
        /// How long the check took.
        took: Duration,
        /// Why the connection did not pass: the driver's error, or a
        /// [`DriverFault`](crate::DriverFault). It is closed then.
        error: Option<&'a (dyn Error + Send + Sync + 'static)>,
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
    /// See [`Observer::reconfigure_refused`].
    ReconfigureRefused {
        /// Every problem of it.
        error: &'a ConfigError,
    }
    /// See [`Observer::health_changed`].
    HealthChanged {
        /// What it was; [`HealthState::Unknown`] before anybody has told.
        from: HealthState,
        /// What it is. The same, if only the circuit differs.
        to: HealthState,
        /// Why it is not healthy; empty if it is. Nothing secret.
        reasons: &'a [String],
        /// Whether probes succeed.
        probe_circuit: Circuit,
    }
    /// See [`Observer::sizing_changed`].
    SizingChanged {
        /// What was said before; nothing, before anybody has told.
        from: &'a Sizing,
        /// What is said now.
        to: &'a Sizing,
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
    Failed {
        /// The driver's error.
        error: &'a (dyn Error + 'static),
        /// The database's own code for it, if the database said it: a SQLSTATE, a number.
        code: Option<&'a str>,
    },
    /// Its future was dropped first.
    Cancelled,
}
