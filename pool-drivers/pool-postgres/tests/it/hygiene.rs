//! What one user leaves to the next, by policy.

use futures_util::FutureExt as _;
use pool_core::{CloseReason, Pool, PoolConfig};
use pool_postgres::{Hygiene, PostgresDriver, PostgresError, PostgresOptions};
use pool_testkit::Hand;

use crate::rig::{
    Database, LIMIT, admin, aside, code, connect, in_transaction, pid, pool_of_one, terminate,
    within,
};

fn pool_with(database: &Database, hygiene: Hygiene) -> Pool<PostgresDriver> {
    pool_of_one(PostgresOptions { hygiene, ..database.options() })
}

/// The last statement of a session, once it has ended.
async fn last_statement(pid: i32) -> String {
    let admin = admin().await;
    let sql = "SELECT query FROM pg_stat_activity WHERE pid = $1 AND state = 'idle'";
    within(async {
        loop {
            if let Some(row) = admin.query_opt(sql, &[&pid]).await.expect("answered") {
                return row.get(0);
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn what_went_through_our_methods_and_left_no_transaction_needs_no_reset() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::Rollback);
    let connection = pool.acquire().await.expect("opened");
    let session = pid(&connection).await;
    connection.batch_execute("BEGIN; SELECT 1; COMMIT").await.expect("ran");
    connection.query("SELECT 41", &[]).await.expect("ran");
    drop(connection);
    assert_eq!(last_statement(session).await, "SELECT 41");
    let connection = pool.acquire().await.expect("idle");
    assert_eq!(pid(&connection).await, session);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_what_went_through_our_methods_needs_no_reset() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::Rollback);
    let config = PoolConfig { max_open: 4, ..pool.config() };
    pool.control().reconfigure(config).expect("valid");
    let users = (0..32).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                let connection = pool.acquire().await.expect("a turn");
                connection.query_one("SELECT 1", &[]).await.expect("a row");
            }
        })
    });
    for user in users.collect::<Vec<_>>() {
        within(user).await.expect("served");
    }
    assert!(within(pool.close(LIMIT)).await.drained);
    // The server counts a session's transactions at its end at the latest.
    database.is_left().await;
    let counted = "SELECT xact_rollback FROM pg_stat_database WHERE datname = $1";
    let row = admin().await.query_one(counted, &[&database.name()]).await.expect("counted");
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn an_open_transaction_is_rolled_back_at_once_and_without_a_round_trip() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::Rollback);
    for begin in
        ["BEGIN; SELECT 1", "BEGIN; CREATE TABLE t (x int); SELECT 1/0", "START TRANSACTION"]
    {
        let connection = pool.acquire().await.expect("opened");
        let session = pid(&connection).await;
        let failed = connection.batch_execute(begin).await.is_err();
        assert_eq!(failed, begin.contains("1/0"));
        drop(connection);
        // Also while nobody uses the connection: it holds no locks.
        assert_eq!(last_statement(session).await, "ROLLBACK");
        let connection = pool.acquire().await.expect("idle");
        assert_eq!(pid(&connection).await, session);
        assert!(!in_transaction(&connection).await, "{begin}");
    }
    assert_eq!(pool.stats().opened, 1);
}

#[tokio::test]
async fn a_client_that_was_lent_out_is_not_trusted() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::Rollback);
    for (sql, reset) in [("SELECT 1", "BEGIN; ROLLBACK"), ("BEGIN; SELECT 1", "ROLLBACK")] {
        let connection = pool.acquire().await.expect("opened");
        let session = pid(&connection).await;
        connection.client().batch_execute(sql).await.expect("ran");
        drop(connection);
        assert_eq!(last_statement(session).await, reset);
        let connection = pool.acquire().await.expect("idle");
        assert!(!in_transaction(&connection).await);
    }
    // Used by nobody in between, it is trusted again.
    drop(pool.acquire().await.expect("idle"));
    assert_eq!(pool.stats().opened, 1);
}

