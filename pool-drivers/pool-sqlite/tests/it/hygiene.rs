//! What one user leaves to the next: nothing under `Reopen`, everything but a transaction under
//! `Rollback`.

use pool_core::{CloseReason, Pool};
use pool_sqlite::rusqlite::Connection;
use pool_sqlite::{Hygiene, SqliteDriver, SqliteOptions};
use pool_testkit::Hand;

use crate::rig::{Directory, ENDLESS, pool_of_one, within};

/// A statement that leaves something of its user, and how to see it.
type Mark = (&'static str, fn(&Connection) -> bool);

const MARKS: [Mark; 6] = [
    ("PRAGMA foreign_keys = OFF", |sqlite| number(sqlite, "PRAGMA foreign_keys") == 0),
    ("PRAGMA case_sensitive_like = ON", |sqlite| number(sqlite, "SELECT 'a' LIKE 'A'") == 0),
    ("PRAGMA query_only = ON", |sqlite| number(sqlite, "PRAGMA query_only") == 1),
    ("ATTACH ':memory:' AS other", |sqlite| {
        number(sqlite, "SELECT count(*) FROM pragma_database_list WHERE name = 'other'") == 1
    }),
    ("CREATE TEMP TABLE scratch (x)", |sqlite| {
        number(sqlite, "SELECT count(*) FROM sqlite_temp_schema") == 1
    }),
    ("BEGIN", |sqlite| !sqlite.is_autocommit()),
];

fn number(sqlite: &Connection, sql: &str) -> i64 {
    sqlite.query_row(sql, [], |row| row.get(0)).expect("answered")
}

#[derive(Clone, Copy, Debug)]
enum Leaving {
    Normally,
    Cancelled,
    Panicking,
}

/// Has a user leave a mark and go; returns whether the next user sees it.
async fn is_left(pool: &Pool<SqliteDriver>, leaving: Leaving, (mark, seen): Mark) -> bool {
    let mut guard = pool.acquire().await.expect("a turn");
    guard.execute_batch(mark).await.expect("done");
    assert!(guard.call(move |sqlite| Ok(seen(sqlite))).await.expect("answered"), "{mark}");
    match leaving {
        Leaving::Normally => drop(guard),
        Leaving::Cancelled => {
            Hand::new(guard.execute_batch(ENDLESS)).pending();
            drop(guard);
        }
        Leaving::Panicking => {
            let pool = pool.clone();
            let user = tokio::spawn(async move {
                let _guard = pool.acquire_owned().await.expect("the same connection");
                panic!("a user's panic, as the test has it");
            });
            drop(guard);
            user.await.expect_err("panicked");
        }
    }
    let mut guard = within(pool.acquire()).await.expect("the next turn");
    guard.call(move |sqlite| Ok(seen(sqlite))).await.expect("answered")
}

#[tokio::test]
async fn under_reopen_nothing_is_left_however_the_user_goes() {
    let directory = Directory::new();
    let options = SqliteOptions { hygiene: Hygiene::Reopen, ..directory.options() };
    let pool = pool_of_one(options);
    for mark in MARKS {
        for leaving in [Leaving::Normally, Leaving::Cancelled, Leaving::Panicking] {
            assert!(!is_left(&pool, leaving, mark).await, "{leaving:?}: {}", mark.0);
        }
    }
    let stats = pool.stats();
    assert_eq!(stats.closed.of(CloseReason::Broken), stats.closed.total(), "{stats:?}");
}

#[tokio::test]
async fn under_rollback_all_is_left_but_a_transaction() {
    for mark in MARKS {
        for leaving in [Leaving::Normally, Leaving::Cancelled, Leaving::Panicking] {
            let pool = pool_of_one(SqliteOptions::private_memory());
            let transaction = mark.0 == "BEGIN";
            let left = is_left(&pool, leaving, mark).await;
            assert_eq!(left, !transaction, "{leaving:?}: {}", mark.0);
            assert_eq!(pool.stats().opened, 1, "the same connection");
        }
    }
}

#[tokio::test]
async fn a_lock_left_by_a_user_is_released_without_waiting_for_the_next() {
    let directory = Directory::new();
    let pool = pool_of_one(directory.options());
    let mut guard = pool.acquire().await.expect("opened");
    let sql = "CREATE TABLE notes (text TEXT); BEGIN IMMEDIATE";
    guard.execute_batch(sql).await.expect("locked");
    drop(guard);
    // The other connection waits in SQLite; the rollback is the pool's own work.
    let other = directory.plain();
    let write =
        tokio::task::spawn_blocking(move || other.execute_batch("INSERT INTO notes VALUES ('x')"));
    within(write).await.expect("no panic").expect("the lock is free");
}

#[tokio::test]
async fn a_statement_that_was_leaked_costs_the_connection() {
    let directory = Directory::new();
    let pool = pool_of_one(directory.options());
    let mut guard = pool.acquire().await.expect("opened");
    guard
        .execute_batch("CREATE TABLE notes (x); INSERT INTO notes VALUES (1), (2)")
        .await
        .expect("done");
    guard
        .call(|sqlite| {
            let mut select = sqlite.prepare("SELECT x FROM notes")?;
            let mut rows = select.query([])?;
            rows.next()?;
            // Its read transaction stays open, although SQLite is back in autocommit.
            std::mem::forget(rows);
            std::mem::forget(select);
            Ok(())
        })
        .await
        .expect("leaked");
    drop(guard);
    drop(within(pool.acquire()).await.expect("a new one"));
    let stats = pool.stats();
    assert_eq!((stats.opened, stats.closed.of(CloseReason::Broken)), (2, 1), "{stats:?}");
}
