//! Files, shared memory, private memory, and reading only.

use std::time::Duration;

use pool_core::{Driver as _, Pool, PoolConfig, Role};
use pool_sqlite::rusqlite::ErrorCode;
use pool_sqlite::{Access, JournalMode, Source, SqliteDriver, SqliteOptions};

use crate::rig::{Directory, connect, number, pool_of_one, try_connect, unique_name, within};

async fn role(pool: &Pool<SqliteDriver>) -> Role {
    let mut probe = pool.control().probe().await.expect("opened");
    probe.role().await.expect("able").expect("answered")
}

#[tokio::test]
async fn a_missing_file_is_created_with_a_write_ahead_log() {
    let directory = Directory::new();
    let mut connection = connect(directory.options()).await;
    connection.execute_batch("CREATE TABLE notes (text TEXT)").await.expect("created");
    let mode = connection.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0)).await;
    assert_eq!(mode.expect("answered"), "wal");
    assert!(directory.path("test.db-wal").exists());
}

#[tokio::test]
async fn a_connection_is_set_up_as_the_options_say() {
    let directory = Directory::new();
    let options = SqliteOptions {
        journal_mode: JournalMode::Truncate,
        synchronous: pool_sqlite::Synchronous::Extra,
        foreign_keys: false,
        cache_size_kib: 512,
        ..directory.options()
    };
    let mut connection = connect(options).await;
    let mode = connection.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0)).await;
    assert_eq!(mode.expect("answered"), "truncate");
    assert_eq!(number(&mut connection, "PRAGMA synchronous").await, 3);
    assert_eq!(number(&mut connection, "PRAGMA foreign_keys").await, 0);
    assert_eq!(number(&mut connection, "PRAGMA cache_size").await, -512);

    let mut connection = connect(Directory::new().options()).await;
    assert_eq!(number(&mut connection, "PRAGMA synchronous").await, 1);
    assert_eq!(number(&mut connection, "PRAGMA foreign_keys").await, 1);
    assert_eq!(number(&mut connection, "PRAGMA cache_size").await, -8192);
}

#[tokio::test]
async fn connections_that_open_a_new_file_at_once_all_get_their_log() {
    for _ in 0..20 {
        let directory = Directory::new();
        let connects = (0..8).map(|_| tokio::spawn(try_connect(directory.options())));
        for connect in connects.collect::<Vec<_>>() {
            let opened = connect.await.expect("no panic");
            opened.expect("waits for the others rather than fail");
        }
    }
}

#[tokio::test]
async fn a_file_that_must_be_there_is_not_created() {
    let directory = Directory::new();
    for access in [Access::ReadWrite, Access::ReadOnly] {
        let options = SqliteOptions { access, ..directory.options() };
        let error = try_connect(options).await.expect_err("missing");
        assert_eq!(error.code(), Some(ErrorCode::CannotOpen), "{error}");
    }
    assert!(!directory.path("test.db").exists());
    drop(connect(directory.options()).await);
    connect(SqliteOptions { access: Access::ReadWrite, ..directory.options() }).await;
}

#[tokio::test]
async fn a_read_only_connection_reads_and_does_not_write() {
    let directory = Directory::new();
    let mut writer = connect(directory.options()).await;
    writer.execute_batch("CREATE TABLE notes (text TEXT)").await.expect("created");
    let options = SqliteOptions { access: Access::ReadOnly, ..directory.options() };
    let mut reader = connect(options.clone()).await;
    let error = reader.execute("INSERT INTO notes VALUES ('x')", []).await.expect_err("read only");
    assert_eq!(error.code(), Some(ErrorCode::ReadOnly));
    // With a write-ahead log neither waits for the other.
    writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO notes VALUES ('x')").await.expect("written");
    assert_eq!(number(&mut reader, "SELECT count(*) FROM notes").await, 0);
    writer.execute_batch("COMMIT").await.expect("committed");
    assert_eq!(number(&mut reader, "SELECT count(*) FROM notes").await, 1);
}

#[tokio::test]
async fn the_role_tells_whether_the_database_takes_writes() {
    let directory = Directory::new();
    assert_eq!(role(&pool_of_one(directory.options())).await, Role::ReadWrite);
    let read_only = |options| SqliteOptions { access: Access::ReadOnly, ..options };
    assert_eq!(role(&pool_of_one(read_only(directory.options()))).await, Role::ReadOnly);
    let memory = SqliteOptions::shared_memory(unique_name());
    assert_eq!(role(&pool_of_one(memory.clone())).await, Role::ReadWrite);
    assert_eq!(role(&pool_of_one(read_only(memory))).await, Role::ReadOnly);
}

#[tokio::test]
async fn a_name_that_means_something_to_sqlite_is_still_a_file() {
    let directory = Directory::new();
    for name in [":memory:", "file:x?mode=memory", "a b#c%41"] {
        let path = directory.path(name);
        connect(SqliteOptions::file(&path)).await;
        assert!(path.exists(), "{name}");
    }
    try_connect(SqliteOptions::file("")).await.expect_err("no file");
}

