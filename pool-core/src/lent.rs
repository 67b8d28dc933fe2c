//! A probe's connection in the hands of somebody who asks it questions of their own.

use std::any::Any;
use std::fmt;

use futures_util::future::BoxFuture;

use crate::error::SharedError;

/// A connection of a driver that is not known here.
pub(crate) type AnyConnection = Box<dyn Any + Send>;

/// Who lent a connection.
pub(crate) trait Lender: Send {
    /// Takes it back clean, or says why not.
    fn take_back(&mut self, connection: AnyConnection) -> BoxFuture<'_, Result<(), SharedError>>;

    /// Lets go of it.
    fn discard(&mut self, connection: AnyConnection);
}

/// A [probe's](crate::Probe::lend) connection, lent for questions of the caller's own.
///
/// Dropping it costs the probe its connection: so does a question that fails and ends its function
/// with `?`, one that panics, and one whose future is dropped half asked. Only what is
/// [given back](Self::give_back) is used again. Bound your questions: nobody else does.
///
/// ```
/// # use pool_core::{Probe, SharedError};
/// # type DriversConnection = ();
/// async fn ask(probe: &mut dyn Probe) -> Result<(), SharedError> {
///     let mut lent = probe.lend()?;
///     if let Some(connection) = lent.connection::<DriversConnection>() {
///         // connection.query("...").await?
///     }
///     lent.give_back().await
/// }
/// ```
#[must_use = "dropping it costs the probe its connection"]
pub struct LentConnection<'a> {
    lender: &'a mut dyn Lender,
    /// Absent once it is given back.
    connection: Option<AnyConnection>,
}

impl<'a> LentConnection<'a> {
    pub(crate) fn new(lender: &'a mut dyn Lender, connection: AnyConnection) -> Self {
        Self { lender, connection: Some(connection) }
    }

    /// The driver's own connection; `None` if the pool's driver has another type of connections.
    pub fn connection<C: 'static>(&mut self) -> Option<&mut C> {
        self.connection.as_mut()?.downcast_mut()
    }

    /// Gives the connection back. One that is not clean, in a transaction for example, is cleaned as
    /// the pool cleans what its users leave, within `check_timeout`.
    ///
    /// # Errors
    ///
    /// It could not be cleaned, and is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before its end drops the connection.
    pub async fn give_back(mut self) -> Result<(), SharedError> {
        match self.connection.take() {
            Some(connection) => self.lender.take_back(connection).await,
            None => Ok(()),
        }
    }
}

impl Drop for LentConnection<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.lender.discard(connection);
        }
    }
}

impl fmt::Debug for LentConnection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LentConnection").finish_non_exhaustive()
    }
}
