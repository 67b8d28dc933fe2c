//! What one user leaves to the next, under each policy.

use mysql_async::prelude::Queryable as _;
use pool_core::{CloseReason, Pool};
use pool_mysql::{Hygiene, MysqlConnection, MysqlDriver, MysqlOptions, mysql_async};
use pool_testkit::Hand;

use crate::rig::{Schema, pool_of_one, within};

/// A statement that leaves something of its user, and a query that says whether it is there.
struct Mark {
    leave: &'static str,
    seen: &'static str,
}

const fn mark(leave: &'static str, seen: &'static str) -> Mark {
    Mark { leave, seen }
}

/// What only a reset by the server takes away.
const MARKS: [Mark; 8] = [
    mark("SET @mark = 7", "SELECT @mark IS NOT NULL"),
    mark("SET SESSION sql_mode = 'ANSI_QUOTES'", "SELECT @@sql_mode LIKE '%ANSI_QUOTES%'"),
    mark("SET SESSION sql_select_limit = 7", "SELECT @@sql_select_limit = 7"),
    mark("SET SESSION time_zone = '+07:00'", "SELECT @@time_zone = '+07:00'"),
    mark("SET NAMES latin1", "SELECT @@character_set_client = 'latin1'"),
    mark("SELECT GET_LOCK(DATABASE(), 0)", "SELECT IS_USED_LOCK(DATABASE()) = CONNECTION_ID()"),
    mark(
        "CREATE TEMPORARY TABLE mine (x INT)",
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'temporary'",
    ),
    mark("USE information_schema", "SELECT DATABASE() = 'information_schema'"),
];

/// What the default takes away, too.
const TRANSACTION: &str = "START TRANSACTION; INSERT INTO notes VALUES ('half')";
const NO_AUTOCOMMIT: &str = "SET autocommit = 0; INSERT INTO notes VALUES ('half')";

async fn is_seen(connection: &mut MysqlConnection, mark: &Mark) -> bool {
    if mark.leave.contains("TEMPORARY") {
        return connection.query_drop("SELECT x FROM mine").await.is_ok();
    }
    connection.query_first::<Option<bool>>(mark.seen).await.expect("answered").flatten()
        == Some(true)
}

#[derive(Clone, Copy, Debug)]
enum Leaving {
    Normally,
    Cancelled,
    Panicking,
}

/// Has a user run a statement and go.
async fn leave(pool: &Pool<MysqlDriver>, leaving: Leaving, sql: &'static str) {
    let mut guard = within(pool.acquire_owned()).await.expect("a turn");
    guard.query_drop(sql).await.expect("done");
    match leaving {
        Leaving::Normally => drop(guard),
        Leaving::Cancelled => Hand::new(guard.query_drop("SELECT SLEEP(3600)")).pending(),
        Leaving::Panicking => {
            let user = tokio::spawn(async move {
                let _guard = guard;
                panic!("a user's panic, as the test has it");
            });
            user.await.expect_err("panicked");
        }
    }
}

const LEAVING: [Leaving; 3] = [Leaving::Normally, Leaving::Cancelled, Leaving::Panicking];

fn with(schema: &Schema, hygiene: Hygiene) -> MysqlOptions {
    MysqlOptions { hygiene, ..schema.options() }
}

/// What a session starts with, by its own account.
async fn settings(connection: &mut MysqlConnection) -> Vec<(String, String)> {
    let sql = "SHOW SESSION VARIABLES WHERE Variable_name REGEXP \
               '^(character_set|collation|sql_|time_zone|autocommit|tx_|transaction_)'";
    connection.query(sql).await.expect("answered")
}

/// Nobody ever committed what the marks wrote.
async fn expect_nothing_written(connection: &mut MysqlConnection) {
    let sql = "SELECT count(*) FROM notes";
    assert_eq!(connection.query_first(sql).await.expect("answered"), Some(0));
    assert_eq!(connection.in_transaction(), Some(false));
}

