//! What a transition leaves to be done outside the lock: wake, let go, tell.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::error::{CallSite, Circumstances, ErrorClass, SharedError};
use crate::stats::{Circuit, CloseReason};

/// Collected under the lock, carried out after it is released. Common transitions need no memory.
#[derive(Debug)]
#[must_use]
pub(crate) struct Effects<C> {
    pub(crate) wake: Option<Waker>,
    pub(crate) wake_worker: Option<Waker>,
    /// A waker that nobody waits with any more: dropped, not woken.
    pub(crate) unused: Option<Waker>,
    pub(crate) rest: Option<Box<Rest<C>>>,
}

/// The uncommon effects.
#[derive(Debug)]
pub(crate) struct Rest<C> {
    pub(crate) wake: Vec<Waker>,
    /// More wakers that nobody waits with.
    pub(crate) unused: Vec<Waker>,
    /// Connections to be let go of at once: no worker could say goodbye.
    pub(crate) abort: Vec<C>,
    pub(crate) events: Vec<Event>,
    /// What is not needed any more and may hold errors of a driver, whose `Drop` is foreign code.
    pub(crate) errors: Vec<SharedError>,
    pub(crate) circumstances: Vec<Arc<Circumstances>>,
}

/// Something observers are told.
#[derive(Debug)]
pub(crate) enum Event {
    Opened {
        connection_id: u64,
        took: Duration,
    },
    OpenFailed {
        took: Duration,
        class: ErrorClass,
        attempts: u32,
        error: SharedError,
        code: Option<Cow<'static, str>>,
    },
    Checked {
        connection_id: u64,
        idle: Duration,
        took: Duration,
        /// Why it did not pass.
        error: Option<SharedError>,
    },
    Closed {
        connection_id: u64,
        reason: CloseReason,
        age: Duration,
        /// Why the driver called it dead.
        error: Option<SharedError>,
    },
    CircuitChanged {
        from: Circuit,
        to: Circuit,
    },
    LeakSuspected {
        site: CallSite,
        held: Duration,
    },
}

impl<C> Effects<C> {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self { wake: None, wake_worker: None, unused: None, rest: None }
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.wake.is_none()
            && self.wake_worker.is_none()
            && self.unused.is_none()
            && self.rest.is_none()
    }

    fn rest(&mut self) -> &mut Rest<C> {
        self.rest.get_or_insert_with(|| {
            let rest = Rest {
                wake: Vec::new(),
                unused: Vec::new(),
                abort: Vec::new(),
                events: Vec::new(),
                errors: Vec::new(),
                circumstances: Vec::new(),
            };
            Box::new(rest)
        })
    }

    /// Wakes `waker`, if there is one.
    #[inline]
    pub(super) fn wake(&mut self, waker: Option<Waker>) {
        if self.wake.is_none() {
            self.wake = waker;
        } else if let Some(waker) = waker {
            self.rest().wake.push(waker);
        }
    }

    pub(super) fn wake_all(&mut self, wakers: Vec<Waker>) {
        self.rest().wake.extend(wakers);
    }

    pub(crate) fn drop_waker(&mut self, waker: Option<Waker>) {
        if self.unused.is_none() {
            self.unused = waker;
        } else if let Some(waker) = waker {
            self.rest().unused.push(waker);
        }
    }

    pub(super) fn abort(&mut self, connection: C) {
        self.rest().abort.push(connection);
    }

    pub(super) fn drop_error(&mut self, error: SharedError) {
        self.rest().errors.push(error);
    }

    pub(super) fn drop_circumstances(&mut self, circumstances: Arc<Circumstances>) {
        self.rest().circumstances.push(circumstances);
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.rest().events.push(event);
    }
}
