//! Calls that are cut short, answers that are not read, sessions that are killed.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use pool_core::{CloseReason, PoolConfig};
use pool_mysql::{MysqlError, mysql_async};
use pool_testkit::Hand;

use crate::rig::{Schema, kill, pool_of_one, within};

#[tokio::test]
async fn after_a_call_that_was_cut_short_the_next_one_never_gets_its_answer() {
    let schema = Schema::new().await;
    for polls in 1..8 {
        let mut connection = schema.connect().await;
        {
            let mut call = Hand::new(connection.query::<u32>("SELECT 7"));
            for _ in 0..polls {
                if call.poll().is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        match within(connection.query::<u32>("SELECT 8")).await {
            Ok(rows) => assert_eq!(rows, [8], "the call before had ended"),
            Err(error) => assert!(matches!(error, MysqlError::CutShort), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_cancelled_query_costs_its_connection_and_no_other() {
    let schema = Schema::new().await;
    let pool = pool_of_one(schema.options());
    let mut guard = pool.acquire().await.expect("opened");
    let first = guard.server_id();
    let sleep = guard.query::<u32>("SELECT SLEEP(3600)");
    tokio::time::timeout(Duration::from_millis(20), sleep).await.expect_err("takes an hour");
    let error = guard.query::<u32>("SELECT 1").await.expect_err("cut short");
    assert!(matches!(error, MysqlError::CutShort), "{error}");
    drop(guard);
    let mut guard = within(pool.acquire()).await.expect("another");
    assert_ne!(guard.server_id(), first);
    assert_eq!(guard.query::<u32>("SELECT 1").await.expect("answered"), [1]);
    assert_eq!(pool.stats().closed.of(CloseReason::Broken), 1);
}

#[tokio::test]
async fn an_answer_that_was_not_read_costs_its_connection() {
    let schema = Schema::new().await;
    let pool = pool_of_one(schema.options());
    let mut guard = pool.acquire().await.expect("opened");
    let raw = guard.raw().await.expect("in step");
    let mut rows = raw.query_iter("SELECT 1 UNION SELECT 2").await.expect("answered");
    rows.next().await.expect("a row");
    drop(rows);
    let error = guard.query::<u32>("SELECT 3").await.expect_err("rows are left");
    assert!(matches!(error, MysqlError::CutShort), "{error}");
    drop(guard);
    let mut guard = within(pool.acquire()).await.expect("another");
    assert_eq!(guard.query::<u32>("SELECT 3").await.expect("answered"), [3]);
    assert_eq!(pool.stats().closed.of(CloseReason::Broken), 1);
}

#[tokio::test]
async fn a_call_of_the_library_that_was_cut_short_costs_its_connection() {
    let schema = Schema::new().await;
    let pool = pool_of_one(schema.options());
    let mut guard = pool.acquire().await.expect("opened");
    let raw = guard.raw().await.expect("in step");
    Hand::new(raw.query_drop("SELECT SLEEP(3600)")).pending();
    drop(guard);
    let mut guard = within(pool.acquire()).await.expect("another");
    assert_eq!(guard.query::<u32>("SELECT 3").await.expect("answered"), [3]);
    assert_eq!(pool.stats().closed.of(CloseReason::Broken), 1);
}

#[tokio::test]
async fn a_killed_session_is_an_error_once_and_then_another_connection() {
    let schema = Schema::new().await;
    let pool = pool_of_one(schema.options());
    let mut guard = pool.acquire().await.expect("opened");
    kill(guard.server_id()).await;
    let error = within(guard.query_drop("DO 1")).await.expect_err("killed");
    assert!(matches!(error, MysqlError::Mysql(_)), "{error}");
    drop(guard);
    let mut guard = within(pool.acquire()).await.expect("another");
    guard.query_drop("DO 1").await.expect("answered");
    assert_eq!(pool.stats().closed.of(CloseReason::Broken), 1);
}

#[tokio::test]
async fn a_query_whose_session_is_killed_ends_with_an_error() {
    let schema = Schema::new().await;
    let mut connection = schema.connect().await;
    let session = connection.server_id();
    let query = connection.query::<u32>("SELECT SLEEP(3600)");
    let (result, ()) = tokio::join!(within(query), async {
        within(async {
            while !is_asleep(&schema, session).await {
                tokio::task::yield_now().await;
            }
        })
        .await;
        kill(session).await;
    });
    result.expect_err("killed");
}

async fn is_asleep(schema: &Schema, session: u32) -> bool {
    let mut admin = crate::rig::admin().await;
    let sql = format!(
        "SELECT count(*) FROM information_schema.processlist \
         WHERE id = {session} AND info LIKE '%SLEEP%' AND db = '{}'",
        schema.name
    );
    let found: Option<u32> = admin.query_first(sql).await.expect("answered");
    admin.disconnect().await.expect("disconnected");
    found == Some(1)
}

#[tokio::test]
async fn an_idle_connection_that_the_server_closed_is_replaced_unseen() {
    let schema = Schema::new().await;
    let config =
        PoolConfig { max_open: 1, check_after_idle: Some(Duration::ZERO), ..PoolConfig::default() };
    let driver = pool_mysql::MysqlDriver::new(schema.options());
    let pool = pool_core::Pool::new(driver, config).expect("valid");
    let mut guard = pool.acquire().await.expect("opened");
    // As after `wait_timeout`, but now.
    let session = guard.server_id();
    guard.query_drop("DO 1").await.expect("answered");
    drop(guard);
    kill(session).await;
    let mut guard = within(pool.acquire()).await.expect("replaced");
    assert_eq!(guard.query::<u32>("SELECT 1").await.expect("answered"), [1]);
    assert_eq!(pool.stats().closed.of(CloseReason::CheckFailed), 1);
}