#[tokio::test]
async fn under_clean_and_discard_all_nothing_is_left_however_the_user_goes() {
    let schema = Schema::new().await;
    for hygiene in [Hygiene::Clean, Hygiene::DiscardAll] {
        let pool = pool_of_one(with(&schema, hygiene));
        let mut guard = pool.acquire().await.expect("opened");
        let at_first = settings(&mut guard).await;
        drop(guard);
        for leaving in LEAVING {
            for mark in &MARKS {
                leave(&pool, leaving, mark.leave).await;
                let mut guard = within(pool.acquire()).await.expect("the next turn");
                let seen = is_seen(&mut guard, mark).await;
                assert!(!seen, "{hygiene:?}, {leaving:?}: {}", mark.leave);
                assert_eq!(settings(&mut guard).await, at_first, "{leaving:?}: {}", mark.leave);
            }
            for sql in [TRANSACTION, NO_AUTOCOMMIT] {
                leave(&pool, leaving, sql).await;
                let mut guard = within(pool.acquire()).await.expect("the next turn");
                expect_nothing_written(&mut guard).await;
                let sql = "SELECT @@autocommit";
                assert_eq!(guard.query_first(sql).await.expect("answered"), Some(1));
            }
        }
        // Those that were cancelled, and no others.
        let cancelled = (MARKS.len() + 2) as u64;
        assert_eq!(pool.stats().closed.of(CloseReason::Broken), cancelled, "{:?}", pool.stats());
        assert_eq!(pool.stats().opened, cancelled + 1);
    }
}

#[tokio::test]
async fn under_clean_a_session_that_began_without_a_database_has_none_again() {
    let schema = Schema::new().await;
    for hygiene in [Hygiene::Clean, Hygiene::DiscardAll] {
        let pool = pool_of_one(MysqlOptions { database: None, ..with(&schema, hygiene) });
        let mut guard = pool.acquire().await.expect("opened");
        let at_first = settings(&mut guard).await;
        let session = guard.server_id();
        drop(guard);
        let moves = format!("USE {}", schema.name);
        // A reset that changes the character set in its own way may follow one that does not.
        for sql in ["DO 'use'", &moves, "DO 'use'", "SET NAMES latin1", &moves] {
            let mut guard = within(pool.acquire()).await.expect("a turn");
            guard.query_drop(sql).await.expect("done");
            drop(guard);
            expect_as_at_first(&pool, &at_first).await;
        }
        let mut guard = within(pool.acquire()).await.expect("a turn");
        guard.raw().await.expect("in step").query_drop(&moves).await.expect("moved");
        drop(guard);
        expect_as_at_first(&pool, &at_first).await;
        let guard = within(pool.acquire()).await.expect("a turn");
        assert_eq!(guard.server_id(), session, "{hygiene:?}: the same connection");
    }
}

/// The next user has no database, and the settings of a session just opened.
async fn expect_as_at_first(pool: &Pool<MysqlDriver>, at_first: &[(String, String)]) {
    let mut guard = within(pool.acquire()).await.expect("the next turn");
    let current = guard.query_first::<Option<String>>("SELECT DATABASE()").await.expect("answered");
    assert_eq!(current, Some(None));
    assert_eq!(settings(&mut guard).await, at_first);
}

#[tokio::test]
async fn under_rollback_all_is_left_but_transactions_and_autocommit() {
    let schema = Schema::new().await;
    for leaving in [Leaving::Normally, Leaving::Panicking] {
        for mark in &MARKS {
            let pool = pool_of_one(with(&schema, Hygiene::Rollback));
            leave(&pool, leaving, mark.leave).await;
            let mut guard = within(pool.acquire()).await.expect("the next turn");
            assert!(is_seen(&mut guard, mark).await, "{leaving:?}: {}", mark.leave);
        }
        for sql in [TRANSACTION, NO_AUTOCOMMIT] {
            let pool = pool_of_one(with(&schema, Hygiene::Rollback));
            leave(&pool, leaving, sql).await;
            let mut guard = within(pool.acquire()).await.expect("the next turn");
            expect_nothing_written(&mut guard).await;
            assert_eq!(guard.query_first("SELECT @@autocommit").await.expect("answered"), Some(1));
            assert_eq!(pool.stats().opened, 1, "the same connection");
        }
    }
}

