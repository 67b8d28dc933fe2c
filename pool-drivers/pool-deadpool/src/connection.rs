//! A manager's object as users of the pool see it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use deadpool::managed::{Manager, Metrics};
use pool_core::{Released, Statements};

use crate::error::DeadpoolError;

/// An object of a manager's; it is reached by dereferencing.
///
/// # Cancel safety
///
/// What a future that uses the object leaves when it is dropped is up to the object, and whether the
/// next user sees it is up to the manager's `recycle`. Within [`call`](Self::call) it costs the
/// connection, and reaches nobody.
pub struct DeadpoolConnection<M: Manager> {
    id: u64,
    /// Absent once it was taken out.
    object: Option<M::Type>,
    metrics: Metrics,
    manager: Arc<M>,
    statements: Statements,
    /// Whether a call is under way, or was cut short.
    busy: bool,
}

impl<M: Manager> DeadpoolConnection<M> {
    pub(crate) fn new(id: u64, object: M::Type, manager: Arc<M>, statements: Statements) -> Self {
        let metrics = Metrics::default();
        Self { id, object: Some(object), metrics, manager, statements, busy: false }
    }

    /// The pool's number of the connection.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Since when the object is there, and how often it was recycled.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Where to tell observers of a statement: a manager's object does not do it itself.
    #[must_use]
    pub fn statements(&self) -> &Statements {
        &self.statements
    }

    /// Runs a closure with the object. If the future is dropped before its end, the connection is
    /// closed once it is released.
    ///
    /// # Cancel safety
    ///
    /// That is what it is for.
    pub async fn call<T>(&mut self, closure: impl AsyncFnOnce(&mut M::Type) -> T) -> T {
        // Stays, if it was so: an earlier call was cut short.
        let was_busy = std::mem::replace(&mut self.busy, true);
        let result = closure(self.object_mut()).await;
        self.busy = was_busy;
        result
    }

    /// Has the connection closed and not recycled once it is released, because its user knows that
    /// it is broken.
    pub fn discard(&mut self) {
        self.busy = true;
    }

    /// Gives the object away, for a connection [detached](pool_core::PoolGuard::detach) from its
    /// pool.
    #[must_use]
    pub fn into_object(mut self) -> M::Type {
        let mut object = self.object.take().expect("bug: taken once, by its owner");
        self.manager.detach(&mut object);
        object
    }

    fn object_mut(&mut self) -> &mut M::Type {
        self.object.as_mut().expect("bug: taken only by its owner")
    }

    pub(crate) fn left(&self) -> Released {
        if self.busy { Released::Discard } else { Released::Dirty }
    }

    pub(crate) async fn recycle(&mut self) -> Result<(), DeadpoolError<M::Error>>
    where
        M::Error: std::error::Error + 'static,
    {
        let Self { object, metrics, manager, .. } = self;
        let object = object.as_mut().expect("bug: taken only by its owner");
        manager.recycle(object, metrics).await.map_err(DeadpoolError::of_recycling)?;
        metrics.recycle_count += 1;
        metrics.recycled = Some(std::time::Instant::now());
        Ok(())
    }
}

impl<M: Manager> Deref for DeadpoolConnection<M> {
    type Target = M::Type;

    fn deref(&self) -> &M::Type {
        self.object.as_ref().expect("bug: taken only by its owner")
    }
}

impl<M: Manager> DerefMut for DeadpoolConnection<M> {
    fn deref_mut(&mut self) -> &mut M::Type {
        self.object_mut()
    }
}

impl<M: Manager> Drop for DeadpoolConnection<M> {
    fn drop(&mut self) {
        if let Some(object) = &mut self.object {
            self.manager.detach(object);
        }
    }
}

/// Nothing of the object, which may hold a password.
impl<M: Manager> fmt::Debug for DeadpoolConnection<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadpoolConnection")
            .field("id", &self.id)
            .field("metrics", &self.metrics)
            .finish_non_exhaustive()
    }
}
