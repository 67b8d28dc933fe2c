//! Transactions end as their user says, or in a rollback.

use std::pin::pin;
use std::task::{Context, Waker};

use futures_util::SinkExt as _;
use pool_postgres::{PostgresConnection, PostgresError};

use crate::rig::{Database, code, connect, in_transaction, pool_of_one, within};

async fn count(connection: &PostgresConnection) -> i64 {
    let row = within(connection.query_one("SELECT count(*) FROM t", &[])).await;
    row.expect("counted").get(0)
}

async fn with_table(database: &Database) -> PostgresConnection {
    let connection = connect(database.options()).await;
    connection.batch_execute("CREATE TABLE t (x int)").await.expect("created");
    connection
}

#[tokio::test]
async fn commit_keeps_and_rollback_and_drop_undo() {
    let database = Database::create().await;
    let mut connection = with_table(&database).await;
    for (end, kept) in [("commit", 1), ("rollback", 1), ("drop", 1)] {
        let transaction = connection.transaction().await.expect("begun");
        transaction.execute("INSERT INTO t VALUES ($1)", &[&1]).await.expect("inserted");
        match end {
            "commit" => transaction.commit().await.expect("committed"),
            "rollback" => transaction.rollback().await.expect("rolled back"),
            _ => drop(transaction),
        }
        // The next call goes out behind the rollback.
        assert_eq!(count(&connection).await, kept, "{end}");
        assert!(!in_transaction(&connection).await, "{end}");
    }
}

#[tokio::test]
async fn a_transaction_that_failed_is_not_called_committed() {
    let database = Database::create().await;
    let mut connection = with_table(&database).await;
    for how in ["ours", "the client's, cut short", "ours, cut short"] {
        let transaction = connection.transaction().await.expect("begun");
        transaction.execute("INSERT INTO t VALUES ($1)", &[&1]).await.expect("inserted");
        let mut context = Context::from_waker(Waker::noop());
        match how {
            "ours" => {
                transaction.batch_execute("SELECT 1/0").await.expect_err("divided by zero");
            }
            "ours, cut short" => {
                let call = pin!(transaction.batch_execute("SELECT 1/0"));
                assert!(call.poll(&mut context).is_pending());
            }
            _ => {
                let call = pin!(transaction.client().batch_execute("SELECT 1/0"));
                assert!(call.poll(&mut context).is_pending());
            }
        }
        let error = within(transaction.commit()).await.expect_err("nothing is kept");
        assert!(matches!(error, PostgresError::RolledBack), "{how}: {error:?}");
        assert_eq!(count(&connection).await, 0);
        assert!(!in_transaction(&connection).await);
    }
}

#[tokio::test]
async fn a_transaction_whose_copy_failed_is_not_called_committed() {
    let database = Database::create().await;
    let mut connection = with_table(&database).await;
    let transaction = connection.transaction().await.expect("begun");
    transaction.execute("INSERT INTO t VALUES ($1)", &[&1]).await.expect("inserted");
    {
        let copy = transaction.client().copy_in::<_, &[u8]>("COPY t FROM STDIN");
        let mut sink = pin!(copy.await.expect("begun"));
        sink.send(b"no number\n").await.expect("taken");
        within(sink.finish()).await.expect_err("no number");
    }
    within(transaction.commit()).await.expect_err("nothing is kept");
    drop(connection);
    assert_eq!(count(&connect(database.options()).await).await, 0);
}

#[tokio::test]
async fn a_transaction_may_be_begun_in_ones_own_words() {
    let database = Database::create().await;
    let mut connection = with_table(&database).await;
    let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY";
    let transaction = connection.transaction_by(begin).await.expect("begun");
    let error = transaction.execute("INSERT INTO t VALUES (1)", &[]).await.expect_err("read only");
    assert_eq!(code(&error), Some("25006"));
}

#[tokio::test]
async fn a_begin_that_is_cut_short_opens_nothing() {
    let database = Database::create().await;
    let mut connection = with_table(&database).await;
    for polls in 0..20 {
        {
            let mut begin = pin!(connection.transaction());
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..polls {
                if begin.as_mut().poll(&mut context).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        assert!(!in_transaction(&connection).await, "{polls}");
    }
}

#[tokio::test]
async fn a_begin_that_fails_leaves_no_transaction() {
    let database = Database::create().await;
    let mut connection = with_table(&database).await;
    connection.transaction_by("BEGIN ISOLATION LEVEL WHATEVER").await.expect_err("no such level");
    assert!(!in_transaction(&connection).await);
    assert_eq!(count(&connection).await, 0);
}

#[tokio::test]
async fn a_transaction_dropped_with_its_guard_is_rolled_back_for_the_next_user() {
    let database = Database::create().await;
    drop(with_table(&database).await);
    let pool = pool_of_one(database.options());
    for _ in 0..5 {
        let mut connection = pool.acquire().await.expect("a turn");
        let transaction = connection.transaction().await.expect("begun");
        transaction.execute("INSERT INTO t VALUES (1)", &[]).await.expect("inserted");
        drop(transaction);
        drop(connection);
        let connection = pool.acquire().await.expect("idle");
        assert!(!in_transaction(&connection).await);
        assert_eq!(count(&connection).await, 0);
    }
    assert_eq!(pool.stats().opened, 1);
}

#[tokio::test]
async fn a_statement_cut_short_in_a_transaction_does_not_keep_it_open() {
    let database = Database::create().await;
    let pool = pool_of_one(database.options());
    let mut connection = pool.acquire().await.expect("opened");
    let transaction = connection.transaction().await.expect("begun");
    {
        let call = pin!(transaction.batch_execute("SELECT pg_sleep(3600)"));
        assert!(call.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(transaction);
    drop(connection);
    let connection = within(pool.acquire()).await.expect("stopped");
    assert!(!in_transaction(&connection).await);
    assert_eq!(pool.stats().opened, 1);
}
