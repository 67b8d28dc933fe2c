//! What befalls connections on the way to the server: latency, a narrow line, resets, silence, a closed
//! door. Each test has a proxy of its own.

use std::time::{Duration, Instant};

use pool_core::{CloseReason, Driver as _, ErrorClass, Pool, PoolConfig};
use pool_mysql::{MysqlDriver, MysqlError, MysqlOptions};
use pool_testkit::servers::{Behaviour, Proxy};

use crate::load::{DEADLINE, expect_whole, load_on, small_pool};
use crate::rig::{LIMIT, Schema, pool_of_one, server, within};

/// The same options, to the server behind the proxy.
pub(crate) fn through(proxy: &Proxy, options: MysqlOptions) -> MysqlOptions {
    MysqlOptions { address: MysqlOptions::tcp("127.0.0.1", proxy.access().port).address, ..options }
}

#[tokio::test]
async fn over_a_slow_network_neither_acquire_nor_release_of_a_clean_connection_waits_for_it() {
    const DELAY: Duration = Duration::from_millis(400);
    let schema = Schema::new().await;
    let proxy = Proxy::before(server()).expect("open");
    let pool = pool_of_one(through(&proxy, schema.options()));
    let mut guard = pool.acquire().await.expect("opened");
    guard.exec_drop("DO ?", (1,)).await.expect("prepared");
    drop(guard);
    proxy.behave(Behaviour::Delay(DELAY)).expect("slow");
    for _ in 0..2 {
        let began = Instant::now();
        let mut guard = within(pool.acquire()).await.expect("idle");
        assert!(began.elapsed() < DELAY, "{:?}", began.elapsed());
        let began = Instant::now();
        guard.exec_drop("DO ?", (1,)).await.expect("answered");
        let round_trips = began.elapsed().as_secs_f64() / (2 * DELAY).as_secs_f64();
        assert!((1.0..2.0).contains(&round_trips), "{round_trips} round trips for one statement");
    }
    assert_eq!(pool.stats().opened, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_network_resets_under_load_the_pool_is_whole_again() {
    let schema = Schema::new().await;
    let proxy = Proxy::before(server()).expect("open");
    let pool = small_pool(through(&proxy, schema.options()));
    let mut load = load_on(&pool).await;
    for _ in 0..5 {
        load.is_served().await;
        proxy.reset();
    }
    load.is_served().await;
    load.end().await;
    expect_whole(&pool, &schema).await;
}

#[tokio::test]
async fn a_reset_in_use_is_an_error_once_and_at_rest_is_not_seen() {
    let schema = Schema::new().await;
    let proxy = Proxy::before(server()).expect("open");
    let options = through(&proxy, schema.options());
    let config =
        PoolConfig { max_open: 1, check_after_idle: Some(Duration::ZERO), ..PoolConfig::default() };
    let driver = MysqlDriver::new(options);
    let pool = Pool::new(driver.clone(), config).expect("valid");
    let mut guard = within(pool.acquire()).await.expect("opened");
    proxy.reset();
    let error = within(guard.query_drop("DO 1")).await.expect_err("reset");
    assert!(matches!(error, MysqlError::Mysql(_)), "{error:?}");
    assert_eq!(driver.classify(&error), ErrorClass::Transient);
    drop(guard);
    let mut guard = within(pool.acquire()).await.expect("another");
    guard.query_drop("DO 1").await.expect("answered");
    assert_eq!(pool.stats().closed.of(CloseReason::Broken), 1);
    drop(guard);
    proxy.reset();
    let mut guard = within(pool.acquire()).await.expect("a third");
    guard.query_drop("DO 1").await.expect("answered");
    assert_eq!(pool.stats().closed.of(CloseReason::CheckFailed), 1);
}

#[tokio::test]
async fn a_half_open_connection_is_found_out_by_its_check_and_replaced_within_the_deadline() {
    let schema = Schema::new().await;
    let proxy = Proxy::before(server()).expect("open");
    let config = PoolConfig {
        max_open: 1,
        acquire_timeout: LIMIT,
        check_timeout: DEADLINE / 4,
        check_after_idle: Some(Duration::ZERO),
        ..PoolConfig::default()
    };
    let driver = MysqlDriver::new(through(&proxy, schema.options()));
    let pool = Pool::new(driver, config).expect("valid");
    let mut guard = within(pool.acquire()).await.expect("opened");
    guard.query_drop("DO 1").await.expect("answered");
    let lost = guard.server_id();
    drop(guard);
    proxy.behave(Behaviour::HalfOpen).expect("half open");
    proxy.behave(Behaviour::Through).expect("open for others");
    let mut guard = within(pool.acquire()).await.expect("another");
    assert_ne!(guard.server_id(), lost);
    guard.query_drop("DO 1").await.expect("answered");
    assert_eq!(pool.stats().closed.of(CloseReason::CheckFailed), 1, "{:?}", pool.stats());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_costs_no_acquire_its_deadline_and_the_pool_is_whole_after_it() {
    let schema = Schema::new().await;
    let proxy = Proxy::before(server()).expect("open");
    let pool = small_pool(through(&proxy, schema.options()));
    let mut load = load_on(&pool).await;
    proxy.behave(Behaviour::BlackHole).expect("black");
    load.fails().await;
    proxy.behave(Behaviour::Through).expect("open");
    load.is_served().await;
    load.end().await;
    expect_whole(&pool, &schema).await;
}

#[tokio::test]
async fn where_connects_are_refused_who_is_in_stays_and_who_waits_gets_the_first_that_is_not() {
    let schema = Schema::new().await;
    let proxy = Proxy::before(server()).expect("open");
    let config = PoolConfig {
        max_open: 2,
        acquire_timeout: LIMIT,
        outage_grace: None,
        ..PoolConfig::default()
    };
    let driver = MysqlDriver::new(through(&proxy, schema.options()));
    let pool = Pool::new(driver, config).expect("valid");
    let mut inside = within(pool.acquire()).await.expect("opened");
    proxy.behave(Behaviour::Refuse).expect("closed");
    inside.query_drop("DO 1").await.expect("still in");
    let turned_away = pool.acquire_within(DEADLINE).await.expect_err("refused");
    let connects = turned_away.details().circumstances.connects.as_ref().expect("tried");
    assert_eq!(connects.class, ErrorClass::Transient, "{turned_away}");
    let open = async { proxy.behave(Behaviour::Through).expect("open") };
    let (other, ()) = tokio::join!(within(pool.acquire()), open);
    let mut other = other.expect("not refused any more");
    assert_ne!(other.server_id(), inside.server_id());
    assert_eq!(other.query::<u32>("SELECT 7").await.expect("answered"), [7]);
    inside.query_drop("DO 1").await.expect("still in");
    assert_eq!(pool.stats().closed.total(), 0, "{:?}", pool.stats());
}

#[tokio::test]
async fn an_answer_too_long_to_wait_for_is_not_read_to_its_end_for_the_next_user() {
    // An hour for the answer, and less than a second for a connect.
    const BYTES_A_SECOND: u32 = 4_000;
    let schema = Schema::new().await;
    let proxy = Proxy::before(server()).expect("open");
    let pool = pool_of_one(through(&proxy, schema.options()));
    let mut guard = within(pool.acquire()).await.expect("opened");
    let lost = guard.server_id();
    proxy.behave(Behaviour::Throttle { bytes: BYTES_A_SECOND }).expect("narrow");
    let answer = guard.query::<String>("SELECT REPEAT('x', 15000000)");
    tokio::time::timeout(DEADLINE, answer).await.expect_err("far from over");
    drop(guard);
    let mut guard = within(pool.acquire()).await.expect("another");
    assert_ne!(guard.server_id(), lost);
    assert_eq!(guard.query::<u32>("SELECT 7").await.expect("answered"), [7]);
    assert_eq!(pool.stats().opened, 2);
}
