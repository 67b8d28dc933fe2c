//! A transaction that is rolled back when it is dropped.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::connection::MysqlConnection;
use crate::error::MysqlError;
use crate::session::Guard;

/// A transaction; the connection's calls run in it. Dropped, it is rolled back: dropping itself
/// sends nothing.
///
/// Statements such as `CREATE TABLE` commit what came before them: so the servers have it.
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction<'a> {
    connection: &'a mut MysqlConnection,
    ended: bool,
}

impl<'a> Transaction<'a> {
    pub(crate) fn begun(connection: &'a mut MysqlConnection) -> Self {
        connection.session_mut().guard = Guard::Alive;
        Self { connection, ended: false }
    }

    /// Makes what it did last.
    ///
    /// # Errors
    ///
    /// Those of [`MysqlConnection::query`]. If the server refused, it is rolled back. If the
    /// connection was lost, nobody knows.
    ///
    /// # Cancel safety
    ///
    /// Whether it was committed is not known if the future is dropped; the connection is closed.
    pub async fn commit(mut self) -> Result<(), MysqlError> {
        self.connection.query_drop("COMMIT").await?;
        self.ended = true;
        Ok(())
    }

    /// Undoes what it did, and waits for that.
    ///
    /// # Errors
    ///
    /// Those of [`MysqlConnection::query`].
    ///
    /// # Cancel safety
    ///
    /// It is rolled back if the future is dropped too: the connection is closed.
    pub async fn rollback(mut self) -> Result<(), MysqlError> {
        self.connection.query_drop("ROLLBACK").await?;
        self.ended = true;
        Ok(())
    }
}

impl Deref for Transaction<'_> {
    type Target = MysqlConnection;

    fn deref(&self) -> &MysqlConnection {
        self.connection
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut MysqlConnection {
        self.connection
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        let guard = if self.ended { Guard::Ended } else { Guard::Dropped };
        self.connection.session_mut().guard = guard;
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("connection", &self.connection).finish_non_exhaustive()
    }
}
