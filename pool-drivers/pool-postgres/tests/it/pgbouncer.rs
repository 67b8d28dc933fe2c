//! What works through a pooler in transaction mode, where two statements may reach two sessions: with
//! the cache of statements off. Also run directly on a server, on which it works no less.

use std::error::Error as _;

use futures_util::future::join_all;
use pool_core::{Driver as _, ErrorClass, Pool, PoolConfig};
use pool_postgres::tokio_postgres::types::{ToSql, Type};
use pool_postgres::{Hygiene, PostgresConnection, PostgresDriver, PostgresOptions};
use pool_testkit::servers::Product;

use crate::failing::said;
use crate::rig::{Database, LIMIT, access, code, connect, in_transaction, pool_of_one, within};

fn options(database: &Database) -> PostgresOptions {
    PostgresOptions { statement_cache: 0, ..database.options() }
}

async fn add(connection: &PostgresConnection, number: i32) -> i32 {
    let number = [(&number as &(dyn ToSql + Sync), Type::INT4)];
    let row = within(connection.query_typed("SELECT $1 + 1", &number)).await;
    let row = row.expect("answered").pop();
    row.expect("a row").get(0)
}

#[tokio::test]
async fn more_users_than_sessions_each_get_their_own_answers() {
    let database = Database::create().await;
    // Twice the sessions that the pooler opens to a database.
    let config = PoolConfig { max_open: 10, acquire_timeout: LIMIT, ..PoolConfig::default() };
    let pool = Pool::new(PostgresDriver::new(options(&database)), config).expect("valid");
    let users = (0..20).map(async |user| {
        for turn in 0..20 {
            let connection = within(pool.acquire()).await.expect("a turn");
            assert_eq!(add(&connection, user * 100 + turn).await, user * 100 + turn + 1);
            let rows = within(connection.query("SELECT generate_series(1, 3)", &[])).await;
            assert_eq!(rows.expect("answered").len(), 3);
        }
    });
    join_all(users).await;
}

#[tokio::test]
async fn a_transaction_is_all_or_nothing() {
    let database = Database::create().await;
    let mut connection = connect(options(&database)).await;
    connection.batch_execute("CREATE TABLE notes (number INT)").await.expect("created");
    for (is_committed, expected) in [(false, 0), (true, 2)] {
        let transaction = connection.transaction().await.expect("begun");
        transaction.execute("INSERT INTO notes VALUES (1)", &[]).await.expect("written");
        transaction.execute("INSERT INTO notes VALUES (2)", &[]).await.expect("written");
        if is_committed {
            transaction.commit().await.expect("committed");
        } else {
            drop(transaction);
        }
        let rows = within(connection.query("SELECT number FROM notes", &[])).await;
        assert_eq!(rows.expect("answered").len(), expected);
    }
}

#[tokio::test]
async fn what_a_user_left_open_is_rolled_back_by_every_policy() {
    let database = Database::create().await;
    for hygiene in [Hygiene::Rollback, Hygiene::Clean, Hygiene::DiscardAll] {
        let pool = pool_of_one(PostgresOptions { hygiene, ..options(&database) });
        let connection = within(pool.acquire()).await.expect("opened");
        connection.batch_execute("BEGIN; CREATE TABLE left_open (x INT)").await.expect("begun");
        drop(connection);
        let connection = within(pool.acquire()).await.expect("a turn");
        assert!(!in_transaction(&connection).await, "{hygiene:?}");
        let sql = "SELECT FROM pg_class WHERE relname = 'left_open'";
        let rows = within(connection.query(sql, &[])).await.expect("answered");
        assert!(rows.is_empty(), "{hygiene:?}");
        assert_eq!(pool.stats().opened, 1, "{hygiene:?}");
    }
}

#[tokio::test]
async fn what_is_refused_is_told_in_the_servers_or_the_poolers_words() {
    let database = Database::create().await;
    let unknown = PostgresOptions { database: Some("no_such".to_owned()), ..options(&database) };
    let wrong = PostgresOptions { password: Some("wrong".into()), ..options(&database) };
    // The pooler's word for most of what goes wrong at a login.
    let anything = ("08P01", ErrorClass::Transient);
    let denied = match access().product {
        Product::PgBouncer => anything,
        _ => ("28P01", ErrorClass::Permanent),
    };
    let not_there = match access().product {
        Product::PgBouncer => anything,
        _ => ("3D000", ErrorClass::Permanent),
    };
    for (options, words, expected) in [
        (unknown, "database \"no_such\" does not exist", not_there),
        (wrong.clone(), "authentication failed", denied),
    ] {
        let pool = pool_of_one(options);
        let error = within(pool.acquire()).await.expect_err("refused");
        let cause = error.source().and_then(|cause| cause.downcast_ref()).expect("the driver's");
        assert!(said(cause).contains(words), "{}", said(cause));
        assert_eq!((code(cause).unwrap_or_default(), pool.driver().classify(cause)), expected);
    }

    // Without a pool to wait in.
    let driver = PostgresDriver::new(wrong);
    let error = within(Pool::open(driver, PoolConfig::default())).await.expect_err("refused");
    let cause = error.source().and_then(|cause| cause.downcast_ref()).expect("the driver's");
    assert!(said(cause).contains("authentication failed"), "{}", said(cause));
}