#[tokio::test]
async fn a_prepared_statement_is_had_without_waiting_for_the_reset_before_it() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::Rollback);
    let connection = pool.acquire().await.expect("opened");
    let session = pid(&connection).await;
    connection.query_one("SELECT 42", &[]).await.expect("a row");
    connection.client().batch_execute("BEGIN").await.expect("ran");
    drop(connection);
    // On this single thread the rollback is queued but not yet written.
    let connection = pool.acquire().await.expect("idle");
    let statement = connection.prepare_cached("SELECT 42").now_or_never().expect("at once");
    let row = connection.client().query_one(&statement.expect("cached"), &[]).await;
    assert_eq!(row.expect("a row").get::<_, i32>(0), 42);
    drop(connection);
    // The client said nothing of a transaction since, and the rollback's reply has come by now.
    assert_eq!(last_statement(session).await, "BEGIN; ROLLBACK");
    let connection = pool.acquire().await.expect("idle");
    assert_eq!(pid(&connection).await, session);
}

#[tokio::test]
async fn a_client_whose_last_request_is_not_yet_sent_is_rolled_back_all_the_same() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::Rollback);
    let connection = pool.acquire().await.expect("opened");
    {
        let mut begin = std::pin::pin!(connection.client().batch_execute("BEGIN"));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(begin.as_mut().poll(&mut context).is_pending());
        // On this single thread the connection's task has not run since.
    }
    drop(connection);
    let connection = pool.acquire().await.expect("idle");
    assert!(!in_transaction(&connection).await);
    assert_eq!(pool.stats().opened, 1);
}

#[tokio::test]
async fn a_reset_that_fails_is_told_and_the_connection_is_not_used_again() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::Rollback);
    let connection = pool.acquire().await.expect("opened");
    let session = pid(&connection).await;
    connection.batch_execute("BEGIN").await.expect("begun");
    drop(connection);
    // On this single thread the rollback is queued but not yet written.
    aside(terminate(session));
    let connection = pool.acquire().await.expect("idle");
    let error = connection.query("SELECT 1", &[]).await.expect_err("the session is gone");
    assert!(matches!(error, PostgresError::Reset(_)), "{error:?}");
    assert!(error.to_string().starts_with("the reset after the last user failed"), "{error}");
    drop(connection);
    let connection = pool.acquire().await.expect("opened");
    assert_ne!(pid(&connection).await, session);
}

/// Runs statements in a database by a connection of its own.
async fn admin_of(database: &Database, sql: &str) {
    connect(database.options()).await.batch_execute(sql).await.expect("ran");
}

/// Everything that a session can be left with, by the museum's list.
const LEFT: &str = "SET search_path = pg_catalog; SET TIME ZONE 'Asia/Tokyo'; \
    SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY; \
    CREATE TEMP TABLE left_over (x int); LISTEN left_over; SELECT pg_advisory_lock(77); \
    PREPARE by_hand AS SELECT 1; DECLARE left_open CURSOR WITH HOLD FOR SELECT 1; SET ROLE pg_monitor";

/// How much of it is there, in the order above; prepared statements last.
const FOUND: &str = "SELECT concat_ws(' ', current_setting('search_path'), current_setting('TimeZone'), \
    current_setting('default_transaction_isolation'), current_setting('default_transaction_read_only'), \
    (SELECT count(*) FROM pg_class WHERE relname = 'left_over'), \
    (SELECT count(*) FROM pg_listening_channels()), \
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), \
    (SELECT count(*) FROM pg_cursors WHERE name = 'left_open'), current_user, \
    (SELECT count(*) FROM pg_prepared_statements WHERE name = 'by_hand'))";

async fn found(pool: &Pool<PostgresDriver>) -> String {
    let connection = pool.acquire().await.expect("a turn");
    // Not prepared: the path in which names are looked up is part of what is found.
    let row = within(connection.query_typed(FOUND, &[])).await.expect("answered").pop();
    row.expect("a row").get(0)
}

async fn leave_everything(pool: &Pool<PostgresDriver>) -> i32 {
    let connection = pool.acquire().await.expect("a turn");
    connection.query("SELECT 'cached'", &[]).await.expect("ran");
    let session = pid(&connection).await;
    connection.batch_execute(LEFT).await.expect("left");
    session
}

