//! One writer and many readers.

use std::time::Duration;

use pool_core::{AcquireErrorKind, OpenError, PoolConfig, PoolOptions};
use pool_sqlite::rusqlite::ErrorCode;
use pool_sqlite::{Access, ReadWritePools, SqliteOptions};

use crate::rig::{Directory, LIMIT, number, unique_name, within};

fn three() -> PoolConfig {
    PoolConfig { max_open: 3, ..PoolConfig::default() }
}

async fn open(options: SqliteOptions) -> ReadWritePools {
    within(ReadWritePools::open(options, three())).await.expect("opened")
}

#[tokio::test]
async fn a_new_file_can_be_read_from_the_start() {
    let directory = Directory::new();
    let pools = open(directory.options()).await;
    let mut reader = pools.read().await.expect("idle");
    assert_eq!(number(&mut reader, "SELECT count(*) FROM sqlite_schema").await, 0);
    assert!(directory.path("test.db").exists());
}

#[tokio::test]
async fn readers_see_what_the_writer_has_committed_and_wait_for_nobody() {
    let directory = Directory::new();
    let pools = open(directory.options()).await;
    let mut writer = pools.write().await.expect("idle");
    let sql = "CREATE TABLE notes (text TEXT); BEGIN IMMEDIATE; INSERT INTO notes VALUES ('x')";
    writer.execute_batch(sql).await.expect("written");
    let mut readers = Vec::new();
    for _ in 0..3 {
        let mut reader = pools.read().await.expect("one of three");
        assert_eq!(number(&mut reader, "SELECT count(*) FROM notes").await, 0);
        readers.push(reader);
    }
    writer.execute_batch("COMMIT").await.expect("committed");
    for reader in &mut readers {
        assert_eq!(number(reader, "SELECT count(*) FROM notes").await, 1);
    }
}

#[tokio::test]
async fn readers_cannot_write_to_a_file_or_to_memory() {
    let directory = Directory::new();
    for options in [directory.options(), SqliteOptions::shared_memory(unique_name())] {
        let pools = open(options).await;
        let mut writer = pools.write().await.expect("idle");
        writer.execute_batch("CREATE TABLE notes (text TEXT)").await.expect("created");
        drop(writer);
        let mut reader = pools.read().await.expect("idle");
        let error = reader.execute_batch("INSERT INTO notes VALUES ('x')").await;
        assert_eq!(error.expect_err("read only").code(), Some(ErrorCode::ReadOnly));
    }
}

#[tokio::test]
async fn writers_queue_in_the_pool_and_never_find_the_database_locked() {
    let directory = Directory::new();
    // Whoever found the database locked would fail at once.
    let options = SqliteOptions { busy_timeout: Duration::ZERO, ..directory.options() };
    let pools = open(options).await;
    let mut writer = pools.write().await.expect("idle");
    let sql = "CREATE TABLE counter (value INTEGER); INSERT INTO counter VALUES (0)";
    writer.execute_batch(sql).await.expect("created");
    drop(writer);
    let tasks = (0..16).map(|_| {
        let pools = pools.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                let mut writer = pools.write().await.expect("a turn");
                let sql = "BEGIN IMMEDIATE; UPDATE counter SET value = value + 1; COMMIT";
                writer.execute_batch(sql).await.expect("not locked");
                drop(writer);
                let mut reader = pools.read().await.expect("a turn");
                assert!(number(&mut reader, "SELECT value FROM counter").await > 0);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        within(task).await.expect("kept its assertions");
    }
    let mut reader = pools.read().await.expect("idle");
    assert_eq!(number(&mut reader, "SELECT value FROM counter").await, 160);
    assert_eq!(pools.writer().stats().opened, 1);
    assert!(pools.readers().stats().opened <= 3);
}

#[tokio::test]
async fn errors_name_the_pool_and_the_line_that_acquired() {
    let directory = Directory::new();
    let config = PoolConfig { acquire_timeout: Duration::from_millis(20), ..three() };
    let options = PoolOptions { name: Some("orders".into()), ..config.into() };
    let pools = ReadWritePools::open(directory.options(), options).await.expect("opened");
    let (held, line) = (pools.write().await.expect("idle"), line!());
    let error = pools.write().await.expect_err("held");
    let waited_at = line!() - 1;
    assert_eq!(error.kind(), AcquireErrorKind::Timeout);
    assert_eq!(error.details().site.line(), waited_at);
    let text = error.to_string();
    assert!(text.starts_with("pool orders-write: "), "{text}");
    assert!(text.contains(&format!("{}:{line} holds 1", file!())), "{text}");
    assert_eq!(pools.readers().control().name(), "orders-read");
    drop(held);
}

#[tokio::test]
async fn the_writer_has_one_connection_whatever_the_readers_have() {
    let directory = Directory::new();
    let config = PoolConfig { max_open: 5, min_idle: 2, ..PoolConfig::default() };
    let pools = ReadWritePools::open(directory.options(), config).await.expect("opened");
    assert_eq!((pools.readers().config().max_open, pools.writer().config().max_open), (5, 1));
    let connection = pools.writer().acquire().await.expect("idle");
    assert_eq!(connection.id(), 1);
}

#[tokio::test]
async fn private_memory_and_read_only_access_are_refused_with_a_reason() {
    let options = SqliteOptions { access: Access::ReadOnly, ..SqliteOptions::private_memory() };
    match ReadWritePools::open(options, three()).await {
        Err(OpenError::Config(error)) => assert_eq!(
            error.to_string(),
            "invalid configuration (2 problems)\n  source = \":memory:\": no reader could see what \
             the writer writes: each connection to sqlite::memory: is a database of its own; \
             allowed: a file; or a database in shared memory, sqlite:NAME?mode=memory\n  access = \
             \"read-only\": the writer could not write; allowed: create or read-write"
        ),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_told_at_once() {
    let directory = Directory::new();
    let options = SqliteOptions::file(directory.path("missing/test.db"));
    match within(ReadWritePools::open(options, three())).await {
        Err(OpenError::Connect { pool, source, .. }) => {
            assert_eq!(&*pool, "sqlite-write");
            assert!(source.to_string().contains("missing/test.db"), "{source}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn close_ends_both_and_leaves_one_file() {
    let directory = Directory::new();
    let pools = open(directory.options()).await;
    let mut writer = pools.write().await.expect("idle");
    writer.execute_batch("CREATE TABLE notes (text TEXT)").await.expect("created");
    drop(writer);
    let mut reader = pools.read().await.expect("idle");
    assert_eq!(number(&mut reader, "SELECT count(*) FROM notes").await, 0);
    drop(reader);
    let report = within(pools.close(LIMIT)).await;
    assert!(report.readers.drained && report.writer.drained, "{report:?}");
    assert!(pools.read().await.expect_err("closed").is_closed());
    assert!(pools.write().await.expect_err("closed").is_closed());
    assert!(!directory.path("test.db-wal").exists(), "the writer was the last to leave");
}

#[tokio::test]
async fn close_reports_what_is_still_out() {
    let directory = Directory::new();
    let pools = open(directory.options()).await;
    let (reader, line) = (pools.read().await.expect("idle"), line!());
    let report = within(pools.close(Duration::from_millis(20))).await;
    assert_eq!((report.readers.drained, report.readers.still_out.len()), (false, 1));
    assert_eq!(report.readers.still_out[0].site.line(), line);
    drop(reader);
}
