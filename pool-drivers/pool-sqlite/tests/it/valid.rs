//! Options that cannot be, however they are given: in a URL, to a pool, to a connect without one.

use pool_core::Driver as _;
use pool_core::{ErrorClass, OpenError, Pool, PoolConfig, Problem};
use pool_sqlite::rusqlite::Connection;
use pool_sqlite::{OpenFailure, ReadWritePools, SqliteDriver, SqliteError, SqliteOptions};

use crate::rig::{connect, number, try_connect, unique_name};

fn lines<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> Vec<String> {
    problems.into_iter().map(ToString::to_string).collect()
}

/// What is said of these options, everywhere the same.
async fn problems(options: SqliteOptions) -> Vec<String> {
    let said = lines(options.validate().expect_err("invalid").problems());
    let driver = SqliteDriver::new(options.clone());
    match Pool::new(driver.clone(), driver.pool_config()) {
        Err(OpenError::Config(error)) => assert_eq!(lines(error.problems()), said),
        other => panic!("{other:?}"),
    }
    match ReadWritePools::open(options.clone(), PoolConfig::default()).await {
        Err(OpenError::Config(error)) => assert_eq!(lines(error.problems()), said),
        other => panic!("{other:?}"),
    }
    let error = try_connect(options).await.expect_err("invalid");
    assert_eq!(driver.classify(&error), ErrorClass::Permanent);
    match error {
        SqliteError::Open { source: OpenFailure::Invalid(error), .. } => {
            assert_eq!(lines(error.problems()), said);
        }
        other => panic!("{other:?}"),
    }
    said
}

#[tokio::test]
async fn a_database_needs_a_name_without_a_nul() {
    assert_eq!(
        problems(SqliteOptions::shared_memory("")).await,
        [
            "source = \"\": a database in shared memory is found by its name; allowed: any name, as in \
          sqlite:NAME?mode=memory"
        ]
    );
    assert_eq!(
        problems(SqliteOptions::shared_memory("a\0b")).await,
        [
            "source = \"a\\0b\": SQLite reads a name up to its first NUL; allowed: a name without NUL"
        ]
    );
    assert_eq!(
        problems(SqliteOptions::file("/tmp/a\0b")).await,
        [
            "source = \"/tmp/a\\0b\": SQLite reads a name up to its first NUL; allowed: a path without \
          NUL"
        ]
    );
    assert_eq!(
        problems(SqliteOptions::file("")).await,
        ["source = \"\": no database is named; allowed: a path, such as data/orders.db"]
    );
}

#[tokio::test]
async fn the_cache_has_the_size_that_was_asked_for_or_none() {
    let with = |cache_size_kib| SqliteOptions {
        cache_size_kib,
        ..SqliteOptions::shared_memory(unique_name())
    };
    let largest = i32::MAX.unsigned_abs();
    let mut connection = connect(with(largest)).await;
    assert_eq!(number(&mut connection, "PRAGMA cache_size").await, -i64::from(i32::MAX));
    assert_eq!(
        problems(with(largest + 1)).await,
        [
            "cache_size_kib = \"2147483648\": more than SQLite can count; allowed: at most 2147483647"
        ]
    );
}

#[tokio::test]
async fn every_problem_is_reported_at_once() {
    let options = SqliteOptions { cache_size_kib: u32::MAX, ..SqliteOptions::shared_memory("") };
    assert_eq!(problems(options).await.len(), 2);
}

#[tokio::test]
async fn a_slash_in_a_name_is_part_of_the_name() {
    let unique = unique_name();
    let names =
        [unique.clone(), format!("/{unique}"), format!("//{unique}"), format!("{unique}/a")];
    let mut connections = Vec::new();
    for name in names {
        let mut connection = connect(SqliteOptions::shared_memory(&name)).await;
        let tables = number(&mut connection, "SELECT count(*) FROM sqlite_schema").await;
        assert_eq!(tables, 0, "{name} is a database of its own");
        connection.execute_batch("CREATE TABLE notes (text TEXT)").await.expect("created");
        let mut again = connect(SqliteOptions::shared_memory(&name)).await;
        assert_eq!(number(&mut again, "SELECT count(*) FROM notes").await, 0);
        connections.push(connection);
    }
    let plain = Connection::open(format!("file:/{unique}?vfs=memdb")).expect("opened");
    let count = plain.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0));
    assert_eq!(count, Ok(0), "and it has the name that the documentation gives it");
}
