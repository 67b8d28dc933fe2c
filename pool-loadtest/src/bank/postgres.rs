//! The bank in PostgreSQL.

use std::sync::Arc;

use pool_postgres::{PostgresConnection, PostgresDriver, PostgresError};

use super::table::{Found, Table, Transfer};
use super::teller::Teller;

impl Teller for PostgresDriver {
    const PARAMETERS: [&str; 2] = ["$1::bigint", "$2::bigint"];
    const INTEGER: &str = "bigint";

    async fn create(
        connection: &mut PostgresConnection,
        table: &Arc<Table>,
    ) -> Result<(), PostgresError> {
        let transaction = connection.transaction().await?;
        transaction.batch_execute(&table.create).await?;
        transaction.batch_execute(&table.fill).await?;
        transaction.commit().await
    }

    async fn balance(
        connection: &mut PostgresConnection,
        table: &Arc<Table>,
        account: i64,
    ) -> Result<i64, PostgresError> {
        Ok(connection.query_one(&table.balance, &[&account]).await?.get(0))
    }

    async fn transfer(
        connection: &mut PostgresConnection,
        table: &Arc<Table>,
        transfer: Transfer,
    ) -> Result<(), PostgresError> {
        let transaction = connection.transaction().await?;
        for (statement, amount, account) in table.steps(transfer) {
            transaction.execute(statement, &[&amount, &account]).await?;
        }
        transaction.commit().await
    }

    async fn add_up(
        connection: &mut PostgresConnection,
        table: &Arc<Table>,
    ) -> Result<Found, PostgresError> {
        let row = connection.query_one(&table.add_up, &[]).await?;
        Ok(Found { accounts: row.get(0), sum: row.get(1), transfers: row.get(2) })
    }

    async fn drop_table(
        connection: &mut PostgresConnection,
        table: &Arc<Table>,
    ) -> Result<(), PostgresError> {
        connection.batch_execute(&table.drop).await
    }
}
