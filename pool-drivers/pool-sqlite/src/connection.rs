//! A connection as its users see it.

use std::fmt;
use std::sync::Arc;

use pool_core::{RunningStatement, StatementOutcome, Statements};
use rusqlite::{Connection, Params, Row};

use crate::board::Left;
use crate::error::SqliteError;
use crate::lock_waits::{LockWaitCounter, LockWaits};
use crate::worker::Worker;

/// A connection to an SQLite database, on a thread of its own.
///
/// Everything runs there, in the order of the calls; the async side only waits.
///
/// ```
/// # use pool_core::{ConnectContext, Driver, Statements};
/// # use pool_sqlite::{SqliteDriver, SqliteError, SqliteOptions};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), SqliteError> {
/// # let driver = SqliteDriver::new(SqliteOptions::private_memory());
/// # let mut connection = driver.connect(ConnectContext::new(1, Statements::unobserved())).await?;
/// connection.execute_batch("CREATE TABLE fruit (name TEXT)").await?;
/// connection.execute("INSERT INTO fruit VALUES (?1)", ["apple"]).await?;
/// let count: i64 = connection
///     .call(|sqlite| {
///         let transaction = sqlite.transaction()?;
///         transaction.execute("INSERT INTO fruit VALUES ('pear')", [])?;
///         let count = transaction.query_row("SELECT count(*) FROM fruit", [], |row| row.get(0))?;
///         transaction.commit()?;
///         Ok(count)
///     })
///     .await?;
/// assert_eq!(count, 2);
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
///
/// Dropping the future of any call cancels it: its statement stops within a few operations of
/// SQLite's machine, a wait for another connection's lock ends at once, and a call that has not
/// begun does not begin. The cancel belongs to that one call: however late it comes, it never stops
/// another, of this user or the next. The next call, and the pool's reset, wait until the thread is
/// through with the cancelled one.
///
/// A cancelled call leaves no transaction that it began: whether the cancel came in its `BEGIN` or
/// too late to stop anything, the transaction is rolled back before the next call. All else that a
/// cancelled call did may have taken effect, if the cancel came too late; a `COMMIT` too. In a
/// transaction that was open before, SQLite goes on after a read that is stopped, but rolls the
/// whole of it back with a write that is stopped. So whoever goes on in one after a cancelled call
/// asks `is_autocommit` first.
///
/// Four things cannot be stopped: a closure that does not come back to SQLite (a loop of its own),
/// one that ignores SQLite's errors and goes on, a single slow operation of the operating system,
/// such as a flush to the disk, and a single long operation of SQLite's machine, such as a function
/// on a huge value: `length(replace(hex(zeroblob(60000000)), '0', 'ab'))`. The connection's busy and
/// progress handlers do the stopping: a closure that replaces them, or runs `PRAGMA busy_timeout`,
/// gives it up for that connection.
pub struct SqliteConnection {
    id: u64,
    worker: Worker,
    statements: Statements,
    lock_waits: Arc<LockWaitCounter>,
}

impl SqliteConnection {
    pub(crate) fn new(
        id: u64,
        worker: Worker,
        statements: Statements,
        lock_waits: Arc<LockWaitCounter>,
    ) -> Self {
        Self { id, worker, statements, lock_waits }
    }

    /// The pool's number of the connection.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// How often and for how long this connection and all others of its driver, and of the driver's
    /// clones, have waited for locks since the driver was made.
    #[must_use]
    pub fn lock_waits(&self) -> LockWaits {
        self.lock_waits.read()
    }