#[test]
fn a_relative_path_is_settled_when_the_driver_is_made() {
    let driver = SqliteDriver::new(SqliteOptions::file("orders.db"));
    let Source::File(path) = &driver.options().source else { panic!("a file") };
    assert!(path.is_absolute() && path.ends_with("orders.db"), "{}", path.display());
    assert_eq!(driver.metadata().namespace.as_deref(), path.to_str());
    assert_eq!(driver.metadata().system_name, "sqlite");
}

#[tokio::test]
async fn shared_memory_is_one_database_for_all_its_connections() {
    let options = SqliteOptions::shared_memory(unique_name());
    let driver = SqliteDriver::new(options.clone());
    let pool = Pool::new(driver, PoolConfig { max_open: 8, ..PoolConfig::default() });
    let pool = pool.expect("valid");
    let mut guard = pool.acquire().await.expect("opened");
    let sql = "CREATE TABLE counter (value INTEGER); INSERT INTO counter VALUES (0)";
    guard.execute_batch(sql).await.expect("created");
    drop(guard);
    // None of them finds the database locked: they wait for each other.
    let tasks = (0..8).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move {
            for _ in 0..25 {
                let mut guard = pool.acquire().await.expect("a turn");
                let sql = "UPDATE counter SET value = value + 1";
                assert_eq!(guard.execute(sql, []).await.expect("waited"), 1);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        within(task).await.expect("kept its assertions");
    }
    let mut other = connect(options).await;
    assert_eq!(number(&mut other, "SELECT value FROM counter").await, 200);
}

#[tokio::test]
async fn shared_memory_lives_as_long_as_its_driver() {
    let options = SqliteOptions::shared_memory(unique_name());
    let driver = SqliteDriver::new(options.clone());
    let config = PoolConfig { max_idle: 0, ..PoolConfig::default() };
    let pool = Pool::new(driver, config).expect("valid");
    let mut guard = pool.acquire().await.expect("opened");
    guard.execute_batch("CREATE TABLE notes (text TEXT)").await.expect("created");
    drop(guard);
    let mut guard = pool.acquire().await.expect("opened anew");
    assert_eq!(pool.stats().opened, 2, "between the two, no connection was open");
    assert_eq!(number(&mut guard, "SELECT count(*) FROM notes").await, 0);
    drop(guard);
    assert!(pool.close(Duration::from_secs(20)).await.drained);
    drop(pool);
    // The pool's task, in this runtime, has the driver too and lets go of it when it runs.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let mut connection = connect(options).await;
    let sql = "SELECT count(*) FROM sqlite_schema";
    assert_eq!(number(&mut connection, sql).await, 0, "gone with the driver");
}

#[tokio::test]
async fn shared_memory_under_another_name_is_another_database() {
    let mut one = connect(SqliteOptions::shared_memory("a name?&%41")).await;
    let _same = connect(SqliteOptions::shared_memory("a name?&%41")).await;
    one.execute_batch("CREATE TABLE notes (text TEXT)").await.expect("created");
    let mut other = connect(SqliteOptions::shared_memory("a name?&A")).await;
    assert_eq!(number(&mut other, "SELECT count(*) FROM sqlite_schema").await, 0);
}

#[tokio::test]
async fn closing_the_last_connection_moves_the_log_into_the_file() {
    let directory = Directory::new();
    let pool = pool_of_one(directory.options());
    let mut guard = pool.acquire().await.expect("opened");
    guard.execute_batch("CREATE TABLE notes (text TEXT)").await.expect("created");
    drop(guard);
    assert!(pool.close(Duration::from_secs(20)).await.drained);
    assert!(!directory.path("test.db-wal").exists(), "close waits for the thread");
    let tables = directory
        .plain()
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    assert_eq!(tables, Ok(1));
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_removed_under_its_connection_is_missed_by_nobody() {
    let directory = Directory::new();
    let driver = SqliteDriver::new(directory.options());
    let mut connection = connect(directory.options()).await;
    connection.execute_batch("CREATE TABLE notes (text TEXT)").await.expect("created");
    for name in ["test.db", "test.db-wal", "test.db-shm"] {
        std::fs::remove_file(directory.path(name)).expect("removed");
    }
    // As the documentation of the driver has it: neither a write nor the check tells.
    let changed = connection.execute("INSERT INTO notes VALUES ('lost')", []).await;
    assert_eq!(changed.expect("written to a file without a name"), 1);
    let mut connection = driver.check(connection).await.expect("alive");
    assert_eq!(number(&mut connection, "SELECT count(*) FROM notes").await, 1);
    let mut new = connect(directory.options()).await;
    assert_eq!(number(&mut new, "SELECT count(*) FROM sqlite_schema").await, 0);
}
