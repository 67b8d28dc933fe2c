//! A panic in a closure costs the call, not the connection.

use pool_core::CloseReason;
use pool_sqlite::rusqlite::Connection;
use pool_sqlite::{SqliteError, SqliteOptions};

use crate::rig::{connect_in_memory, number, pool_of_one, within};

#[tokio::test]
async fn a_panic_is_an_error_that_says_what_it_said() {
    let mut connection = connect_in_memory().await;
    let error = connection.call::<(), _>(|_| panic!("no such fruit")).await.expect_err("panicked");
    assert!(matches!(&error, SqliteError::Panicked { message } if message == "no such fruit"));
    let message = "the closure given to the connection panicked: no such fruit";
    assert_eq!(error.to_string(), message);
    assert_eq!(number(&mut connection, "SELECT 1").await, 1, "the connection goes on");
}

#[tokio::test]
async fn a_panic_rolls_back_the_transaction_it_was_in() {
    let mut connection = connect_in_memory().await;
    connection.execute_batch("CREATE TABLE notes (text TEXT); BEGIN").await.expect("begun");
    let half = connection.call::<(), _>(|sqlite| {
        sqlite.execute("INSERT INTO notes VALUES ('half')", [])?;
        panic!("half-way, as the test has it");
    });
    half.await.expect_err("panicked");
    assert!(connection.call(|sqlite| Ok(sqlite.is_autocommit())).await.expect("answered"));
    assert_eq!(number(&mut connection, "SELECT count(*) FROM notes").await, 0);
}

#[tokio::test]
async fn after_a_panic_the_connection_is_cleaned_and_used_again() {
    let pool = pool_of_one(SqliteOptions::private_memory());
    for _ in 0..3 {
        let mut guard = pool.acquire().await.expect("opened");
        guard.call::<(), _>(|_| panic!("as the test has it")).await.expect_err("panicked");
        drop(guard);
    }
    let mut guard = within(pool.acquire()).await.expect("cleaned");
    assert_eq!(number(&mut guard, "SELECT 1").await, 1);
    assert_eq!(pool.stats().opened, 1);
}

#[tokio::test]
async fn after_a_panic_nothing_is_taken_on_trust() {
    let pool = pool_of_one(SqliteOptions::private_memory());
    let mut guard = pool.acquire().await.expect("opened");
    let leaking = guard.call::<(), _>(|sqlite| {
        let mut select = sqlite.prepare("SELECT 1 UNION ALL SELECT 2")?;
        let mut rows = select.query([])?;
        rows.next()?;
        // Open without a lock of any kind: only the reset after a panic looks for it.
        std::mem::forget(rows);
        std::mem::forget(select);
        panic!("as the test has it")
    });
    leaking.await.expect_err("panicked");
    drop(guard);
    drop(within(pool.acquire()).await.expect("a new one"));
    let stats = pool.stats();
    assert_eq!((stats.opened, stats.closed.of(CloseReason::Broken)), (2, 1), "{stats:?}");
}

#[tokio::test]
async fn a_value_that_panics_when_dropped_does_not_end_the_thread() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped, as the test has it");
        }
    }

    let mut connection = connect_in_memory().await;
    // Dropped on the thread, one with its closure, the other as a payload.
    let bomb = Bomb;
    let hold = move |_: &mut Connection| {
        let _bomb = &bomb;
        Ok(())
    };
    let error = connection.call(hold).await;
    assert!(matches!(error, Err(SqliteError::Panicked { .. })), "{error:?}");
    let error = connection.call::<(), _>(|_| std::panic::panic_any(Bomb)).await;
    assert!(matches!(error, Err(SqliteError::Panicked { .. })), "{error:?}");
    assert_eq!(number(&mut connection, "SELECT 1").await, 1);
}