#[tokio::test]
async fn under_trust_even_a_transaction_stays_but_not_one_of_a_guard() {
    let schema = Schema::new().await;
    let pool = pool_of_one(with(&schema, Hygiene::Trust));
    leave(&pool, Leaving::Normally, TRANSACTION).await;
    let mut guard = within(pool.acquire()).await.expect("the next turn");
    let sql = "SELECT count(*) FROM notes";
    assert_eq!(guard.query_first(sql).await.expect("answered"), Some(1));
    assert_eq!(guard.in_transaction(), Some(true));
    guard.query_drop("ROLLBACK").await.expect("done");

    let mut transaction = guard.transaction().await.expect("begun");
    transaction.query_drop("INSERT INTO notes VALUES ('x')").await.expect("written");
    drop(transaction);
    drop(guard);
    // Waits for all who have used the table in a transaction that is open.
    let mut other = schema.connect().await;
    within(other.query_drop("TRUNCATE notes")).await.expect("rolled back without a next user");
    let mut guard = within(pool.acquire()).await.expect("the next turn");
    expect_nothing_written(&mut guard).await;
}

#[tokio::test]
async fn a_reset_asks_the_server_only_where_it_must() {
    let schema = Schema::new().await;
    let pool = pool_of_one(schema.options());
    let mut before = 0;
    for (sql, resets) in [
        ("SELECT 1", 0),
        ("INSERT INTO notes VALUES ('x')", 0),
        ("START TRANSACTION; COMMIT", 0),
        ("START TRANSACTION", 1),
        // After an error the server says nothing of the session.
        ("SELECT nothing", 1),
    ] {
        let mut guard = within(pool.acquire()).await.expect("a turn");
        let _ = guard.query_drop(sql).await;
        drop(guard);
        let after = rollbacks(&pool).await;
        assert_eq!(after - before, resets, "{sql}");
        before = after;
    }
    let mut guard = within(pool.acquire()).await.expect("a turn");
    guard.raw().await.expect("in step").query_drop("DO 1").await.expect("done");
    drop(guard);
    assert_eq!(rollbacks(&pool).await - before, 1, "raw access is not trusted");
    assert_eq!(pool.stats().opened, 1);
}

/// How often the session of the pool's one connection has said `ROLLBACK`, as the server counts.
async fn rollbacks(pool: &Pool<MysqlDriver>) -> u64 {
    let mut guard = within(pool.acquire()).await.expect("a turn");
    let sql = "SHOW SESSION STATUS LIKE 'Com_rollback'";
    let (_, count) = guard.query_first::<(String, u64)>(sql).await.expect("answered").expect("one");
    count
}

#[tokio::test]
async fn a_lock_left_by_a_user_is_released_without_waiting_for_the_next() {
    let schema = Schema::new().await;
    let pool = pool_of_one(schema.options());
    let mut guard = pool.acquire().await.expect("opened");
    let sql = "INSERT INTO notes VALUES ('x'); START TRANSACTION; UPDATE notes SET text = 'y'";
    guard.query_drop(sql).await.expect("locked");
    drop(guard);
    let mut other = schema.connect().await;
    within(other.query_drop("UPDATE notes SET text = 'z'")).await.expect("the lock is free");
}

#[tokio::test]
async fn a_preparation_by_the_library_does_not_hide_a_transaction() {
    let schema = Schema::new().await;
    let pool = pool_of_one(schema.options());
    let mut guard = pool.acquire().await.expect("opened");
    guard.query_drop(TRANSACTION).await.expect("written");
    let raw = guard.raw().await.expect("in step");
    raw.prep("SELECT 1").await.expect("prepared");
    drop(guard);
    let mut guard = within(pool.acquire()).await.expect("the next turn");
    expect_nothing_written(&mut guard).await;
}
