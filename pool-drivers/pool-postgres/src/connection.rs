//! A connection as its users see it.

use std::borrow::Cow;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;

use futures_util::TryStreamExt as _;
use pool_core::{ConnectContext, RunningStatement, StatementOutcome, Statements};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Notification, Row, Statement};

use crate::error::PostgresError;
use crate::session::Session;
use crate::stream::RowStream;
use crate::transaction::Transaction;

/// A connection to a PostgreSQL server.
///
/// Its methods prepare a statement when its text is first seen, keep it prepared, and know when the
/// connection is clean afterwards, so that giving it back costs nothing. They take `&self`: calls
/// made at the same time share a round trip.
///
/// What is sent unprepared ([`batch_execute`](Self::batch_execute), [`query_typed`](Self::query_typed),
/// [`execute_typed`](Self::execute_typed)) may have a comment of an
/// [observer's](pool_core::Observer::sql_comment) in it.
///
/// ```no_run
/// # async fn example(connection: &mut pool_postgres::PostgresConnection) -> Result<(), pool_postgres::PostgresError> {
/// let transaction = connection.transaction().await?;
/// transaction.execute("UPDATE account SET money = money - $1 WHERE id = $2", &[&5_i64, &1_i64]).await?;
/// transaction.execute("UPDATE account SET money = money + $1 WHERE id = $2", &[&5_i64, &2_i64]).await?;
/// transaction.commit().await?;
/// let row = connection.query_one("SELECT sum(money)::bigint FROM account", &[]).await?;
/// println!("{}", row.get::<_, i64>(0));
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
///
/// Dropping the future of a call gives up its reply, no more: the statement runs on, and what comes
/// next on the connection waits for its end. When the connection is given back, the statement is
/// stopped and rolled back before anybody else uses it; when it is dropped, the statement is stopped
/// too.
pub struct PostgresConnection {
    id: u64,
    // Boxed: connections move between the pool and its users.
    session: Box<Session>,
    statements: Statements,
}

impl PostgresConnection {
    pub(crate) fn new(context: &ConnectContext, session: Session) -> Self {
        let (id, statements) = (context.connection_id, context.statements.clone());
        Self { id, session: Box::new(session), statements }
    }

