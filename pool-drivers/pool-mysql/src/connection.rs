//! A connection as its users see it.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::pin::{Pin, pin};

use mysql_async::prelude::{FromRow, Protocol, Queryable as _};
use mysql_async::{Conn, Params, QueryResult, Row, Statement};
use pool_core::{ConnectContext, Released, RunningStatement, StatementOutcome, Statements};

use crate::error::{MysqlError, code};
use crate::options::MysqlOptions;
use crate::session::{Guard, Session};
use crate::transaction::Transaction;
use crate::wire::Wire;

/// A connection to a MySQL or MariaDB server.
///
/// A row is read as whatever implements [`FromRow`]: a tuple, a single value, a
/// [`Row`](mysql_async::Row). Parameters are whatever becomes [`Params`]: a tuple, a `Vec` of
/// values, `()` for none, or [`params!`](macro@mysql_async::params) for named ones (`:name`).
///
/// What is sent as text (the methods that begin with `query`) may have a comment of an
/// [observer's](pool_core::Observer::sql_comment) in it; prepared statements have none.
///
/// # Cancel safety
///
/// A call whose future is dropped before its end leaves an answer on its way, which would be taken
/// for that of the next call. So every further call fails with [`MysqlError::CutShort`], and the
/// pool closes the connection. The server goes on with the statement until it notices; what it did
/// by then is rolled back if it was in a transaction, and else stays.
///
/// # Failover
///
/// A server may step down and go on answering, with errors of [`ErrorClass::RoleChanged`] for what
/// writes. Each costs its connection when that is released, so that the next one leads to wherever the
/// address does by then. What is done on the [raw](Self::raw) connection is not seen.
///
/// [`ErrorClass::RoleChanged`]: pool_core::ErrorClass::RoleChanged
pub struct MysqlConnection {
    id: u64,
    wire: Wire,
    session: Session,
    statements: Statements,
}

/// What a statement without rows did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Done {
    /// Rows inserted, changed or deleted; a row that had the new values already is not counted.
    pub affected_rows: u64,
    /// The first value that `AUTO_INCREMENT` gave, if it gave one.
    pub last_insert_id: Option<u64>,
}

impl MysqlConnection {
    pub(crate) fn new(context: ConnectContext, wire: Wire, options: &MysqlOptions) -> Self {
        let session = Session::new(&wire, options);
        Self { id: context.connection_id, wire, session, statements: context.statements }
    }

    /// The pool's number of the connection.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The server's number of the connection, as in its `SHOW PROCESSLIST`.
    #[must_use]
    pub fn server_id(&self) -> u32 {
        self.wire.id()
    }

    /// Whether a transaction is open, as the server said with its last answer; `None` if that was
    /// an error, which says nothing of it.
    #[must_use]
    pub fn in_transaction(&self) -> Option<bool> {
        self.wire.status().map(|status| status.in_transaction)
    }

    /// The rows of a query without parameters, which is sent as text. Of several statements,
    /// separated by semicolons, the rows of the first.
    ///
    /// # Errors
    ///
    /// [`MysqlError::Mysql`] with what the server or the network says; [`MysqlError::Row`];
    /// [`MysqlError::CutShort`].
    ///
    /// # Cancel safety
    ///
    /// See [`MysqlConnection`].
    pub async fn query<T>(&mut self, sql: &str) -> Result<Vec<T>, MysqlError>
    where
        T: FromRow + Send + 'static,
    {
        self.ready(sql).await?;
        let Self { wire, session, statements, .. } = self;
        let (running, sql) = as_text(statements, sql);
        let run = pin!(async { read_rows(wire.query_iter(&*sql).await?).await });
        told(session, running, run).await
    }

