//! MySQL and MariaDB.

use pool_mysql::mysql_async::{self, Params, Row};
use pool_mysql::{MysqlConnection, MysqlDriver, MysqlError};

use super::{Bound, Database, Dialect, Ending, Failed, FirstRow, Value};

impl Database for MysqlDriver {
    const DIALECT: Dialect = Dialect::Mysql;

    async fn script(connection: &mut MysqlConnection, sql: &str) -> Result<(), MysqlError> {
        connection.query_drop(sql).await.map(drop)
    }

    async fn run(
        connection: &mut MysqlConnection,
        mut statements: Vec<Bound>,
        ending: Ending,
    ) -> Result<usize, Failed<MysqlError>> {
        let last = statements.len().saturating_sub(1);
        if statements.len() == 1 && ending == Ending::Commit {
            let bound = statements.remove(0);
            return run(connection, bound).await.map_err(Failed::at(0));
        }
        let mut transaction = connection.transaction().await.map_err(Failed::at(0))?;
        let mut read = 0;
        for (number, bound) in statements.into_iter().enumerate() {
            read = run(&mut transaction, bound).await.map_err(Failed::at(number))?;
        }
        let ended = match ending {
            Ending::Commit => transaction.commit().await,
            Ending::RollBack => transaction.rollback().await,
        };
        ended.map_err(Failed::at(last))?;
        Ok(read)
    }

    async fn ask(
        connection: &mut MysqlConnection,
        sql: &str,
    ) -> Result<Option<FirstRow>, MysqlError> {
        let row: Option<Row> = connection.query_first(sql).await?;
        Ok(row.map(|row| (0..row.len()).map(|column| text(row.as_ref(column)?)).collect()))
    }
}

async fn run(connection: &mut MysqlConnection, bound: Bound) -> Result<usize, MysqlError> {
    let Bound { sql, values } = bound;
    let values: Vec<mysql_async::Value> = values.into_iter().map(Into::into).collect();
    let params = if values.is_empty() { Params::Empty } else { Params::Positional(values) };
    let rows: Vec<Row> = connection.exec(&sql, params).await?;
    Ok(rows.len())
}

impl From<Value> for mysql_async::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Integer(number) => Self::Int(number),
            Value::Text(text) => Self::Bytes(text.into_bytes()),
        }
    }
}

/// Answers to a text are text.
fn text(value: &mysql_async::Value) -> Option<String> {
    match value {
        mysql_async::Value::NULL => None,
        mysql_async::Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        other => Some(other.as_sql(true)),
    }
}