#[tokio::test]
async fn clean_leaves_nothing_but_prepared_statements() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::Clean);
    let fresh = found(&pool).await;
    let session = leave_everything(&pool).await;
    let but_prepared = fresh.strip_suffix('0').expect("none is prepared yet");
    assert_eq!(found(&pool).await, format!("{but_prepared}1"));
    let connection = pool.acquire().await.expect("idle");
    assert_eq!(pid(&connection).await, session);
    assert_eq!(connection.cached_statements(), 2, "the cache survives");
}

#[tokio::test]
async fn discard_all_leaves_nothing() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::DiscardAll);
    let fresh = found(&pool).await;
    let session = leave_everything(&pool).await;
    assert_eq!(found(&pool).await, fresh);
    let connection = pool.acquire().await.expect("idle");
    assert_eq!(connection.cached_statements(), 0);
    connection.query("SELECT 'cached'", &[]).await.expect("prepared again");
    assert_eq!(pid(&connection).await, session);
}

/// launchbadge/sqlx#1100, MagicStack/asyncpg d085d2c: settings, subscriptions and locks of one user
/// were there for the next.
#[tokio::test]
async fn m31_under_discard_all_nothing_is_left_however_the_user_goes() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::DiscardAll);
    let fresh = found(&pool).await;
    for leaving in ["normally", "cancelled", "panicking"] {
        let connection = pool.acquire_owned().await.expect("a turn");
        connection.batch_execute(LEFT).await.expect("left");
        match leaving {
            "normally" => drop(connection),
            "cancelled" => {
                let mut call =
                    Hand::new(
                        async move { connection.batch_execute("SELECT pg_sleep(3600)").await },
                    );
                call.pending();
            }
            _ => {
                let user = tokio::spawn(async move {
                    let _connection = connection;
                    panic!("a user's panic, as the test has it");
                });
                user.await.expect_err("panicked");
            }
        }
        assert_eq!(found(&pool).await, fresh, "{leaving}");
    }
    assert_eq!(pool.stats().acquires.failed(), 0);
}

#[tokio::test]
async fn clean_and_discard_all_also_end_a_transaction() {
    let database = Database::create().await;
    for hygiene in [Hygiene::Clean, Hygiene::DiscardAll] {
        let pool = pool_with(&database, hygiene);
        for sql in ["BEGIN; SET LOCAL work_mem = '1MB'", "BEGIN; SELECT 1/0", "BEGIN"] {
            for lend in [false, true] {
                let connection = pool.acquire().await.expect("a turn");
                let _ = if lend {
                    connection.client().batch_execute(sql).await.is_ok()
                } else {
                    connection.batch_execute(sql).await.is_ok()
                };
                drop(connection);
                let connection = pool.acquire().await.expect("a turn");
                assert!(!in_transaction(&connection).await, "{hygiene:?} {sql}");
            }
        }
        assert_eq!(pool.stats().opened, 1, "{hygiene:?}");
    }
}

#[tokio::test]
async fn clean_and_discard_all_go_behind_the_end_of_a_transaction_that_was_dropped() {
    for hygiene in [Hygiene::Clean, Hygiene::DiscardAll] {
        let database = Database::create().await;
        let pool = pool_with(&database, hygiene);
        let mut connection = pool.acquire().await.expect("opened");
        let session = pid(&connection).await;
        connection.batch_execute("SET TIME ZONE 'Asia/Tokyo'").await.expect("set");
        let transaction = connection.transaction().await.expect("begun");
        // On this single thread the rollback is queued, and not answered when the guard goes.
        drop(transaction);
        drop(connection);
        for _ in 0..2 {
            let connection = pool.acquire().await.expect("idle");
            let zone = connection.query_one("SELECT current_setting('TimeZone')", &[]).await;
            assert_ne!(zone.expect("a row").get::<_, &str>(0), "Asia/Tokyo", "{hygiene:?}");
            assert_eq!(pid(&connection).await, session);
        }
        // Given back unused, it is not reset again.
        drop(pool.acquire().await.expect("idle"));
        drop(pool.acquire().await.expect("idle"));
        assert_eq!(pool.stats().opened, 1);
    }
}

