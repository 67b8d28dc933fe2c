//! What befalls a server while users are at work; each test has one of its own. What happens on the way
//! to it is in `network`.

use pool_core::{Driver as _, ErrorClass, Pool, PoolConfig, Role, RoleQuery as _};
use pool_mysql::MysqlDriver;
use pool_testkit::servers::{Family, Server, ServerError, Setup, chosen};
use tokio::task::block_in_place;

use crate::load::{DEADLINE, expect_whole, load_on, small_pool};
use crate::rig::{LIMIT, Schema, try_connect, within};

/// A server that may be harmed.
fn own_server(max_connections: u16) -> Server {
    let product = chosen(Family::MySql).expect("a product");
    Server::start_as(Setup { max_connections, ..Setup::new(product) }).expect("started")
}

/// Something that ends a server.
type End = fn(&Server) -> Result<(), ServerError>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_under_load_costs_no_acquire_its_deadline_and_leaves_the_pool_whole() {
    let server = own_server(50);
    let schema = Schema::on(server.access()).await;
    let pool = small_pool(schema.options());
    let mut load = load_on(&pool).await;
    for end in [Server::kill as End, Server::stop] {
        block_in_place(|| end(&server)).expect("ended");
        load.fails().await;
        block_in_place(|| server.restart()).expect("back on the same port");
        load.is_served().await;
    }
    load.end().await;
    expect_whole(&pool, &schema).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_costs_no_acquire_its_deadline_and_thawed_the_pool_is_whole() {
    let server = own_server(200);
    let schema = Schema::on(server.access()).await;
    let pool = small_pool(schema.options());
    let mut load = load_on(&pool).await;
    server.freeze().expect("frozen");
    load.fails().await;
    server.thaw().expect("thawed");
    load.is_served().await;
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
