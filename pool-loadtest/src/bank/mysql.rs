//! The bank in MySQL and MariaDB.

use std::sync::Arc;

use pool_mysql::{MysqlConnection, MysqlDriver, MysqlError, mysql_async};

use super::table::{Found, Table, Transfer};
use super::teller::Teller;

impl Teller for MysqlDriver {
    const PARAMETERS: [&str; 2] = ["?", "?"];
    const INTEGER: &str = "signed";

    /// Making a table ends a transaction there, so the accounts come with one statement of their own.
    async fn create(
        connection: &mut MysqlConnection,
        table: &Arc<Table>,
    ) -> Result<(), MysqlError> {
        connection.query_drop(&table.create).await?;
        connection.query_drop(&table.fill).await.map(drop)
    }

    async fn balance(
        connection: &mut MysqlConnection,
        table: &Arc<Table>,
        account: i64,
    ) -> Result<i64, MysqlError> {
        let balance = connection.exec_first(&table.balance, (account,)).await?;
        balance.ok_or_else(|| missing("an account of the bank is not there any more"))
    }

    async fn transfer(
        connection: &mut MysqlConnection,
        table: &Arc<Table>,
        transfer: Transfer,
    ) -> Result<(), MysqlError> {
        let mut transaction = connection.transaction().await?;
        for (statement, amount, account) in table.steps(transfer) {
            transaction.exec_drop(statement, (amount, account)).await?;
        }
        transaction.commit().await
    }

    async fn add_up(
        connection: &mut MysqlConnection,
        table: &Arc<Table>,
    ) -> Result<Found, MysqlError> {
        let found: Option<(i64, i64, i64)> = connection.query_first(&table.add_up).await?;
        let found = found.ok_or_else(|| missing("the bank was added up to nothing"));
        let (accounts, sum, transfers) = found?;
        Ok(Found { accounts, sum, transfers })
    }

    async fn drop_table(
        connection: &mut MysqlConnection,
        table: &Arc<Table>,
    ) -> Result<(), MysqlError> {
        connection.query_drop(&table.drop).await.map(drop)
    }
}

/// A row that was to be there. The driver has no failure for it: what it reads may be no row.
fn missing(what: &'static str) -> MysqlError {
    mysql_async::Error::Other(what.into()).into()
}
