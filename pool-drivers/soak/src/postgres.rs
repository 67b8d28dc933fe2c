//! PostgreSQL.

use futures_util::StreamExt as _;
use pool_core::ConfigError;
use pool_postgres::{Hygiene, PostgresConnection, PostgresDriver, PostgresError, PostgresOptions};

use crate::subject::{ACCOUNTS, AMOUNT, Answer, Subject};

pub(crate) fn driver(url: &str, is_strict: bool) -> Result<PostgresDriver, ConfigError> {
    let hygiene = if is_strict { Hygiene::Clean } else { Hygiene::Rollback };
    Ok(PostgresDriver::new(PostgresOptions { hygiene, ..PostgresOptions::from_url(url)? }))
}

impl Subject for PostgresDriver {
    async fn prepare(connection: &mut PostgresConnection) -> Result<(), PostgresError> {
        let sql = format!(
            "CREATE TABLE account (id bigint PRIMARY KEY, amount bigint NOT NULL);
             INSERT INTO account SELECT n, {AMOUNT} FROM generate_series(0, {ACCOUNTS} - 1) n"
        );
        connection.batch_execute(&sql).await
    }

    async fn ask(
        connection: &mut PostgresConnection,
        number: i64,
    ) -> Result<Answer, PostgresError> {
        let sql = "SELECT $1::bigint, current_setting('application_name') <> 'soiled' \
                   AND to_regclass('pg_temp.soil') IS NULL \
                   AND pg_current_xact_id_if_assigned() IS NULL \
                   AND NOT EXISTS (SELECT FROM pg_listening_channels()) \
                   AND NOT EXISTS (SELECT FROM pg_locks \
                                   WHERE locktype = 'advisory' AND pid = pg_backend_pid())";
        let row = connection.query_one(sql, &[&number]).await?;
        Ok(Answer { number: row.get(0), is_clean: row.get(1) })
    }

    async fn transfer(
        connection: &mut PostgresConnection,
        from: i64,
        to: i64,
    ) -> Result<(), PostgresError> {
        let transaction = connection.transaction().await?;
        let sql = "UPDATE account SET amount = amount + $1 WHERE id = $2";
        for (amount, account) in [(-1_i64, from), (1, to)] {
            transaction.execute(sql, &[&amount, &account]).await?;
        }
        transaction.commit().await
    }

    async fn leave_open(
        connection: &mut PostgresConnection,
        account: i64,
    ) -> Result<(), PostgresError> {
        connection.batch_execute("BEGIN").await?;
        let sql = "UPDATE account SET amount = amount - 1 WHERE id = $1";
        connection.execute(sql, &[&account]).await.map(drop)
    }

    async fn soil(connection: &mut PostgresConnection) -> Result<(), PostgresError> {
        let sql = "SET application_name = 'soiled'; \
                   CREATE TEMPORARY TABLE IF NOT EXISTS soil (x int); LISTEN soil; \
                   SELECT pg_advisory_lock_shared(1)";
        connection.batch_execute(sql).await
    }

    async fn read_half(connection: &mut PostgresConnection) -> Result<(), PostgresError> {
        let sql = "SELECT repeat('x', 1000) FROM generate_series(1, 50000)";
        let mut rows = connection.query_stream(sql, &[]).await?;
        for _ in 0..10 {
            rows.next().await.transpose()?;
        }
        Ok(())
    }

    async fn dawdle(connection: &mut PostgresConnection) -> Result<(), PostgresError> {
        connection.batch_execute("SELECT pg_sleep(0.3)").await
    }

    async fn err(connection: &mut PostgresConnection) -> Result<(), PostgresError> {
        connection.batch_execute("SELEKT").await
    }

    async fn total(connection: &mut PostgresConnection) -> Result<i64, PostgresError> {
        let sql = "SELECT sum(amount)::bigint FROM account";
        Ok(connection.query_one(sql, &[]).await?.get(0))
    }
}
