//! A transaction that is rolled back unless it is committed.

use std::fmt;
use std::ops::Deref;
use std::pin::pin;
use std::sync::atomic::Ordering;

use crate::connection::PostgresConnection;
use crate::error::PostgresError;
use crate::wire::Status;

/// An open transaction. Dropping it rolls it back: the rollback is sent at once and not waited for;
/// it is ahead of whatever the connection is used for next.
///
/// It has all methods of [`PostgresConnection`] that take `&self`.
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction<'a> {
    connection: &'a mut PostgresConnection,
    is_open: bool,
}

impl<'a> Transaction<'a> {
    pub(crate) async fn begin(
        connection: &'a mut PostgresConnection,
        begin: &str,
    ) -> Result<Self, PostgresError> {
        // There before the statement is: if this future is dropped, the transaction may be open.
        let mut transaction = Self { connection, is_open: true };
        let result = transaction.batch_execute(begin).await;
        transaction.is_open = result.is_ok();
        result.map(|()| transaction)
    }

    /// Commits.
    ///
    /// # Errors
    ///
    /// What the server says, for example about a constraint that is checked at the end. A
    /// connection that was lost meanwhile leaves open whether the commit took place.
    /// [`PostgresError::RolledBack`] for a transaction in which a statement failed: the server rolls
    /// it back, and calls that no error. [`PostgresError::Unclean`] if it cannot be told whether one
    /// failed, after a `COPY` that did; it is rolled back then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after its first poll, the transaction may be committed or not.
    pub async fn commit(mut self) -> Result<(), PostgresError> {
        let session = self.connection.session();
        let is_unseen = [&session.cut_short, &session.lent].map(|it| it.load(Ordering::Acquire));
        if is_unseen.contains(&true) || session.wire.settled().is_none() {
            // How a call ends that was dropped is not known yet. An empty query waits for that.
            session.call(pin!(async { Ok(session.client.batch_execute("").await?) })).await?;
        }
        let Some(status) = session.wire.settled() else { return Err(PostgresError::Unclean) };
        let has_failed = status == Status::Failed;
        self.end("COMMIT").await?;
        if has_failed { Err(PostgresError::RolledBack) } else { Ok(()) }
    }

    /// Rolls back, and waits for it.
    ///
    /// # Errors
    ///
    /// What the server says; it has rolled back, or will when it finds the connection lost.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the transaction is rolled back all the same.
    pub async fn rollback(mut self) -> Result<(), PostgresError> {
        self.end("ROLLBACK").await
    }

    async fn end(&mut self, sql: &str) -> Result<(), PostgresError> {
        let ended = self.connection.batch_execute(sql).await;
        self.is_open = false;
        ended
    }
}

impl Deref for Transaction<'_> {
    type Target = PostgresConnection;

    fn deref(&self) -> &PostgresConnection {
        self.connection
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_open {
            self.connection.session().queue("ROLLBACK");
        }
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("connection", &self.connection.id()).finish()
    }
}
