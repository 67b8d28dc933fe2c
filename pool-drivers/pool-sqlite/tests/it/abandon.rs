//! A call that its user did not see the end of leaves no transaction behind.

use std::hint::spin_loop;
use std::sync::mpsc;

use pool_sqlite::SqliteOptions;
use pool_sqlite::rusqlite::Transaction;
use pool_testkit::Hand;

use crate::rig::{ENDLESS, connect_in_memory, drop_once_begun, number, pool_of_one, within};

#[tokio::test]
async fn a_cancelled_begin_leaves_no_transaction_to_the_next_user() {
    let pool = pool_of_one(SqliteOptions::private_memory());
    let mut random = fastrand::Rng::with_seed(28);
    for _ in 0..2000 {
        let mut guard = within(pool.acquire()).await.expect("the next turn");
        let clean = within(guard.call(|sqlite| Ok(sqlite.is_autocommit()))).await;
        assert!(clean.expect("answered"), "a transaction of the user before");
        let mut begin = Hand::new(guard.execute_batch("BEGIN"));
        let _ = begin.poll();
        (0..random.u32(0..4000)).for_each(|_| spin_loop());
    }
    assert_eq!(pool.stats().opened, 1);
}

/// How a transaction begins, by itself or with the first savepoint.
const BEGINNINGS: [&str; 3] = ["BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT s"];

#[tokio::test]
async fn a_begin_that_is_told_to_stop_leaves_no_transaction_to_the_next_call() {
    let mut connection = connect_in_memory().await;
    for begin in BEGINNINGS {
        let (release, released) = mpsc::channel::<()>();
        drop_once_begun(&mut connection, move |sqlite| {
            released.recv().expect("released");
            // Cancelled long ago: it takes effect, and says that it was interrupted.
            sqlite.execute_batch(begin).expect_err("cancelled");
        })
        .await;
        release.send(()).expect("awaited");
        let outside = within(connection.call(|sqlite| Ok(sqlite.is_autocommit()))).await;
        assert!(outside.expect("answered"), "{begin}");
    }
}

#[tokio::test]
async fn a_begin_whose_end_nobody_saw_leaves_no_transaction_to_the_next_call() {
    let mut connection = connect_in_memory().await;
    for begin in BEGINNINGS {
        let (release, released) = mpsc::channel::<()>();
        let mut call = Hand::new(connection.call(move |sqlite| {
            released.recv().expect("released");
            sqlite.execute_batch(begin)
        }));
        call.pending();
        release.send(()).expect("awaited");
        within(async {
            while call.wakes() == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        drop(call);
        let outside = within(connection.call(|sqlite| Ok(sqlite.is_autocommit()))).await;
        assert!(outside.expect("answered"), "{begin}");
    }
}

#[tokio::test]
async fn a_cancelled_call_leaves_the_transaction_it_found() {
    let mut connection = connect_in_memory().await;
    let sql = "CREATE TABLE notes (text TEXT); BEGIN; INSERT INTO notes VALUES ('mine')";
    connection.execute_batch(sql).await.expect("begun");
    drop_once_begun(&mut connection, |sqlite| {
        sqlite.query_row(ENDLESS, [], |_| Ok(())).expect_err("has no end");
    })
    .await;
    // Dropped before the thread can have begun with it.
    Hand::new(connection.execute_batch(ENDLESS)).pending();
    connection.execute_batch("COMMIT").await.expect("still open");
    assert_eq!(number(&mut connection, "SELECT count(*) FROM notes").await, 1);
}

/// Whatever moment a call with transactions is dropped at, what is written next stays.
#[tokio::test]
async fn a_write_after_a_cancelled_transaction_is_never_lost() {
    const ROUNDS: i64 = 5000;
    let pool = pool_of_one(SqliteOptions::private_memory());
    let mut random = fastrand::Rng::with_seed(41);
    let mut guard = pool.acquire().await.expect("opened");
    guard.execute_batch("CREATE TABLE kept (round INTEGER)").await.expect("created");
    for round in 0..ROUNDS {
        // Many short ones, so that the cancel often lands in a BEGIN or a COMMIT.
        let mut call = Hand::new(guard.call(|sqlite| {
            (0..50).try_for_each(|_| sqlite.transaction().and_then(Transaction::commit))
        }));
        let _ = call.poll();
        (0..random.u32(0..8000)).for_each(|_| spin_loop());
        drop(call);
        let kept = guard.execute("INSERT INTO kept VALUES (?1)", [round]);
        assert_eq!(within(kept).await.expect("written"), 1);
    }
    drop(guard);
    let mut guard = within(pool.acquire()).await.expect("the next turn");
    assert_eq!(number(&mut guard, "SELECT count(*) FROM kept").await, ROUNDS);
}
