//! What happens to statements for which nobody waits any more.

use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use pool_core::{CloseReason, Guard, Pool, PoolConfig};
use pool_postgres::tokio_postgres::CopyInSink;
use pool_postgres::{Host, PostgresConnection, PostgresDriver, PostgresOptions};

use crate::relay::{CANCEL, Relay};
use crate::rig::{Database, admin, in_transaction, pid, pool_of_one, within};

const HOUR: &str = "SELECT pg_sleep(3600)";

/// Whether the server works on an hour's sleep in a session.
async fn sleeps(session: i32) -> bool {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND query LIKE '%3600%' \
               AND state = 'active'";
    admin().await.query_one(sql, &[&session]).await.expect("counted").get::<_, i64>(0) > 0
}

/// Polls a call once and then waits, without it, until the server works on it.
async fn begin<T>(call: Pin<&mut impl Future<Output = T>>, session: i32) {
    assert!(call.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    within(async {
        while !sleeps(session).await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn expect_stopped(session: i32) {
    within(async {
        while sleeps(session).await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// The same session serves the next user, clean.
async fn expect_reused(pool: &Pool<PostgresDriver>, session: i32) {
    let connection = within(pool.acquire()).await.expect("a turn");
    assert_eq!(pid(&connection).await, session, "{:?}", pool.stats().closed);
    assert!(!in_transaction(&connection).await);
}

#[tokio::test]
async fn a_statement_cut_short_is_stopped_before_the_next_user() {
    let database = Database::create().await;
    let pool = pool_of_one(database.options());
    for sql in [HOUR, "BEGIN; CREATE TABLE half (x int); SELECT pg_sleep(3600)"] {
        let connection = pool.acquire().await.expect("a turn");
        let session = pid(&connection).await;
        begin(pin!(connection.batch_execute(sql)), session).await;
        drop(connection);
        expect_reused(&pool, session).await;
        expect_stopped(session).await;
    }
    assert_eq!(pool.stats().opened, 1);
}

#[tokio::test]
async fn a_statement_never_yet_sent_is_stopped_too() {
    let database = Database::create().await;
    let pool = pool_of_one(database.options());
    let connection = pool.acquire().await.expect("opened");
    let session = pid(&connection).await;
    {
        let call = pin!(connection.batch_execute(HOUR));
        assert!(call.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(connection);
    expect_reused(&pool, session).await;
    expect_stopped(session).await;
}

/// PgBouncer drops the cancel of a client that does not.
#[tokio::test]
async fn a_cancel_waits_until_it_is_passed_on() {
    let database = Database::create().await;
    let relay = Relay::start();
    let hosts = vec![Host::tcp("127.0.0.1", relay.port)];
    let pool = pool_of_one(PostgresOptions { hosts, ..database.options() });
    let connection = pool.acquire().await.expect("opened");
    let session = pid(&connection).await;
    begin(pin!(connection.batch_execute(HOUR)), session).await;
    drop(connection);
    expect_reused(&pool, session).await;
    assert!(relay.beginnings().contains(&CANCEL), "it went this way");
}

#[tokio::test]
async fn a_cancel_never_reaches_the_next_user() {
    let database = Database::create().await;
    let pool = pool_of_one(database.options());
    for round in 0..100_u32 {
        let connection = pool.acquire().await.expect("a turn");
        {
            // Ends at about the time at which it is cancelled, before or after.
            let sql = format!("SELECT pg_sleep({})", f64::from(round) * 2e-5);
            let call = pin!(connection.batch_execute(&sql));
            assert!(call.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        drop(connection);
        let connection = within(pool.acquire()).await.expect("a turn");
        for _ in 0..3 {
            within(connection.query("SELECT pg_sleep(0.0002)", &[])).await.expect("not cancelled");
        }
    }
    assert_eq!(pool.stats().opened, 1);
}

#[tokio::test]
async fn rows_that_nobody_reads_do_not_hold_up_the_next_user() {
    let database = Database::create().await;
    let pool = pool_of_one(database.options());
    let connection = pool.acquire().await.expect("opened");
    let session = pid(&connection).await;
    let mut rows =
        connection.query_stream("SELECT generate_series(1, 2000000000)", &[]).await.expect("begun");
    for expected in 1..=3 {
        let row = rows.next().await.expect("a row").expect("right");
        assert_eq!(row.get::<_, i32>(0), expected);
    }
    drop(rows);
    drop(connection);
    expect_reused(&pool, session).await;
}

#[tokio::test]
async fn rows_of_a_lent_client_do_not_hold_up_the_next_user_either() {
    let database = Database::create().await;
    let pool = pool_of_one(database.options());
    let connection = pool.acquire().await.expect("opened");
    let session = pid(&connection).await;
    let none: [i32; 0] = [];
    let rows = connection.client().query_raw("SELECT generate_series(1, 2000000000)", none).await;
    let mut rows = Box::pin(rows.expect("begun"));
    rows.next().await.expect("a row").expect("right");
    drop(rows);
    drop(connection);
    expect_reused(&pool, session).await;
}

async fn copy_in(connection: &PostgresConnection) -> Pin<Box<CopyInSink<&'static [u8]>>> {
    connection.client().batch_execute("CREATE TEMP TABLE t (x int)").await.expect("created");
    let mut sink = Box::pin(connection.client().copy_in("COPY t FROM STDIN").await.expect("begun"));
    sink.send(&b"1\n"[..]).await.expect("taken in");
    sink
}

/// Whether the server answers its end once or twice depends on how far it had come, and the client
/// below counts on once.
#[tokio::test]
async fn a_copy_that_fails_costs_its_connection_and_no_more() {
    let database = Database::create().await;
    let pool = pool_of_one(database.options());
    for round in 1..=2 {
        let connection = pool.acquire().await.expect("a turn");
        drop(copy_in(&connection).await);
        drop(connection);
        let connection = within(pool.acquire()).await.expect("another");
        connection.query("SELECT 1", &[]).await.expect("answered");
        assert_eq!(pool.stats().closed.of(CloseReason::Broken), round);
    }
}

#[tokio::test]
async fn a_copy_that_is_finished_leaves_nothing_to_settle() {
    let database = Database::create().await;
    let pool = pool_of_one(database.options());
    let connection = pool.acquire().await.expect("opened");
    let session = pid(&connection).await;
    let mut sink = copy_in(&connection).await;
    assert_eq!(sink.as_mut().finish().await.expect("copied"), 1);
    drop(connection);
    expect_reused(&pool, session).await;
    // The account of what is owed is even again: this one comes back without a reset.
    let connection = pool.acquire().await.expect("idle");
    connection.query("SELECT 1", &[]).await.expect("answered");
    drop(connection);
    assert_eq!((pool.stats().idle, pool.stats().opened), (1, 1));
}

#[tokio::test]
async fn a_copy_that_outlives_its_connections_user_costs_the_connection_and_no_more() {
    let database = Database::create().await;
    let config = PoolConfig {
        max_open: 1,
        check_timeout: Duration::from_millis(100),
        ..PoolConfig::default()
    };
    let pool = Pool::new(PostgresDriver::new(database.options()), config).expect("valid");
    let connection = pool.acquire().await.expect("opened");
    let session = pid(&connection).await;
    let sink = copy_in(&connection).await;
    drop(connection);
    let connection = within(pool.acquire()).await.expect("another");
    assert_ne!(pid(&connection).await, session);
    assert_eq!(pool.stats().closed.of(CloseReason::Broken), 1, "{:?}", pool.stats().closed);
    drop(sink);
}

#[tokio::test]
async fn a_connection_that_is_dropped_stops_what_it_runs() {
    let database = Database::create().await;
    let pool = pool_of_one(database.options());
    let connection = Guard::detach(pool.acquire().await.expect("opened"));
    let session = pid(&connection).await;
    begin(pin!(connection.batch_execute(HOUR)), session).await;
    thread::spawn(move || drop(connection)).join().expect("no runtime is needed");
    expect_stopped(session).await;
}

#[tokio::test]
async fn a_connection_dropped_with_a_statement_not_yet_sent_stops_it_too() {
    let database = Database::create().await;
    let connection = crate::rig::connect(database.options()).await;
    {
        let call = pin!(connection.batch_execute(HOUR));
        assert!(call.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(connection);
    database.is_left().await;
}

#[tokio::test]
async fn close_stops_what_runs() {
    let database = Database::create().await;
    let pool = pool_of_one(database.options());
    let connection = pool.acquire().await.expect("opened");
    let session = pid(&connection).await;
    begin(pin!(connection.batch_execute(HOUR)), session).await;
    drop(connection);
    assert!(pool.close(crate::rig::LIMIT).await.drained);
    expect_stopped(session).await;
}
