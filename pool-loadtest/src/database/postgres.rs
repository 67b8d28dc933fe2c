//! PostgreSQL.

use std::error::Error;

use pool_postgres::tokio_postgres::SimpleQueryMessage;
use pool_postgres::tokio_postgres::types::private::BytesMut;
use pool_postgres::tokio_postgres::types::{Format, IsNull, ToSql, Type};
use pool_postgres::{PostgresConnection, PostgresDriver, PostgresError};

use super::{Bound, Database, Dialect, Ending, Failed, FirstRow, Value};

impl Database for PostgresDriver {
    const DIALECT: Dialect = Dialect::Postgres;

    async fn script(connection: &mut PostgresConnection, sql: &str) -> Result<(), PostgresError> {
        connection.batch_execute(sql).await
    }

    async fn run(
        connection: &mut PostgresConnection,
        statements: Vec<Bound>,
        ending: Ending,
    ) -> Result<usize, Failed<PostgresError>> {
        if let ([bound], Ending::Commit) = (&*statements, ending) {
            return run(connection, bound).await.map_err(Failed::at(0));
        }
        let transaction = connection.transaction().await.map_err(Failed::at(0))?;
        let mut read = 0;
        for (number, bound) in statements.iter().enumerate() {
            read = run(&transaction, bound).await.map_err(Failed::at(number))?;
        }
        let ended = match ending {
            Ending::Commit => transaction.commit().await,
            Ending::RollBack => transaction.rollback().await,
        };
        ended.map_err(Failed::at(statements.len().saturating_sub(1)))?;
        Ok(read)
    }

    async fn ask(
        connection: &mut PostgresConnection,
        sql: &str,
    ) -> Result<Option<FirstRow>, PostgresError> {
        let answer =
            connection.client().simple_query(sql).await.map_err(PostgresError::Postgres)?;
        Ok(answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
            }
            _ => None,
        }))
    }
}

async fn run(connection: &PostgresConnection, bound: &Bound) -> Result<usize, PostgresError> {
    let values: Vec<_> = bound.values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
    Ok(connection.query(&bound.sql, &values).await?.len())
}

/// Sent as text, which the server reads as whatever type the statement has there.
impl ToSql for Value {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(ty, out)
    }
}
