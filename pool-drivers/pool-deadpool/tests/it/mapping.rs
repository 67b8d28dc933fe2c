//! What of a manager is called when, and what its words become.

use std::error::Error as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pool_core::{
    AcquireErrorKind, CloseReason, Driver as _, ErrorClass, Pool, PoolConfig, PoolOptions,
};
use pool_deadpool::{DeadpoolDriver, DeadpoolError};
use pool_testkit::{Hand, Shown};

use crate::ledger::{Connects, Ledger, LedgerError, LedgerManager};
use crate::rig::within;

fn pool_of_one(server: &Arc<Mutex<Ledger>>) -> Pool<DeadpoolDriver<LedgerManager>> {
    let config = PoolConfig { max_open: 1, check_after_idle: None, ..PoolConfig::default() };
    Pool::new(LedgerManager::new(server, Connects::Well).driver(), config).expect("valid")
}

#[tokio::test]
async fn an_object_is_recycled_after_each_release_with_its_metrics() {
    let server = Arc::default();
    let pool = pool_of_one(&server);
    for turn in 0..3 {
        let guard = within(pool.acquire()).await.expect("a turn");
        assert_eq!(guard.metrics().recycle_count, turn);
        assert_eq!(guard.metrics().recycled.is_some(), turn > 0);
    }
    // Without a next user.
    while server.lock().expect("not poisoned").recycled.len() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.lock().expect("not poisoned").recycled, [0, 1, 2]);
}

#[tokio::test]
async fn an_object_that_was_idle_for_long_is_recycled_before_it_is_used() {
    let server = Arc::<Mutex<Ledger>>::default();
    let config =
        PoolConfig { max_open: 1, check_after_idle: Some(Duration::ZERO), ..PoolConfig::default() };
    let driver = LedgerManager::new(&server, Connects::Well).driver();
    let pool = Pool::new(driver, config).expect("valid");
    drop(pool.acquire().await.expect("opened"));
    while pool.stats().idle == 0 {
        tokio::task::yield_now().await;
    }
    let guard = within(pool.acquire()).await.expect("checked");
    assert_eq!(guard.metrics().recycle_count, 2, "after its release, and before its use");
}

#[tokio::test]
async fn an_object_that_is_not_recycled_is_detached_and_replaced() {
    let server = Arc::default();
    let pool = pool_of_one(&server);
    let mut guard = pool.acquire().await.expect("opened");
    guard.spoilt = true;
    drop(guard);
    let guard = within(pool.acquire()).await.expect("another");
    assert_eq!((**guard).id, 2);
    assert_eq!(server.lock().expect("not poisoned").detached, [1]);
    assert_eq!(pool.stats().closed.of(CloseReason::Broken), 1);
}

#[tokio::test]
async fn a_call_that_is_cut_short_costs_the_object_and_one_that_ends_does_not() {
    let server = Arc::default();
    let pool = pool_of_one(&server);
    let mut guard = pool.acquire().await.expect("opened");
    assert_eq!(guard.call(async |session| session.id).await, 1);
    drop(guard);
    let mut guard = within(pool.acquire()).await.expect("the same");
    assert_eq!((**guard).id, 1);
    Hand::new(Box::pin(guard.call(async |_| std::future::pending::<()>().await))).pending();
    // A later call makes up for nothing.
    guard.call(async |_| ()).await;
    drop(guard);
    let mut guard = within(pool.acquire()).await.expect("another");
    assert_eq!((**guard).id, 2);
    guard.discard();
    drop(guard);
    let guard = within(pool.acquire()).await.expect("another");
    assert_eq!((**guard).id, 3);
}

#[tokio::test]
async fn observers_hear_of_a_statement_what_its_user_tells_and_without_that_nothing() {
    let server = Arc::default();
    let shown = Shown::start();
    let driver = LedgerManager::new(&server, Connects::Well).driver();
    let options = PoolOptions { observers: vec![shown.observer()], ..PoolConfig::default().into() };
    let pool = Pool::new(driver, options).expect("valid");
    let mut guard = pool.acquire().await.expect("opened");
    guard.call(async |session| session.is_known()).await.expect("known");
    shown.expect(&["AcquireSucceeded"]);
    shown.expect_no("Statement");
    let running = guard.statements().start(Some("GET stock")).expect("somebody listens");
    shown.expect(&["StatementStarted", "GET stock"]);
    shown.expect_no("StatementFinished");
    let error = &LedgerError::Gone;
    running.finish(pool_core::StatementOutcome::Failed { error, code: None });
    shown.expect(&["StatementFinished", "Gone"]);
}

#[tokio::test]
async fn every_object_is_detached_once_however_it_goes() {
    let server = Arc::<Mutex<Ledger>>::default();
    let pool = pool_of_one(&server);
    let guard = pool.acquire().await.expect("opened");
    let object = pool_core::PoolGuard::detach(guard).into_object();
    assert_eq!(server.lock().expect("not poisoned").detached, [1]);
    drop(object);
    let guard = pool.acquire_owned().await.expect("opened");
    std::thread::spawn(move || drop(guard)).join().expect("no panic");
    let report = within(pool.close(Duration::from_secs(20))).await;
    assert!(report.drained, "{report}");
    let driver = LedgerManager::new(&server, Connects::Well).driver();
    let context = pool_core::ConnectContext::new(1, pool_core::Statements::unobserved());
    driver.abort(driver.connect(context).await.expect("opened"));
    assert_eq!(server.lock().expect("not poisoned").detached, [1, 2, 3]);
    assert!(server.lock().expect("not poisoned").open.is_empty());
}

#[tokio::test]
async fn a_managers_error_is_the_source_and_has_the_class_it_is_given() {
    let server = Arc::default();
    let pool = Pool::new(
        LedgerManager::new(&server, Connects::Denied).driver(),
        PoolConfig { outage_grace: None, ..PoolConfig::default() },
    );
    let error = within(pool.expect("valid").acquire()).await.expect_err("denied");
    assert_eq!(error.kind(), AcquireErrorKind::ConnectFailed);
    let cause = error.source().expect("the driver's");
    assert_eq!(cause.to_string(), "the manager cannot open a connection");
    assert_eq!(cause.source().expect("the manager's").to_string(), "denied");

    let driver = LedgerManager::new(&server, Connects::Well).driver();
    let class = |error| driver.classify(&error);
    assert_eq!(class(DeadpoolError::Recycle(LedgerError::Denied)), ErrorClass::Permanent);
    assert_eq!(class(DeadpoolError::Create(LedgerError::Refused)), ErrorClass::Transient);
    assert_eq!(class(DeadpoolError::Refused("spoilt".into())), ErrorClass::Transient);
    let plain = DeadpoolDriver::new(driver.manager().clone(), driver.metadata());
    let error = DeadpoolError::Create(LedgerError::Denied);
    assert_eq!(plain.classify(&error), ErrorClass::Transient, "a manager does not say");
    assert_eq!(driver.metadata().system_name, "ledger");
}