    /// The pool's number of the connection.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Runs a query and returns its rows.
    ///
    /// # Errors
    ///
    /// [`PostgresError::Postgres`] with what the server or the client says;
    /// [`PostgresError::Reset`] if what was left of the connection's last user could not be undone.
    ///
    /// # Cancel safety
    ///
    /// See [`PostgresConnection`].
    pub async fn query(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, PostgresError> {
        let rows = pin!(async { Ok(self.rows(sql, params).await?.try_collect().await?) });
        self.call(sql, rows).await
    }

    /// Runs a query that returns exactly one row.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query); [`PostgresError::RowCount`] for no row or several.
    ///
    /// # Cancel safety
    ///
    /// See [`PostgresConnection`].
    pub async fn query_one(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, PostgresError> {
        self.query_opt(sql, params).await?.ok_or(PostgresError::RowCount)
    }

    /// Runs a query that returns one row at most.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query); [`PostgresError::RowCount`] for several rows, all of which
    /// were read.
    ///
    /// # Cancel safety
    ///
    /// See [`PostgresConnection`].
    pub async fn query_opt(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, PostgresError> {
        let row = pin!(async {
            let mut rows = pin!(self.rows(sql, params).await?);
            let first = rows.try_next().await?;
            let mut is_alone = true;
            while first.is_some() && rows.try_next().await?.is_some() {
                is_alone = false;
            }
            Ok((first, is_alone))
        });
        let (first, is_alone) = self.call(sql, row).await?;
        // The statement itself succeeded, and observers are told so.
        if is_alone { Ok(first) } else { Err(PostgresError::RowCount) }
    }

    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query).
    ///
    /// # Cancel safety
    ///
    /// See [`PostgresConnection`].
    pub async fn execute(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, PostgresError> {
        let client = &self.session.client;
        let changed = pin!(async {
            if self.is_unnamed(params.len()) {
                return Ok(client.execute_typed(sql, &[]).await?);
            }
            let (statement, was_cached) = self.session.prepared(sql).await?;
            match client.execute(&statement, params).await {
                Ok(changed) => Ok(changed),
                Err(error) => {
                    drop(statement);
                    let statement = self.session.renewed(sql, was_cached, error).await?;
                    Ok(client.execute(&statement, params).await?)
                }
            }
        });
        self.call(sql, changed).await
    }

    /// Runs several statements, separated by semicolons, without parameters and results.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query). Outside an explicit transaction, what ran before the
    /// statement that failed is undone.
    ///
    /// # Cancel safety
    ///
    /// See [`PostgresConnection`].
    pub async fn batch_execute(&self, sql: &str) -> Result<(), PostgresError> {
        let client = &self.session.client;
        let (running, sql) = self.as_text(sql);
        self.run(running, pin!(async { Ok(client.batch_execute(&sql).await?) })).await
    }

    /// Runs a query whose parameters have the types given, in one round trip and without preparing
    /// it: for statements used once, and for poolers in transaction mode.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query).
    ///
    /// # Cancel safety
    ///
    /// See [`PostgresConnection`].
    pub async fn query_typed(
        &self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, PostgresError> {
        let client = &self.session.client;
        let (running, sql) = self.as_text(sql);
        self.run(running, pin!(async { Ok(client.query_typed(&sql, params).await?) })).await
    }

    /// As [`query_typed`](Self::query_typed), but returns how many rows were changed.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query).
    ///
    /// # Cancel safety
    ///
    /// See [`PostgresConnection`].
    pub async fn execute_typed(
        &self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<u64, PostgresError> {
        let client = &self.session.client;
        let (running, sql) = self.as_text(sql);
        self.run(running, pin!(async { Ok(client.execute_typed(&sql, params).await?) })).await
    }

    /// Runs a query and returns its rows as they arrive. To give up the rest, drop the stream; the
    /// connection is then cleaned before its next user.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query), also as an item of the stream.
    ///
    /// # Cancel safety
    ///
    /// See [`PostgresConnection`].
    pub async fn query_stream<'a>(
        &'a self,
        sql: &'a str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<RowStream<'a>, PostgresError> {
        let running = self.statements.start(Some(sql));
        // Lives as long as the stream.
        let call = self.session.begin();
        match self.session.call(pin!(self.rows(sql, params))).await {
            Ok(rows) => Ok(RowStream::new(rows, call, running)),
            Err(error) => {
                call.finish(Some(&error));
                tell(running, Err(&error));
                Err(error)
            }
        }
    }

    /// The statement prepared, from the cache if it is there. For use with
    /// [`client`](Self::client).
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query).
    ///
    /// # Cancel safety
    ///
    /// See [`PostgresConnection`].
    pub async fn prepare_cached(&self, sql: &str) -> Result<Statement, PostgresError> {
        // Sends nothing, so the reply to a reset that was sent ahead is left to the call that does.
        if let Some(statement) = self.session.cache.lock().get(sql) {
            return Ok(statement);
        }
        self.session.call(pin!(self.session.prepare(sql))).await
    }

    /// How many statements the cache holds.
    #[must_use]
    pub fn cached_statements(&self) -> usize {
        self.session.cache.lock().len()
    }

    /// Begins a transaction. Dropped without a commit it is rolled back: the rollback is sent, not
    /// waited for.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a transaction that was begun is rolled back.
    pub async fn transaction(&mut self) -> Result<Transaction<'_>, PostgresError> {
        Transaction::begin(self, "BEGIN").await
    }

    /// As [`transaction`](Self::transaction), by a statement of your own, such as
    /// `BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY`.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a transaction that was begun is rolled back.
    pub async fn transaction_by(&mut self, begin: &str) -> Result<Transaction<'_>, PostgresError> {
        Transaction::begin(self, begin).await
    }

    /// tokio-postgres' own client, for all that has no method here: `COPY`, portals, cancelling.
    ///
    /// From now on nobody here knows what was sent, so when the connection is given back a rollback
    /// is sent ahead of what comes next. Observers are not told of what is done with it.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.session.lent.store(true, Ordering::Release);
        &self.session.client
    }

    /// The next notification of the channels that this connection listens to; `None` once the
    /// connection has ended. It keeps the last 1024 that nobody fetched.
    ///
    /// A connection that listens is best taken out of the pool for good, by
    /// [`Guard::detach`](pool_core::Guard::detach): what one user listens to, the next would hear.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no notification is lost.
    pub async fn notification(&mut self) -> Option<Notification> {
        self.session.inbox.next().await
    }

    /// How many notifications were lost because nobody fetched them.
    #[must_use]
    pub fn missed_notifications(&self) -> u64 {
        self.session.inbox.missed()
    }

    /// Whether the connection has ended, as far as is known.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.session.client.is_closed()
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Says goodbye, and waits until that is done.
    pub(crate) async fn close(mut self) {
        let task = self.session.task.take();
        drop(self);
        if let Some(task) = task {
            // Its panic would be a goodbye, too.
            let _ = task.await;
        }
    }

    /// Runs a query whose rows are still to be read.
    async fn rows(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<tokio_postgres::RowStream, PostgresError> {
        let client = &self.session.client;
        let params = || params.iter().copied();
        if self.is_unnamed(params().len()) {
            let none = std::iter::empty::<(&(dyn ToSql + Sync), Type)>();
            return Ok(client.query_typed_raw(sql, none).await?);
        }
        let (statement, was_cached) = self.session.prepared(sql).await?;
        match client.query_raw(&statement, params()).await {
            Ok(rows) => Ok(rows),
            Err(error) => {
                drop(statement);
                let statement = self.session.renewed(sql, was_cached, error).await?;
                Ok(client.query_raw(&statement, params()).await?)
            }
        }
    }

    /// With the cache off, what has no parameters needs no name.
    fn is_unnamed(&self, params: usize) -> bool {
        params == 0 && self.session.cache.lock().is_off()
    }

    /// Announces a statement that is sent as text, with a comment in it if observers want one.
    fn as_text<'a>(&'a self, sql: &'a str) -> (Option<RunningStatement<'a>>, Cow<'a, str>) {
        let running = self.statements.start(Some(sql));
        let commented = running.as_ref().and_then(RunningStatement::commented);
        (running, commented.map_or(Cow::Borrowed(sql), Cow::Owned))
    }

    /// Makes a call of which observers are told.
    async fn call<T>(
        &self,
        sql: &str,
        work: Pin<&mut impl Future<Output = Result<T, PostgresError>>>,
    ) -> Result<T, PostgresError> {
        self.run(self.statements.start(Some(sql)), work).await
    }

    /// Makes a call that was announced.
    async fn run<T>(
        &self,
        running: Option<RunningStatement<'_>>,
        work: Pin<&mut impl Future<Output = Result<T, PostgresError>>>,
    ) -> Result<T, PostgresError> {
        let result = self.session.call(work).await;
        tell(running, result.as_ref().map(|_| ()));
        result
    }
}

/// Tells observers how a statement ended.
pub(crate) fn tell(running: Option<RunningStatement<'_>>, result: Result<(), &PostgresError>) {
    let Some(running) = running else { return };
    running.finish(match result {
        Ok(()) => StatementOutcome::Ok,
        Err(error) => StatementOutcome::Failed { error, code: error.code().map(SqlState::code) },
    });
}

impl fmt::Debug for PostgresConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConnection").field("id", &self.id).finish_non_exhaustive()
    }
}
