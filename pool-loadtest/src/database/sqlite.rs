//! SQLite: a transaction is one call to the connection's thread.

use std::error::Error;
use std::time::Duration;

use pool_core::{ConnectContext, Driver as _, Statements};
use pool_sqlite::rusqlite::types::{ToSqlOutput, ValueRef};
use pool_sqlite::rusqlite::{self, Connection, ToSql, TransactionBehavior, params_from_iter};
use pool_sqlite::{Source, SqliteConnection, SqliteDriver, SqliteError, SqliteOptions};
use tokio::time::timeout;

use super::{Bound, Database, Dialect, Ending, Failed, FirstRow, Value};

/// How long the question may take what blocks a database.
const QUESTION: Duration = Duration::from_millis(250);

impl Database for SqliteDriver {
    const DIALECT: Dialect = Dialect::Sqlite;

    async fn script(connection: &mut SqliteConnection, sql: &str) -> Result<(), SqliteError> {
        connection.execute_batch(sql).await
    }

    async fn run(
        connection: &mut SqliteConnection,
        mut statements: Vec<Bound>,
        ending: Ending,
    ) -> Result<usize, Failed<SqliteError>> {
        if statements.len() == 1 && ending == Ending::Commit {
            let Bound { sql, values } = statements.remove(0);
            let rows = connection.query(&sql, params_from_iter(values), |_| Ok(())).await;
            return rows.map(|rows| rows.len()).map_err(Failed::at(0));
        }
        let run = move |database: &mut Connection| together(database, &statements, ending);
        connection.call_with(run).await
    }

    async fn ask(
        connection: &mut SqliteConnection,
        sql: &str,
    ) -> Result<Option<FirstRow>, SqliteError> {
        let sql = sql.to_owned();
        let ask = move |database: &mut Connection| {
            let mut statement = database.prepare(&sql)?;
            let columns = statement.column_count();
            let mut rows = statement.query(())?;
            let Some(row) = rows.next()? else { return Ok(None) };
            (0..columns)
                .map(|column| row.get_ref(column).map(text))
                .collect::<Result<_, _>>()
                .map(Some)
        };
        connection.call(ask).await
    }

    fn is_private(&self) -> bool {
        self.options().source == Source::PrivateMemory
    }

    /// Asked without patience, SQLite says at once what is in the way.
    async fn blocked_by(&self) -> Option<Box<dyn Error + Send + Sync>> {
        let options = SqliteOptions { busy_timeout: Duration::ZERO, ..self.options().clone() };
        let driver = Self::new(options);
        let question = async {
            let context = ConnectContext::new(0, Statements::unobserved());
            let mut connection = driver.connect(context).await?;
            connection.execute_batch("begin immediate; rollback").await
        };
        let answered: Result<(), SqliteError> = timeout(QUESTION, question).await.ok()?;
        answered.err().map(Into::into)
    }
}

/// Runs statements in one transaction. Immediate, unless it only reads: one that reads first and
/// writes later may find, too late to wait, that somebody else has written.
fn together(
    database: &mut Connection,
    statements: &[Bound],
    ending: Ending,
) -> Result<usize, Failed<SqliteError>> {
    let reads = |bound: &Bound| {
        // One that cannot be prepared yet needs what those before it make.
        database.prepare_cached(&bound.sql).is_ok_and(|statement| statement.readonly())
    };
    let only_reads = statements.iter().all(reads);
    let behavior =
        if only_reads { TransactionBehavior::Deferred } else { TransactionBehavior::Immediate };
    let transaction = database.transaction_with_behavior(behavior).map_err(failed(0))?;
    let mut read = 0;
    for (number, bound) in statements.iter().enumerate() {
        read = run(&transaction, bound).map_err(failed(number))?;
    }
    let ended = match ending {
        Ending::Commit => transaction.commit(),
        Ending::RollBack => transaction.rollback(),
    };
    ended.map_err(failed(statements.len().saturating_sub(1)))?;
    Ok(read)
}

fn run(database: &Connection, bound: &Bound) -> rusqlite::Result<usize> {
    let mut statement = database.prepare_cached(&bound.sql)?;
    let mut rows = statement.query(params_from_iter(&bound.values))?;
    let mut read = 0;
    while rows.next()?.is_some() {
        read += 1;
    }
    Ok(read)
}

fn failed(statement: usize) -> impl FnOnce(rusqlite::Error) -> Failed<SqliteError> {
    move |error| Failed::at(statement)(error.into())
}

/// A failure of the thread is nobody's; it counts as the first statement's.
impl From<SqliteError> for Failed<SqliteError> {
    fn from(error: SqliteError) -> Self {
        Self::at(0)(error)
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}
