//! What befalls a server while users are at work. What happens on the way to it is in `network`, what
//! to do with a standby in `standby`.

use std::error::Error as _;
use std::time::Duration;

use pool_core::{Driver as _, ErrorClass, PoolConfig};
use pool_postgres::tokio_postgres::types::{ToSql, Type};
use pool_postgres::{PostgresDriver, PostgresError};
use pool_testkit::servers::{Family, Server, Setup, chosen};

use crate::load::{
    USERS, befall, is_served_soon, is_whole, load_on, options, own_server, patient_pool, pool,
    until,
};
use crate::rig::{Database, code, pid, terminate, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_and_started_again_serves_the_same_pool_soon() {
    let server = own_server();
    let pool = pool(options(server.access()));
    let mut load = load_on(&pool).await;
    for _ in 0..2 {
        befall(|| server.kill());
        // Long enough for every user to meet a deadline, which each of them checks.
        load.is_turned_away(USERS).await;
        befall(|| server.restart());
        is_served_soon(&mut load).await;
    }
    load.end().await;
    is_whole(&pool).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_keeps_nobody_beyond_their_deadline_and_goes_on_with_a_whole_pool() {
    let server = own_server();
    let pool = pool(options(server.access()));
    let mut load = load_on(&pool).await;
    befall(|| server.freeze());
    load.is_turned_away(2 * USERS).await;
    befall(|| server.thaw());
    is_served_soon(&mut load).await;
    load.end().await;
    is_whole(&pool).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminated_session_costs_one_statement_at_most_and_no_acquire() {
    let database = Database::create().await;
    let pool = patient_pool(database.options());
    let mut load = load_on(&pool).await;
    for terminated in 1..=3 {
        let session = pid(&within(pool.acquire()).await.expect("a turn")).await;
        terminate(session).await;
        let closed = pool.clone();
        until(move || closed.stats().closed.total() >= terminated).await;
    }
    load.is_served().await;
    assert!(load.tally().failed <= 3, "{:?}", load.tally());
    assert_eq!(load.tally().turned_away, 0, "{:?}", load.tally());
    load.end().await;
    assert_eq!(pool.stats().closed.total(), 3, "{:?}", pool.stats());
    is_whole(&pool).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_is_overloaded_serves_who_is_in_and_is_filled_up_once_there_is_room() {
    let product = chosen(Family::Postgres).expect("a product");
    let setup = Setup { max_connections: 12, ..Setup::new(product) };
    let server = befall(|| Server::start_as(setup));
    let pool = patient_pool(options(server.access()));
    // The first failure is told at once.
    let config = PoolConfig { outage_grace: Some(Duration::from_millis(1)), ..pool.config() };
    pool.control().reconfigure(config).expect("valid");
    let first = pool.acquire().await.expect("there is room for one");
    let session = pid(&first).await;
    let crowd = befall(|| server.access().fill());
    assert!(!crowd.is_empty());
    let error = within(pool.acquire()).await.expect_err("no room");
    let cause = error.source().and_then(|cause| cause.downcast_ref::<PostgresError>());
    let cause = cause.expect("the server's word");
    assert_eq!(code(cause), Some("53300"), "{cause:?}");
    assert_eq!(pool.driver().classify(cause), ErrorClass::Overloaded);
    drop(first);
    let again = within(pool.acquire()).await.expect("this one is in");
    assert_eq!(pid(&again).await, session);
    drop(again);
    drop(crowd);
    is_whole(&pool).await;
}

#[tokio::test]
async fn a_statement_that_is_too_much_for_the_server_is_its_error_and_harms_no_connection() {
    let database = Database::create().await;
    let pool = crate::rig::pool_of_one(database.options());
    let connection = pool.acquire().await.expect("opened");
    let session = pid(&connection).await;
    // Deeper than the server's stack, and more columns than a row has.
    let deep = format!("SELECT 1{}", "+1".repeat(200_000));
    let wide = format!("SELECT {}", vec!["1"; 2_000].join(","));
    for (statement, expected) in [(deep, "54001"), (wide, "54011")] {
        let error = within(connection.query(&statement, &[])).await.expect_err("too much");
        assert_eq!(code(&error), Some(expected), "{error}");
        assert_eq!(pool.driver().classify(&error), ErrorClass::Transient);
    }
    // More parameters than the protocol can count: never sent.
    let many = vec![(&1_i32 as &(dyn ToSql + Sync), Type::INT4); 70_000];
    let error = within(connection.query_typed("SELECT $1", &many)).await.expect_err("too many");
    assert_eq!(code(&error), None, "{error}");
    // What is merely long is none of that.
    let long = "x".repeat(16 << 20);
    let row = within(connection.query_one("SELECT length($1)", &[&long])).await;
    assert_eq!(row.expect("answered").get::<_, i32>(0), 16 << 20);
    let statement = format!("SELECT length('{long}')");
    let row = within(connection.query_typed(&statement, &[])).await.expect("answered").pop();
    assert_eq!(row.expect("a row").get::<_, i32>(0), 16 << 20);
    drop(connection);
    let connection = within(pool.acquire()).await.expect("idle");
    assert_eq!(pid(&connection).await, session);
    assert_eq!(pool.stats().opened, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_shuts_down_says_so_and_is_found_again() {
    let server = own_server();
    let pool = patient_pool(options(server.access()));
    let connection = pool.acquire().await.expect("opened");
    let (ended, ()) = tokio::join!(connection.batch_execute("SELECT pg_sleep(3600)"), async {
        let access = server.access();
        let asleep = "SELECT count(*) FROM pg_stat_activity \
                      WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'";
        until(|| befall(|| access.run("postgres", asleep)) == "1").await;
        befall(|| server.stop());
    });
    let error = ended.expect_err("shut down");
    assert_eq!(code(&error), Some("57P01"), "{error:?}");
    assert_eq!(
        PostgresDriver::new(options(server.access())).classify(&error),
        ErrorClass::Transient
    );
    drop(connection);
    befall(|| server.restart());
    drop(within(pool.acquire()).await.expect("found again"));
    is_whole(&pool).await;
}