    /// The first row of a query without parameters, if there is one. The others are read and
    /// dropped.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query).
    ///
    /// # Cancel safety
    ///
    /// See [`MysqlConnection`].
    pub async fn query_first<T>(&mut self, sql: &str) -> Result<Option<T>, MysqlError>
    where
        T: FromRow + Send + 'static,
    {
        self.ready(sql).await?;
        let Self { wire, session, statements, .. } = self;
        let (running, sql) = as_text(statements, sql);
        let run = pin!(async { read_first(wire.query_iter(&*sql).await?).await });
        told(session, running, run).await
    }

    /// Runs statements without parameters, separated by semicolons, and drops their rows. They stop
    /// at the first that fails.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query).
    ///
    /// # Cancel safety
    ///
    /// See [`MysqlConnection`].
    pub async fn query_drop(&mut self, sql: &str) -> Result<Done, MysqlError> {
        self.ready(sql).await?;
        let Self { wire, session, statements, .. } = self;
        let (running, sql) = as_text(statements, sql);
        let run = pin!(async {
            wire.query_drop(&*sql).await?;
            Ok(done(wire))
        });
        told(session, running, run).await
    }

    /// The rows of a prepared statement, prepared once and kept.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query).
    ///
    /// # Cancel safety
    ///
    /// See [`MysqlConnection`].
    pub async fn exec<T, P>(&mut self, sql: &str, params: P) -> Result<Vec<T>, MysqlError>
    where
        T: FromRow + Send + 'static,
        P: Into<Params> + Send,
    {
        self.ready(sql).await?;
        let params = params.into();
        let Self { wire, session, statements, .. } = self;
        let run = pin!(prepared(wire, sql, async |wire, statement| {
            read_rows(wire.exec_iter(statement, params).await?).await
        }));
        told(session, statements.start(Some(sql)), run).await
    }

    /// The first row of a prepared statement, if there is one. The others are read and dropped.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query).
    ///
    /// # Cancel safety
    ///
    /// See [`MysqlConnection`].
    pub async fn exec_first<T, P>(&mut self, sql: &str, params: P) -> Result<Option<T>, MysqlError>
    where
        T: FromRow + Send + 'static,
        P: Into<Params> + Send,
    {
        self.ready(sql).await?;
        let params = params.into();
        let Self { wire, session, statements, .. } = self;
        let run = pin!(prepared(wire, sql, async |wire, statement| {
            read_first(wire.exec_iter(statement, params).await?).await
        }));
        told(session, statements.start(Some(sql)), run).await
    }

    /// Runs a prepared statement, prepared once and kept, and drops its rows.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query).
    ///
    /// # Cancel safety
    ///
    /// See [`MysqlConnection`].
    pub async fn exec_drop<P>(&mut self, sql: &str, params: P) -> Result<Done, MysqlError>
    where
        P: Into<Params> + Send,
    {
        self.ready(sql).await?;
        let params = params.into();
        let Self { wire, session, statements, .. } = self;
        let run = pin!(prepared(wire, sql, async |wire, statement| {
            wire.exec_drop(statement, params).await?;
            Ok(done(wire))
        }));
        told(session, statements.start(Some(sql)), run).await
    }

    /// Runs a prepared statement once with each of `params`; MariaDB gets them all at once, where it
    /// can. Outside a transaction those before one that fails may have taken effect.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query).
    ///
    /// # Cancel safety
    ///
    /// See [`MysqlConnection`].
    pub async fn batch<P, I>(&mut self, sql: &str, params: I) -> Result<(), MysqlError>
    where
        P: Into<Params> + Send,
        I: IntoIterator<Item = P> + Send,
        I::IntoIter: Send,
    {
        self.ready(sql).await?;
        let params: Vec<Params> = params.into_iter().map(Into::into).collect();
        if params.is_empty() {
            // A preparation alone would leave an answer that says nothing of the session.
            return Ok(());
        }
        let Self { wire, session, statements, .. } = self;
        let run = pin!(prepared(wire, sql, async |wire, statement| {
            match wire.exec_batch(statement, params.clone()).await {
                // MariaDB takes several at once for some statements only, and has done nothing yet.
                Err(error) if code(&error) == Some(NOT_AT_ONCE) => {
                    for params in params {
                        wire.exec_drop(statement, params).await?;
                    }
                    Ok(())
                }
                result => Ok(result?),
            }
        }));
        told(session, statements.start(Some(sql)), run).await
    }

