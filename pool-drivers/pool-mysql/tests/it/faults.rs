//! What befalls a server and the way to it. Each test has a server or a proxy of its own.

use std::time::{Duration, Instant};

use pool_core::{CloseReason, Driver as _, ErrorClass, Pool, PoolConfig, Role, RoleQuery as _};
use pool_mysql::{MysqlDriver, MysqlError, MysqlOptions};
use pool_testkit::servers::{Behaviour, Family, Proxy, Server, ServerError, Setup, chosen};
use tokio::task::block_in_place;

use crate::load::{DEADLINE, Load, expect_whole, small_pool};
use crate::rig::{LIMIT, Schema, pool_of_one, server, try_connect, within};

/// A server that may be harmed.
fn own_server(max_connections: u16) -> Server {
    let product = chosen(Family::MySql).expect("a product");
    Server::start_as(Setup { max_connections, ..Setup::new(product) }).expect("started")
}

/// The same options, to the server behind the proxy.
fn through(proxy: &Proxy, options: MysqlOptions) -> MysqlOptions {
    MysqlOptions { address: MysqlOptions::tcp("127.0.0.1", proxy.access().port).address, ..options }
}

/// Something that ends a server.
type End = fn(&Server) -> Result<(), ServerError>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_under_load_costs_no_acquire_its_deadline_and_leaves_the_pool_whole() {
    let server = own_server(50);
    let schema = Schema::on(server.access()).await;
    let pool = small_pool(schema.options());
    let mut load = Load::on(&pool);
    load.is_answered().await;
    for end in [Server::kill as End, Server::stop] {
        block_in_place(|| end(&server)).expect("ended");
        load.fails().await;
        block_in_place(|| server.restart()).expect("back on the same port");
        load.is_answered().await;
    }
    load.end().await;
    expect_whole(&pool, &schema).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_costs_no_acquire_its_deadline_and_thawed_the_pool_is_whole() {
    let server = own_server(200);
    let schema = Schema::on(server.access()).await;
    let pool = small_pool(schema.options());
    let mut load = Load::on(&pool);
    load.is_answered().await;
    server.freeze().expect("frozen");
    load.fails().await;
    server.thaw().expect("thawed");
    load.is_answered().await;
    load.end().await;
    expect_whole(&pool, &schema).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_is_overloaded_and_who_is_in_stays_and_who_waits_gets_the_first_room() {
    let server = own_server(10);
    let schema = Schema::on(server.access()).await;
    let config = PoolConfig { outage_grace: None, acquire_timeout: LIMIT, ..PoolConfig::default() };
    let driver = MysqlDriver::new(schema.options());
    let pool = Pool::new(driver.clone(), PoolConfig { max_open: 2, ..config }).expect("valid");
    let mut inside = within(pool.acquire()).await.expect("room");
    let crowd = block_in_place(|| server.access().fill()).expect("filled");

    let error = try_connect(schema.options()).await.expect_err("no room");
    assert_eq!((error.code(), driver.classify(&error)), (Some(1040), ErrorClass::Overloaded));
    inside.query_drop("DO 1").await.expect("still in");
    let turned_away = pool.acquire_within(DEADLINE).await.expect_err("no room");
    let connects = turned_away.details().circumstances.connects.as_ref().expect("tried");
    assert_eq!(connects.class, ErrorClass::Overloaded, "{turned_away}");

    let (waiting, ()) = tokio::join!(within(pool.acquire()), async { drop(crowd) });
    waiting.expect("room again").query_drop("DO 1").await.expect("answered");
    inside.query_drop("DO 1").await.expect("still in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_made_read_only_has_another_role_until_it_writes_again() {
    let server = own_server(20);
    let schema = Schema::on(server.access()).await;
    let driver = MysqlDriver::new(schema.options());
    let mut connection = try_connect(schema.options()).await.expect("opened");
    let write = "INSERT INTO notes VALUES ('x')";
    connection.query_drop(write).await.expect("written");
    block_in_place(|| server.access().forbid_writing()).expect("forbidden");
    let error = connection.query_drop(write).await.expect_err("forbidden");
    assert_eq!(
        (error.code(), driver.classify(&error)),
        (Some(1290), ErrorClass::RoleChanged),
        "{error}"
    );
    assert_eq!(driver.role(&mut connection).await.expect("answered"), Role::ReadOnly);
    block_in_place(|| server.access().allow_writing()).expect("allowed");
    connection.query_drop(write).await.expect("written");
    assert_eq!(driver.role(&mut connection).await.expect("answered"), Role::ReadWrite);
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
    let mut load = Load::on(&pool);
    for _ in 0..5 {
        load.is_answered().await;
        proxy.reset();
    }
    load.is_answered().await;
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
