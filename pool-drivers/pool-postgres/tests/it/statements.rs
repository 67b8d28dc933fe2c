//! What calls return, what is kept prepared, and what observers are told.

use std::error::Error as _;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use pool_core::{Observer, Pool, PoolConfig, PoolOptions, StatementFinished, StatementOutcome};
use pool_postgres::tokio_postgres::types::Type;
use pool_postgres::{PostgresConnection, PostgresDriver, PostgresError, PostgresOptions};
use pool_testkit::Hand;

use crate::rig::{Database, code, connect, in_transaction, within};

async fn prepared(connection: &PostgresConnection) -> i64 {
    let sql = "SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql";
    let rows = within(connection.query_typed(sql, &[])).await.expect("counted");
    rows[0].get(0)
}

#[tokio::test]
async fn statements_return_what_they_changed_and_read() {
    let database = Database::create().await;
    let connection = connect(database.options()).await;
    connection.batch_execute("CREATE TABLE fruit (name text, price int)").await.expect("created");
    let insert = "INSERT INTO fruit VALUES ($1, $2)";
    for (name, price) in [("apple", 3), ("pear", 5), ("plum", 5)] {
        assert_eq!(connection.execute(insert, &[&name, &price]).await.expect("inserted"), 1);
    }
    let sql = "SELECT name FROM fruit WHERE price = $1 ORDER BY name";
    let rows = connection.query(sql, &[&5]).await.expect("read");
    let names: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, ["pear", "plum"]);
    let row = connection.query_one("SELECT price FROM fruit WHERE name = $1", &[&"apple"]).await;
    assert_eq!(row.expect("read").get::<_, i32>(0), 3);
    assert!(connection.query_opt(sql, &[&7]).await.expect("read").is_none());
    for wrong in [connection.query_one(sql, &[&7]).await, connection.query_one(sql, &[&5]).await] {
        assert!(matches!(wrong, Err(PostgresError::RowCount)), "{wrong:?}");
    }
    let typed = [(&5 as &(dyn pool_postgres::tokio_postgres::types::ToSql + Sync), Type::INT4)];
    assert_eq!(connection.query_typed(sql, &typed).await.expect("read").len(), 2);
    let delete = "DELETE FROM fruit WHERE price = $1";
    assert_eq!(connection.execute_typed(delete, &typed).await.expect("deleted"), 2);
    let error =
        connection.execute("INSERT INTO vegetable VALUES (1)", &[]).await.expect_err("none");
    assert_eq!(error.to_string(), "relation \"vegetable\" does not exist (SQLSTATE 42P01)");
    assert!(error.source().is_none(), "said once");
    let error = connection.query("SELECT $1::int", &[&"x"]).await.expect_err("a wrong type");
    assert_eq!(error.to_string(), "error serializing parameter 0");
    assert!(error.source().is_some());
}

#[tokio::test]
async fn rows_arrive_as_a_stream() {
    let database = Database::create().await;
    let connection = connect(database.options()).await;
    let sql = "SELECT generate_series(1, $1)";
    let mut rows = connection.query_stream(sql, &[&1000]).await.expect("begun");
    let mut expected = 1..=1000;
    while let Some(row) = rows.next().await {
        assert_eq!(Some(row.expect("right").get::<_, i32>(0)), expected.next());
    }
    assert_eq!((expected.next(), rows.rows_affected()), (None, Some(1000)));
    assert!(rows.next().await.is_none(), "it has ended");
    drop(rows);
    let sql = "SELECT 1 / (5 - x) FROM generate_series(1, 9) x";
    let rows = connection.query_stream(sql, &[]).await.expect("begun");
    let rows: Vec<_> = rows.collect().await;
    assert_eq!(rows.len(), 5);
    assert_eq!(code(rows[4].as_ref().expect_err("divided")), Some("22012"));
}