    /// Begins a transaction. It is rolled back when it is dropped without
    /// [`commit`](Transaction::commit): before the next statement on the connection, or in the
    /// background once that is back in its pool.
    ///
    /// `SET TRANSACTION` before it chooses isolation and access.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query); [`MysqlError::Nested`] in a transaction.
    ///
    /// # Cancel safety
    ///
    /// See [`MysqlConnection`].
    pub async fn transaction(&mut self) -> Result<Transaction<'_>, MysqlError> {
        if self.session.guard == Guard::Alive {
            // It would commit the one that is open.
            return Err(MysqlError::Nested);
        }
        self.query_drop("START TRANSACTION").await?;
        Ok(Transaction::begun(self))
    }

    /// The client library's connection, for what is not here. After it the connection is not known
    /// to be clean: its reset costs a round trip whatever was done, and observers are told nothing.
    ///
    /// A call on it that is cut short, and an answer that is not read to its end, are found out when
    /// the connection is released, and cost it.
    ///
    /// Its `Debug` output is the library's own and holds the password: print it nowhere.
    ///
    /// # Errors
    ///
    /// [`MysqlError::CutShort`]; those of a rollback, if a transaction was dropped before.
    ///
    /// # Cancel safety
    ///
    /// See [`MysqlConnection`].
    pub async fn raw(&mut self) -> Result<&mut Conn, MysqlError> {
        self.ready("").await?;
        self.session.note_unseen();
        Ok(&mut self.wire)
    }

    /// Gives the client library's connection away, for a connection
    /// [detached](pool_core::PoolGuard::detach) from its pool. What it does when it is dropped is
    /// the library's own: it spawns a task. So is its `Debug` output, which holds the password:
    /// print it nowhere.
    #[must_use]
    pub fn into_raw(self) -> Conn {
        self.wire.into_conn()
    }

    /// Before a statement: whether its answer would be the next to come, what was dropped earlier,
    /// and what it may do to the session.
    async fn ready(&mut self, sql: &str) -> Result<(), MysqlError> {
        if !self.wire.is_in_step() {
            return Err(MysqlError::CutShort);
        }
        if self.session.guard == Guard::Dropped {
            self.session.roll_back(&mut self.wire).await?;
        }
        self.session.note(sql);
        Ok(())
    }

    pub(crate) fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    pub(crate) fn released(&mut self) -> Released {
        self.session.released(&mut self.wire)
    }

    pub(crate) async fn ping(&mut self) -> Result<(), MysqlError> {
        Ok(self.wire.ping().await?)
    }

    pub(crate) async fn reset(&mut self) -> Result<(), MysqlError> {
        self.session.reset(&mut self.wire).await
    }

    /// Says goodbye; of what was cut short there is nothing to wait for.
    pub(crate) async fn close(mut self) -> Result<(), MysqlError> {
        if self.wire.is_in_step() {
            self.wire.into_conn().disconnect().await?;
        }
        Ok(())
    }

    pub(crate) fn abort(self) {
        self.wire.abort();
    }

    /// Rows for the driver's own questions, of which nobody is told.
    pub(crate) async fn ask<T>(&mut self, sql: &str) -> Result<Vec<T>, MysqlError>
    where
        T: FromRow + Send + 'static,
    {
        self.ready(sql).await?;
        read_rows(self.wire.query_iter(sql).await?).await
    }

    /// The rows of each of several statements of the driver's own, up to the first that fails.
    pub(crate) async fn ask_each(
        &mut self,
        statements: &[String],
    ) -> (Vec<Vec<Row>>, Result<(), MysqlError>) {
        let mut answers = Vec::new();
        let asked = async {
            let sql = statements.join("; ");
            self.ready(&sql).await?;
            read_each(self.wire.query_iter(sql).await?, &mut answers).await
        };
        let asked = asked.await;
        (answers, asked)
    }

    pub(crate) fn server_version(&self) -> (u16, u16, u16) {
        self.wire.server_version()
    }
}

