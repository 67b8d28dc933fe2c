//! The bank in SQLite.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use pool_core::{ConnectContext, Driver as _, Statements};
use pool_sqlite::rusqlite::{Connection, TransactionBehavior, params};
use pool_sqlite::{SqliteConnection, SqliteDriver, SqliteError, SqliteOptions};
use tokio::time::timeout;

use super::table::{Found, Table, Transfer};
use super::teller::Teller;

/// How long the question may take what blocks a database.
const QUESTION: Duration = Duration::from_millis(250);

impl Teller for SqliteDriver {
    const PARAMETERS: [&str; 2] = ["?1", "?2"];
    const INTEGER: &str = "integer";

    async fn create(
        connection: &mut SqliteConnection,
        table: &Arc<Table>,
    ) -> Result<(), SqliteError> {
        let table = Arc::clone(table);
        let create = move |database: &mut Connection| {
            let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(&table.create)?;
            transaction.execute_batch(&table.fill)?;
            transaction.commit()
        };
        connection.call(create).await
    }

    async fn balance(
        connection: &mut SqliteConnection,
        table: &Arc<Table>,
        account: i64,
    ) -> Result<i64, SqliteError> {
        connection.query_row(&table.balance, [account], |row| row.get(0)).await
    }

    /// Immediate: a transaction that reads first and writes later may find, too late to wait, that
    /// somebody else has written.
    async fn transfer(
        connection: &mut SqliteConnection,
        table: &Arc<Table>,
        transfer: Transfer,
    ) -> Result<(), SqliteError> {
        let table = Arc::clone(table);
        let transfer = move |database: &mut Connection| {
            let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (statement, amount, account) in table.steps(transfer) {
                transaction.prepare_cached(statement)?.execute(params![amount, account])?;
            }
            transaction.commit()
        };
        connection.call(transfer).await
    }

    async fn add_up(
        connection: &mut SqliteConnection,
        table: &Arc<Table>,
    ) -> Result<Found, SqliteError> {
        let table = Arc::clone(table);
        let add_up = move |database: &mut Connection| {
            database.query_row(&table.add_up, [], |row| {
                Ok(Found { accounts: row.get(0)?, sum: row.get(1)?, transfers: row.get(2)? })
            })
        };
        connection.call(add_up).await
    }

    async fn drop_table(
        connection: &mut SqliteConnection,
        table: &Arc<Table>,
    ) -> Result<(), SqliteError> {
        connection.execute_batch(&table.drop).await
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
