//! What befalls connections on the way to the server: latency, resets, silence.

use std::time::{Duration, Instant};

use pool_core::{CloseReason, PoolConfig};
use pool_postgres::PostgresOptions;
use pool_testkit::servers::{Behaviour, Proxy};
use tokio::task::block_in_place;

use crate::load::{USERS, befall, is_served_soon, is_whole, load_on, patient_pool, pool};
use crate::rig::{Database, access, in_transaction, options_of, pid, pool_of_one, within};

/// The database behind a proxy of a test's own.
pub(crate) fn before(database: &Database) -> (Proxy, PostgresOptions) {
    let proxy = befall(|| Proxy::before(access()));
    let options = options_of(&proxy.access(), database.name());
    (proxy, options)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn far_from_the_server_neither_an_acquire_nor_a_rollback_costs_a_round_trip() {
    const THERE: Duration = Duration::from_millis(300);
    let database = Database::create().await;
    let (proxy, options) = before(&database);
    let pool = pool_of_one(options);
    let connection = pool.acquire().await.expect("opened");
    connection.query("SELECT 1", &[]).await.expect("prepared");
    befall(|| proxy.behave(Behaviour::Delay(THERE)));
    connection.batch_execute("BEGIN").await.expect("begun");
    drop(connection);
    let begun = Instant::now();
    let connection = within(pool.acquire()).await.expect("idle");
    let acquired = begun.elapsed();
    connection.query("SELECT 1", &[]).await.expect("answered");
    let answered = begun.elapsed();
    assert!(acquired < THERE, "{acquired:?}");
    assert!(answered >= 2 * THERE, "the network is slow: {answered:?}");
    assert!(answered < 4 * THERE, "two round trips: {answered:?}");
    assert!(!in_transaction(&connection).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_costs_a_statement_for_each_connection_at_most_and_no_acquire() {
    let database = Database::create().await;
    let (proxy, options) = before(&database);
    let pool = patient_pool(options);
    let mut load = load_on(&pool).await;
    for resets in 1..=3 {
        block_in_place(|| proxy.reset());
        load.is_served().await;
        assert!(load.tally().failed <= resets * 4, "{:?}", load.tally());
    }
    assert_eq!(load.tally().turned_away, 0, "{:?}", load.tally());
    load.end().await;
    is_whole(&pool).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_keeps_nobody_beyond_their_deadline_and_the_pool_is_whole_after_it() {
    let database = Database::create().await;
    let (proxy, options) = before(&database);
    let pool = pool(options);
    let mut load = load_on(&pool).await;
    befall(|| proxy.behave(Behaviour::BlackHole));
    load.is_turned_away(2 * USERS).await;
    befall(|| proxy.behave(Behaviour::Through));
    is_served_soon(&mut load).await;
    load.end().await;
    is_whole(&pool).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_whose_server_went_without_a_word_is_replaced_within_the_acquire() {
    let database = Database::create().await;
    let (proxy, options) = before(&database);
    let pool = patient_pool(options);
    let config =
        PoolConfig { max_open: 1, check_after_idle: Some(Duration::ZERO), ..pool.config() };
    pool.control().reconfigure(config).expect("valid");
    let session = pid(&pool.acquire().await.expect("opened")).await;
    befall(|| proxy.behave(Behaviour::HalfOpen));
    befall(|| proxy.behave(Behaviour::Through));
    let connection = within(pool.acquire()).await.expect("replaced");
    assert_ne!(pid(&connection).await, session);
    assert_eq!(pool.stats().closed.of(CloseReason::CheckFailed), 1);
    drop(connection);
    is_whole(&pool).await;
}