impl fmt::Debug for MysqlConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlConnection")
            .field("id", &self.id)
            .field("server_id", &self.server_id())
            .finish_non_exhaustive()
    }
}

/// `ER_UNSUPPORTED_PS`.
const NOT_AT_ONCE: u16 = 1295;

/// Tells observers of a statement, and the session what its failure means. The call stays pinned
/// where it was made: moved in here, all of its state would be copied.
async fn told<T>(
    session: &mut Session,
    running: Option<RunningStatement<'_>>,
    run: Pin<&mut impl Future<Output = Result<T, MysqlError>>>,
) -> Result<T, MysqlError> {
    let result = run.await;
    if let Err(error) = &result {
        session.note_failure(error.class());
    }
    if let Some(running) = running {
        match &result {
            Ok(_) => running.finish(StatementOutcome::Ok),
            Err(error) => {
                let code = error.status_code();
                running.finish(StatementOutcome::Failed { error, code: code.as_deref() });
            }
        }
    }
    result
}

/// Announces a statement that is sent as text, with a comment in it if observers want one.
fn as_text<'a>(
    statements: &'a Statements,
    sql: &'a str,
) -> (Option<RunningStatement<'a>>, Cow<'a, str>) {
    let running = statements.start(Some(sql));
    let commented = running.as_ref().and_then(RunningStatement::commented);
    (running, commented.map_or(Cow::Borrowed(sql), Cow::Owned))
}

fn done(wire: &Wire) -> Done {
    let last_insert_id = wire.last_insert_id().filter(|id| *id > 0);
    Done { affected_rows: wire.affected_rows(), last_insert_id }
}

/// Runs with a prepared statement. With a cache of no statements the library keeps none and closes
/// none: the server would keep them all.
async fn prepared<T>(
    wire: &mut Wire,
    sql: &str,
    run: impl AsyncFnOnce(&mut Wire, &Statement) -> Result<T, MysqlError>,
) -> Result<T, MysqlError> {
    let statement = wire.prep(sql).await?;
    let result = run(wire, &statement).await;
    if wire.opts().stmt_cache_size() == 0 && wire.is_in_step() {
        wire.close(statement).await?;
    }
    result
}

/// Every row, the answer read to its end whatever the rows are: the library's own way to read a row
/// as a type panics if it is none.
async fn read_rows<T, P>(mut result: QueryResult<'_, '_, P>) -> Result<Vec<T>, MysqlError>
where
    T: FromRow + Send + 'static,
    P: Protocol,
{
    let rows: Vec<Row> = result.collect().await?;
    result.drop_result().await?;
    rows.into_iter().map(convert).collect()
}

async fn read_each<P: Protocol>(
    mut result: QueryResult<'_, '_, P>,
    answers: &mut Vec<Vec<Row>>,
) -> Result<(), MysqlError> {
    loop {
        // Nothing is left, or else an error.
        let is_over = result.columns().is_none();
        let rows = result.collect().await?;
        if is_over {
            return Ok(());
        }
        answers.push(rows);
    }
}

async fn read_first<T, P>(mut result: QueryResult<'_, '_, P>) -> Result<Option<T>, MysqlError>
where
    T: FromRow + Send + 'static,
    P: Protocol,
{
    let mut first = None;
    result.for_each(|row| first = first.take().or(Some(row))).await?;
    result.drop_result().await?;
    first.map(convert).transpose()
}

fn convert<T: FromRow>(row: Row) -> Result<T, MysqlError> {
    let columns = row.len();
    T::from_row_opt(row).map_err(|_| MysqlError::Row { wanted: type_name::<T>(), columns })
}
