//! MariaDB.

use pool_core::ConfigError;
use pool_mysql::mysql_async::Row;
use pool_mysql::mysql_async::prelude::Queryable as _;
use pool_mysql::{Hygiene, MysqlConnection, MysqlDriver, MysqlError, MysqlOptions};

use crate::subject::{ACCOUNTS, AMOUNT, Answer, Subject};

pub(crate) fn driver(url: &str, is_strict: bool) -> Result<MysqlDriver, ConfigError> {
    let hygiene = if is_strict { Hygiene::Clean } else { Hygiene::Rollback };
    Ok(MysqlDriver::new(MysqlOptions { hygiene, ..MysqlOptions::from_url(url)? }))
}

impl Subject for MysqlDriver {
    async fn prepare(connection: &mut MysqlConnection) -> Result<(), MysqlError> {
        let sql = "CREATE TABLE account (id bigint PRIMARY KEY, amount bigint NOT NULL)";
        connection.query_drop(sql).await?;
        let last = ACCOUNTS - 1;
        let sql = format!("INSERT INTO account SELECT seq, {AMOUNT} FROM seq_0_to_{last}");
        connection.query_drop(&sql).await?;
        // A temporary table of this name hides it, which `ask` sees: nothing lists temporary tables.
        connection.query_drop("CREATE TABLE soil SELECT 1 AS x").await.map(drop)
    }

    async fn ask(connection: &mut MysqlConnection, number: i64) -> Result<Answer, MysqlError> {
        let sql = "SELECT ?, @soil IS NULL AND @@in_transaction = 0 \
                   AND EXISTS (SELECT x FROM soil) \
                   AND NOT (IS_USED_LOCK('soil') <=> CONNECTION_ID())";
        let answer: Option<(i64, bool)> = connection.exec_first(sql, (number,)).await?;
        let (number, is_clean) = answer.unwrap_or((-1, false));
        Ok(Answer { number, is_clean })
    }

    async fn transfer(
        connection: &mut MysqlConnection,
        from: i64,
        to: i64,
    ) -> Result<(), MysqlError> {
        let mut transaction = connection.transaction().await?;
        let sql = "UPDATE account SET amount = amount + ? WHERE id = ?";
        for (amount, account) in [(-1_i64, from), (1, to)] {
            transaction.exec_drop(sql, (amount, account)).await?;
        }
        transaction.commit().await
    }

    async fn leave_open(connection: &mut MysqlConnection, account: i64) -> Result<(), MysqlError> {
        connection.query_drop("BEGIN").await?;
        let sql = "UPDATE account SET amount = amount - 1 WHERE id = ?";
        connection.exec_drop(sql, (account,)).await.map(drop)
    }

    async fn soil(connection: &mut MysqlConnection) -> Result<(), MysqlError> {
        connection.query_drop("SET @soil = 1").await?;
        connection.query_drop("CREATE TEMPORARY TABLE IF NOT EXISTS soil (x int)").await?;
        connection.query_drop("SELECT GET_LOCK('soil', 0)").await.map(drop)
    }

    async fn read_half(connection: &mut MysqlConnection) -> Result<(), MysqlError> {
        let sql = "SELECT REPEAT('x', 1000) FROM seq_1_to_50000";
        let mut rows = connection.raw().await?.query_iter(sql).await?;
        for _ in 0..10 {
            let _row: Option<Row> = rows.next().await?;
        }
        Ok(())
    }

    async fn dawdle(connection: &mut MysqlConnection) -> Result<(), MysqlError> {
        connection.query_drop("SELECT SLEEP(0.3)").await.map(drop)
    }

    async fn err(connection: &mut MysqlConnection) -> Result<(), MysqlError> {
        connection.query_drop("SELEKT").await.map(drop)
    }

    async fn total(connection: &mut MysqlConnection) -> Result<i64, MysqlError> {
        let total =
            connection.query_first("SELECT CAST(SUM(amount) AS SIGNED) FROM account").await?;
        Ok(total.unwrap_or(-1))
    }
}
