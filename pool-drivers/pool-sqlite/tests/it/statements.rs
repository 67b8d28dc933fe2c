//! What calls return, and what observers are told of them.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex};

use pool_core::{Observer, Pool, PoolConfig, PoolOptions, StatementFinished, StatementOutcome};
use pool_sqlite::rusqlite::{self, params_from_iter};
use pool_sqlite::{SqliteDriver, SqliteError, SqliteOptions};
use pool_testkit::Hand;

use crate::rig::{ENDLESS, connect_in_memory, number};

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

fn observed_pool() -> (Pool<SqliteDriver>, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    let driver = SqliteDriver::new(SqliteOptions::private_memory());
    let options = PoolOptions {
        observers: vec![Arc::clone(&recorder) as Arc<dyn Observer>],
        ..driver.pool_config().into()
    };
    (Pool::new(driver, options).expect("valid"), recorder)
}

/// An error of a user's own.
#[derive(Debug)]
enum Mine {
    Sold,
    Sqlite(SqliteError),
}

impl fmt::Display for Mine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mine")
    }
}

impl Error for Mine {}

impl From<SqliteError> for Mine {
    fn from(error: SqliteError) -> Self {
        Self::Sqlite(error)
    }
}

impl From<rusqlite::Error> for Mine {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error.into())
    }
}

#[tokio::test]
async fn statements_return_what_they_changed_and_read() {
    let mut connection = connect_in_memory().await;
    connection
        .execute_batch("CREATE TABLE fruit (name TEXT, price INTEGER)")
        .await
        .expect("created");
    let insert = "INSERT INTO fruit VALUES (?1, ?2)";
    for (name, price) in [("apple", 3), ("pear", 5), ("plum", 5)] {
        let changed = connection.execute(insert, (name.to_owned(), price)).await;
        assert_eq!(changed.expect("inserted"), 1);
    }
    let sql = "SELECT name FROM fruit WHERE price = ?1 ORDER BY name";
    let names = connection.query(sql, [5], |row| row.get::<_, String>(0)).await.expect("read");
    assert_eq!(names, ["pear", "plum"]);
    let values = params_from_iter(vec!["apple".to_owned()]);
    let price = connection
        .query_row("SELECT price FROM fruit WHERE name = ?1", values, |row| row.get::<_, i64>(0))
        .await;
    assert_eq!(price.expect("read"), 3);
    let changed = connection.execute("UPDATE fruit SET price = 0", []).await.expect("updated");
    assert_eq!(changed, 3);
    let missing = connection.query_row(sql, [77], |row| row.get::<_, String>(0)).await;
    let missing = missing.expect_err("no row");
    assert!(matches!(missing, SqliteError::Sqlite(rusqlite::Error::QueryReturnedNoRows)));
}

#[tokio::test]
async fn a_closure_may_fail_with_an_error_of_its_own() {
    let mut connection = connect_in_memory().await;
    let sold = connection.call_with(|_| Err::<(), _>(Mine::Sold)).await;
    assert!(matches!(sold, Err(Mine::Sold)), "{sold:?}");
    let bad = connection.call_with(|sqlite| {
        sqlite.execute_batch("SELEKT 1")?;
        Ok::<_, Mine>(())
    });
    let bad = bad.await;
    assert!(matches!(bad, Err(Mine::Sqlite(SqliteError::Sqlite(_)))), "{bad:?}");
    let panicked = connection.call_with::<(), Mine, _>(|_| panic!("as the test has it")).await;
    assert!(matches!(panicked, Err(Mine::Sqlite(SqliteError::Panicked { .. }))), "{panicked:?}");
}

#[tokio::test]
async fn observers_are_told_the_text_and_the_end_of_each_statement() {
    let (pool, recorder) = observed_pool();
    let mut guard = pool.acquire().await.expect("opened");
    guard.execute_batch("CREATE TABLE fruit (name TEXT)").await.expect("created");
    guard.execute("INSERT INTO fruit VALUES (?1)", ["apple"]).await.expect("inserted");
    assert_eq!(number(&mut guard, "SELECT count(*) FROM fruit").await, 1);
    guard.query("SELECT name FROM fruit", [], |row| row.get::<_, String>(0)).await.expect("read");
    guard.call(|sqlite| sqlite.execute_batch("SELECT 2")).await.expect("ran");
    assert_eq!(
        recorder.take(),
        [
            "CREATE TABLE fruit (name TEXT): ok",
            "INSERT INTO fruit VALUES (?1): ok",
            "SELECT count(*) FROM fruit: ok",
            "SELECT name FROM fruit: ok",
            "-: ok",
        ]
    );
    guard.execute("INSERT INTO vegetable VALUES (1)", []).await.expect_err("no such table");
    guard.call_with(|_| Err::<(), _>(Mine::Sold)).await.expect_err("sold");
    Hand::new(guard.execute_batch(ENDLESS)).pending();
    assert_eq!(
        recorder.take(),
        [
            "INSERT INTO vegetable VALUES (1): failed: no such table: vegetable",
            "-: failed: the closure failed with an error of its own",
            &format!("{ENDLESS}: cancelled"),
        ]
    );
}

#[tokio::test]
async fn the_drivers_own_questions_are_not_statements_of_the_user() {
    let (pool, recorder) = observed_pool();
    let config = PoolConfig { check_after_idle: Some(std::time::Duration::ZERO), ..pool.config() };
    pool.reconfigure(config).expect("valid");
    for _ in 0..3 {
        let mut guard = pool.acquire().await.expect("checked");
        guard.execute_batch("BEGIN").await.expect("begun");
    }
    assert_eq!(recorder.take(), ["BEGIN: ok"; 3]);
}

#[tokio::test]
async fn calls_can_be_made_from_any_task() {
    let mut connection = connect_in_memory().await;
    let task = tokio::spawn(async move {
        let one = number(&mut connection, "SELECT 1").await;
        let two = connection.call_with(|_| Ok::<_, SqliteError>(2)).await.expect("ran");
        (one, two)
    });
    assert_eq!(task.await.expect("no panic"), (1, 2));
}