    /// Runs a closure with the `rusqlite` connection, on its thread. Observers are told of one
    /// statement without text.
    ///
    /// # Errors
    ///
    /// [`SqliteError::Sqlite`] with the closure's error; [`SqliteError::Panicked`] if it panicked,
    /// after which an open transaction is rolled back and the connection goes on;
    /// [`SqliteError::ThreadGone`].
    ///
    /// # Cancel safety
    ///
    /// See [`SqliteConnection`].
    pub async fn call<T, F>(&mut self, closure: F) -> Result<T, SqliteError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.observed(None, closure).await
    }

    /// Like [`call`](Self::call), for a closure with errors of its own.
    ///
    /// # Errors
    ///
    /// The closure's, or those of [`call`](Self::call) made into its type.
    ///
    /// # Cancel safety
    ///
    /// See [`SqliteConnection`].
    pub async fn call_with<T, E, F>(&mut self, closure: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<SqliteError> + Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    {
        let running = self.statements.start(None);
        let result = self.worker.run(closure).await;
        match (running, &result) {
            (Some(running), Ok(Err(_))) => {
                running.finish(StatementOutcome::Failed { error: &ClosureFailed, code: None });
            }
            (running, result) => tell(running, result.as_ref().map(|_| ())),
        }
        result?
    }

    /// Executes one statement, prepared once and cached; returns how many rows it changed.
    ///
    /// The parameters go to another thread, so they own what they hold: `(7, name.to_owned())`,
    /// `[id]`, `[()]`, or `params_from_iter(values)`.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    ///
    /// # Cancel safety
    ///
    /// See [`SqliteConnection`].
    pub async fn execute<P>(&mut self, sql: &str, params: P) -> Result<usize, SqliteError>
    where
        P: Params + Send + 'static,
    {
        let text = sql.to_owned();
        let run = move |sqlite: &mut Connection| sqlite.prepare_cached(&text)?.execute(params);
        self.observed(Some(sql), run).await
    }

    /// Executes several statements, separated by semicolons, without parameters.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    ///
    /// # Cancel safety
    ///
    /// See [`SqliteConnection`].
    pub async fn execute_batch(&mut self, sql: &str) -> Result<(), SqliteError> {
        let text = sql.to_owned();
        let run = move |sqlite: &mut Connection| sqlite.execute_batch(&text);
        self.observed(Some(sql), run).await
    }

    /// The first row of a query, as `map` reads it. The statement is cached.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call); [`rusqlite::Error::QueryReturnedNoRows`] in them if there is
    /// no row.
    ///
    /// # Cancel safety
    ///
    /// See [`SqliteConnection`].
    pub async fn query_row<T, P, F>(
        &mut self,
        sql: &str,
        params: P,
        map: F,
    ) -> Result<T, SqliteError>
    where
        T: Send + 'static,
        P: Params + Send + 'static,
        F: FnOnce(&Row<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let text = sql.to_owned();
        let run =
            move |sqlite: &mut Connection| sqlite.prepare_cached(&text)?.query_row(params, map);
        self.observed(Some(sql), run).await
    }

    /// Every row of a query, as `map` reads it. The statement is cached.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    ///
    /// # Cancel safety
    ///
    /// See [`SqliteConnection`].
    pub async fn query<T, P, F>(
        &mut self,
        sql: &str,
        params: P,
        map: F,
    ) -> Result<Vec<T>, SqliteError>
    where
        T: Send + 'static,
        P: Params + Send + 'static,
        F: FnMut(&Row<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let text = sql.to_owned();
        let run = move |sqlite: &mut Connection| {
            sqlite.prepare_cached(&text)?.query_map(params, map)?.collect()
        };
        self.observed(Some(sql), run).await
    }

    /// Runs a closure as one statement of which observers are told.
    async fn observed<T, F>(&mut self, text: Option<&str>, closure: F) -> Result<T, SqliteError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let running = self.statements.start(text);
        let result = self.worker.run(closure).await;
        let result = result.and_then(|result| result.map_err(SqliteError::Sqlite));
        tell(running, result.as_ref().map(|_| ()));
        result
    }

    /// Runs a closure of the driver's, of which nobody is told.
    pub(crate) async fn ask<T: Send + 'static>(
        &mut self,
        closure: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, SqliteError> {
        Ok(self.worker.run(closure).await??)
    }

    /// Runs on the thread what blocks and is no business of SQLite's.
    pub(crate) async fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SqliteError> {
        self.worker.run(|_| work()).await
    }

    pub(crate) async fn clean(&mut self) -> Result<(), SqliteError> {
        self.worker.clean().await
    }

    pub(crate) async fn close(self) -> Result<(), SqliteError> {
        self.worker.close().await
    }

    pub(crate) fn left(&self) -> Left {
        self.worker.left()
    }
}

impl fmt::Debug for SqliteConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteConnection").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Tells observers how a statement ended.
fn tell(running: Option<RunningStatement<'_>>, result: Result<(), &SqliteError>) {
    match (running, result) {
        (None, _) => {}
        (Some(running), Ok(())) => running.finish(StatementOutcome::Ok),
        (Some(running), Err(error)) => {
            let code = error.status_code();
            running.finish(StatementOutcome::Failed { error, code: code.as_deref() });
        }
    }
}

/// What observers are told of a closure whose error is of a type that only its caller knows.
#[derive(Debug, thiserror::Error)]
#[error("the closure failed with an error of its own")]
struct ClosureFailed;