#[tokio::test]
async fn discard_all_closes_a_connection_that_knows_types_of_the_database() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::DiscardAll);
    for _ in 0..3 {
        let connection = pool.acquire().await.expect("a turn");
        let create = "CREATE TYPE mood AS ENUM ('good', 'bad')";
        let _ = connection.batch_execute(create).await;
        let rows = connection.query("SELECT 'good'::mood", &[]).await.expect("looked up");
        assert_eq!(rows[0].columns()[0].type_().name(), "mood");
    }
    let closed = pool.stats().closed;
    assert_eq!(closed.of(CloseReason::Broken), 3, "{closed:?}");
}

#[tokio::test]
async fn discard_all_closes_a_connection_that_met_such_types_without_preparing() {
    let database = Database::create().await;
    let options = PostgresOptions { hygiene: Hygiene::DiscardAll, ..database.options() };
    admin_of(&database, "CREATE TYPE mood AS ENUM ('good', 'bad')").await;
    for cache in [0, options.statement_cache] {
        let options = PostgresOptions { statement_cache: cache, ..options.clone() };
        let pool = pool_of_one(options);
        for _ in 0..2 {
            let connection = pool.acquire().await.expect("a turn");
            let rows = connection.query_typed("SELECT 'good'::mood", &[]).await;
            assert_eq!(rows.expect("looked up")[0].columns()[0].type_().name(), "mood");
        }
        assert_eq!(pool.stats().closed.of(CloseReason::Broken), 2);
        let connection = pool.acquire().await.expect("opened");
        connection.query("SELECT 1", &[]).await.expect("answered");
        drop(connection);
        drop(pool.acquire().await.expect("idle"));
        assert_eq!(pool.stats().closed.of(CloseReason::Broken), 2, "cache {cache}");
    }
}

#[tokio::test]
async fn a_connection_that_cannot_look_up_types_any_more_is_not_used_again() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::Rollback);
    admin_of(&database, "CREATE TYPE mood AS ENUM ('good'); CREATE TYPE size AS ENUM ('big')")
        .await;
    let connection = pool.acquire().await.expect("opened");
    connection.query_typed("SELECT 'good'::mood", &[]).await.expect("looked up");
    connection.batch_execute("DEALLOCATE ALL").await.expect("ran");
    let error = connection.query_typed("SELECT 'big'::size", &[]).await.expect_err("no such");
    assert_eq!(code(&error), Some("26000"));
    drop(connection);
    let connection = pool.acquire().await.expect("opened");
    connection.query_typed("SELECT 'big'::size", &[]).await.expect("looked up");
}

#[tokio::test]
async fn trust_rolls_back_only_after_a_panic() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::Trust);
    let connection = pool.acquire().await.expect("opened");
    let session = pid(&connection).await;
    connection.batch_execute("BEGIN").await.expect("begun");
    let unwinds = std::panic::AssertUnwindSafe(move || {
        let _connection = connection;
        panic!("a user's");
    });
    std::panic::catch_unwind(unwinds).expect_err("unwound");
    let connection = pool.acquire().await.expect("idle");
    assert_eq!(pid(&connection).await, session);
    assert!(!in_transaction(&connection).await);
}

#[tokio::test]
async fn trust_does_nothing() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::Trust);
    let connection = pool.acquire().await.expect("opened");
    connection.batch_execute("BEGIN").await.expect("begun");
    drop(connection);
    let connection = pool.acquire().await.expect("idle");
    assert!(in_transaction(&connection).await);
}

#[tokio::test]
async fn rollback_keeps_settings_and_says_so() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::Rollback);
    leave_everything(&pool).await;
    assert!(found(&pool).await.contains("Asia/Tokyo"));
}

#[tokio::test]
async fn notifications_of_one_user_are_not_for_the_next() {
    let database = Database::create().await;
    let pool = pool_with(&database, Hygiene::Rollback);
    let connection = pool.acquire().await.expect("opened");
    connection.batch_execute("LISTEN news; NOTIFY news, 'old'").await.expect("told");
    connection.query("SELECT 1", &[]).await.expect("answered");
    drop(connection);
    let mut connection = pool.acquire().await.expect("idle");
    connection.batch_execute("NOTIFY news, 'new'").await.expect("told");
    let heard = within(connection.notification()).await.expect("heard");
    assert_eq!((heard.channel(), heard.payload()), ("news", "new"));
}