#[tokio::test]
async fn calls_made_at_the_same_time_share_a_connection() {
    let database = Database::create().await;
    let connection = connect(database.options()).await;
    let calls = (0..20).map(|n: i32| {
        let connection = &connection;
        async move {
            connection.query_one("SELECT $1::int", &[&n]).await.map(|row| row.get::<_, i32>(0))
        }
    });
    let numbers = within(futures_util::future::try_join_all(calls)).await.expect("answered");
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_cache_is_bounded_and_keeps_what_is_used() {
    let database = Database::create().await;
    let options = PostgresOptions { statement_cache: 3, ..database.options() };
    let connection = connect(options).await;
    for number in 0..10 {
        connection.query("SELECT 'often'", &[]).await.expect("answered");
        connection.query(&format!("SELECT {number}"), &[]).await.expect("answered");
        assert!(connection.cached_statements() <= 3);
    }
    assert_eq!(connection.cached_statements(), 3);
    // Evicted ones are closed on the server, too.
    assert_eq!(prepared(&connection).await, 3);
    let sql = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT ''often'''";
    let rows = connection.query_typed(sql, &[]).await.expect("counted");
    assert_eq!(rows[0].get::<_, i64>(0), 1, "the one that is used is not evicted");
}

#[tokio::test]
async fn a_cache_that_is_off_leaves_nothing_prepared() {
    let database = Database::create().await;
    let options = PostgresOptions { statement_cache: 0, ..database.options() };
    let connection = connect(options).await;
    // A statement with a name sees itself.
    let seen = "SELECT count(*) FROM pg_prepared_statements";
    let rows = connection.query(seen, &[]).await.expect("answered");
    assert_eq!(rows[0].get::<_, i64>(0), 0);
    let rows = connection.query_stream(seen, &[]).await.expect("begun");
    let rows: Vec<_> = rows.map(|row| row.expect("right").get::<_, i64>(0)).collect().await;
    assert_eq!(rows, [0]);
    let table = format!("CREATE TEMP TABLE seen AS {seen}");
    connection.execute(&table, &[]).await.expect("ran");
    let rows = connection.query("SELECT * FROM seen", &[]).await.expect("answered");
    assert_eq!(rows[0].get::<_, i64>(0), 0);
    let typed = [(&5 as &(dyn pool_postgres::tokio_postgres::types::ToSql + Sync), Type::INT4)];
    connection.query_typed("SELECT $1", &typed).await.expect("answered");
    assert_eq!(prepared(&connection).await, 0);
    let rows = connection.query("SELECT $1::int", &[&5]).await.expect("answered");
    assert_eq!(rows[0].get::<_, i32>(0), 5);
    drop(rows);
    assert_eq!((prepared(&connection).await, connection.cached_statements()), (0, 0));
}

#[tokio::test]
async fn a_statement_whose_result_has_changed_is_prepared_again() {
    let database = Database::create().await;
    let connection = connect(database.options()).await;
    connection
        .batch_execute("CREATE TABLE t (x int); INSERT INTO t VALUES (1)")
        .await
        .expect("made");
    let sql = "SELECT * FROM t";
    assert_eq!(connection.query(sql, &[]).await.expect("read")[0].len(), 1);
    connection.batch_execute("ALTER TABLE t ADD y int").await.expect("altered");
    assert_eq!(connection.query(sql, &[]).await.expect("prepared again")[0].len(), 2);
    connection.batch_execute("ALTER TABLE t ADD z int").await.expect("altered");
    let rows = connection.query_stream(sql, &[]).await.expect("prepared again");
    assert_eq!(rows.map(|row| row.expect("right").len()).collect::<Vec<_>>().await, [3]);
    connection.batch_execute("DEALLOCATE ALL").await.expect("gone");
    assert_eq!(connection.query(sql, &[]).await.expect("prepared again")[0].len(), 3);
    connection.batch_execute("DEALLOCATE ALL").await.expect("gone");
    assert_eq!(connection.execute(sql, &[]).await.expect("prepared again"), 1);
}

#[tokio::test]
async fn within_a_transaction_a_changed_statement_fails_once() {
    let database = Database::create().await;
    let mut connection = connect(database.options()).await;
    connection
        .batch_execute("CREATE TABLE t (x int); INSERT INTO t VALUES (1)")
        .await
        .expect("made");
    let sql = "SELECT * FROM t";
    connection.query(sql, &[]).await.expect("read");
    connection.batch_execute("ALTER TABLE t ADD y int").await.expect("altered");
    let transaction = connection.transaction().await.expect("begun");
    let error = transaction.query(sql, &[]).await.expect_err("the transaction has failed");
    assert_eq!(code(&error), Some("0A000"));
    transaction.rollback().await.expect("rolled back");
    let transaction = connection.transaction().await.expect("begun");
    assert_eq!(transaction.query(sql, &[]).await.expect("prepared again")[0].len(), 2);
}

#[tokio::test]
async fn other_errors_are_not_tried_again() {
    let database = Database::create().await;
    let connection = connect(database.options()).await;
    connection.batch_execute("CREATE SEQUENCE calls").await.expect("created");
    let sql = "SELECT 1 / (nextval('calls') - 1 - $1::bigint)";
    for _ in 0..2 {
        // Cached at the second turn.
        connection.batch_execute("SELECT setval('calls', 1, false)").await.expect("reset");
        let error = connection.query(sql, &[&0_i64]).await.expect_err("divided by zero");
        assert_eq!(code(&error), Some("22012"));
        let last = connection.query_one("SELECT last_value FROM calls", &[]).await.expect("read");
        assert_eq!(last.get::<_, i64>(0), 1, "called once");
    }
}

/// Notes the text and the end of each statement.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("not poisoned"))
    }
}

impl Observer for Recorder {
    fn statement_finished(&self, event: &StatementFinished<'_>) {
        let outcome = match event.outcome {
            StatementOutcome::Ok => "ok".to_owned(),
            StatementOutcome::Failed { error, .. } => format!("failed: {error}"),
            StatementOutcome::Cancelled => "cancelled".to_owned(),
            other => format!("{other:?}"),
        };
        let text = event.text.unwrap_or("-");
        self.0.lock().expect("not poisoned").push(format!("{text}: {outcome}"));
    }
}

#[tokio::test]
async fn observers_are_told_the_text_and_the_end_of_each_statement() {
    let database = Database::create().await;
    let recorder = Arc::new(Recorder::default());
    let config = PoolConfig { max_open: 1, check_after_idle: None, ..PoolConfig::default() };
    let options = PoolOptions {
        observers: vec![Arc::clone(&recorder) as Arc<dyn Observer>],
        ..config.into()
    };
    let pool = Pool::new(PostgresDriver::new(database.options()), options).expect("valid");
    let mut guard = pool.acquire().await.expect("opened");
    guard.execute("SELECT $1::int", &[&1]).await.expect("ran");
    guard.query("SELEKT", &[]).await.expect_err("no such thing");
    guard.query_stream("SELECT 2", &[]).await.expect("begun").collect::<Vec<_>>().await;
    drop(guard.query_stream("SELECT 3", &[]).await.expect("begun"));
    let transaction = guard.transaction().await.expect("begun");
    transaction.query("SELECT 4", &[]).await.expect("ran");
    transaction.commit().await.expect("committed");
    Hand::new(guard.batch_execute("SELECT pg_sleep(3600)")).pending();
    assert_eq!(
        recorder.take(),
        [
            "SELECT $1::int: ok",
            "SELEKT: failed: syntax error at or near \"SELEKT\" (SQLSTATE 42601)",
            "SELECT 2: ok",
            "SELECT 3: cancelled",
            "BEGIN: ok",
            "SELECT 4: ok",
            "COMMIT: ok",
            "SELECT pg_sleep(3600): cancelled",
        ]
    );
    drop(guard);
    // The driver's own: reset, check.
    let guard = within(pool.acquire()).await.expect("cleaned");
    assert!(recorder.take().is_empty());
    assert!(!in_transaction(&guard).await);
}
