//! Databases that cannot be opened: the error says which one and why, in time.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use pool_core::{
    AcquireErrorKind, ConnectContext, Driver as _, ErrorClass, Pool, PoolConfig, Statements,
};
use pool_sqlite::rusqlite::{self, ErrorCode};
use pool_sqlite::{Access, LockWaits, OpenFailure, SqliteDriver, SqliteError, SqliteOptions};

use crate::rig::{Directory, LIMIT, connect, try_connect, within};

/// An error with all its causes, as programs print it.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The error of a connect that fails, with what it says and what its cause says.
async fn failure(options: &SqliteOptions) -> (SqliteError, String, ErrorClass) {
    let error = try_connect(options.clone()).await.expect_err("cannot be opened");
    let source = error.source().expect("a cause");
    assert!(source.is::<OpenFailure>(), "{source:?}");
    let (text, class) = (error.to_string(), SqliteDriver::new(options.clone()).classify(&error));
    (error, text, class)
}

#[tokio::test]
async fn a_missing_directory_is_named_and_permanent() {
    let directory = Directory::new();
    let path = directory.path("missing/test.db");
    let (error, text, class) = failure(&SqliteOptions::file(&path)).await;
    assert_eq!(text, format!("cannot open the SQLite database {}", path.display()));
    assert_eq!((error.code(), class), (Some(ErrorCode::CannotOpen), ErrorClass::Permanent));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told_at_connect() {
    let directory = Directory::new();
    std::fs::write(directory.path("test.db"), "a diary, not a database. ".repeat(100))
        .expect("written");
    for access in [Access::Create, Access::ReadWrite, Access::ReadOnly] {
        let (error, text, class) = failure(&SqliteOptions { access, ..directory.options() }).await;
        assert!(text.contains("test.db"), "{text}");
        assert_eq!((error.code(), class), (Some(ErrorCode::NotADatabase), ErrorClass::Permanent));
    }
    let text = std::fs::read_to_string(directory.path("test.db")).expect("read");
    assert!(text.starts_with("a diary"), "and it is left as it was");
}

#[cfg(unix)]
#[tokio::test]
async fn whatever_is_no_file_is_refused_by_what_it_is() {
    let directory = Directory::new();
    let pipe = directory.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("run");
    assert!(made.success());
    let socket = directory.path("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("bound");
    let kinds = [
        (directory.path(""), "a directory"),
        (pipe, "a named pipe"),
        (socket, "a socket"),
        ("/dev/null".into(), "a device"),
    ];
    for (path, kind) in kinds {
        for access in [Access::Create, Access::ReadWrite, Access::ReadOnly] {
            let options = SqliteOptions { access, ..SqliteOptions::file(&path) };
            let (error, text, class) = failure(&options).await;
            let expected = format!("{text}: it is {kind}, not a file");
            assert_eq!((chain(&error), class), (expected, ErrorClass::Permanent), "{access:?}");
        }
    }
}

#[tokio::test]
async fn a_chain_of_causes_says_everything_once() {
    let directory = Directory::new();
    let options = directory.options();
    let name = directory.path("test.db").display().to_string();
    let opening = |cause: &str| format!("cannot open the SQLite database {name}: {cause}");
    let reading = SqliteOptions { access: Access::ReadOnly, ..options.clone() };
    let (error, ..) = failure(&reading).await;
    assert_eq!(chain(&error), opening("there is no such file"));

    let impatient = SqliteOptions { busy_timeout: Duration::ZERO, ..options.clone() };
    let mut connection = connect(impatient.clone()).await;
    let sql = "CREATE TABLE fruit (name TEXT UNIQUE); INSERT INTO fruit VALUES ('apple')";
    connection.execute_batch(sql).await.expect("done");
    let twice = connection.execute("INSERT INTO fruit VALUES ('apple')", []).await;
    let text = "UNIQUE constraint failed: fruit.name (SQLite code 2067)";
    assert_eq!(chain(&twice.expect_err("unique")), text);
    let typo = connection.execute_batch("SELEKT 1").await.expect_err("no SQL");
    assert_eq!(chain(&typo).matches("syntax error").count(), 1, "{}", chain(&typo));
    {
        let _lock = directory.lock_writes();
        let locked = connection.execute_batch("BEGIN IMMEDIATE").await.expect_err("locked");
        assert_eq!(chain(&locked), "database is locked");
    }
    drop(connection);
    let _lock = directory.lock_all();
    let (error, ..) = failure(&impatient).await;
    assert_eq!(chain(&error), opening("database is locked"));
}

#[tokio::test]
async fn a_name_cannot_break_the_line_it_stands_in() {
    let options = SqliteOptions::file(Path::new("/missing/a\nb\u{1b}[2J\u{202e} \u{fc} \"c\".db"));
    let (error, text, _) = failure(&options).await;
    let shown = "/missing/a\\nb\\u{1b}[2J\\u{202e} \u{fc} \"c\".db";
    assert_eq!(text, format!("cannot open the SQLite database {shown}"));
    assert!(!chain(&error).contains(char::is_control), "{error:?}");
}

#[tokio::test]
async fn a_permanent_failure_reaches_the_user_with_its_cause() {
    let directory = Directory::new();
    let driver = SqliteDriver::new(SqliteOptions::file(directory.path("missing/test.db")));
    let pool = Pool::new(driver, PoolConfig::default()).expect("valid");
    let error = within(pool.acquire()).await.expect_err("cannot be opened");
    assert_eq!(error.kind(), AcquireErrorKind::ConnectFailed, "{error}");
    let cause = error.source().expect("the driver's error");
    assert!(cause.to_string().contains("missing/test.db"), "{cause}");
    let root = cause.source().expect("SQLite's error").to_string();
    assert_eq!(root, "there is no such directory");
}

#[tokio::test]
async fn a_locked_database_is_transient_once_busy_timeout_is_over() {
    let directory = Directory::new();
    let _lock = directory.lock_all();
    let busy_timeout = Duration::from_millis(20);
    let (error, text, class) =
        failure(&SqliteOptions { busy_timeout, ..directory.options() }).await;
    assert!(error.is_busy(), "{text}");
    assert_eq!(class, ErrorClass::Transient);
}

#[tokio::test]
async fn opening_waits_for_a_lock_that_is_given_up_in_time() {
    let directory = Directory::new();
    let lock = directory.lock_all();
    let options = SqliteOptions { busy_timeout: LIMIT, ..directory.options() };
    let connect = tokio::spawn(try_connect(options));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    drop(lock);
    within(connect).await.expect("no panic").expect("opened after all");
}

#[tokio::test]
async fn an_acquire_on_a_locked_database_ends_by_its_deadline_and_says_why() {
    let directory = Directory::new();
    let _lock = directory.lock_all();
    let busy_timeout = Duration::from_millis(20);
    let driver = SqliteDriver::new(SqliteOptions { busy_timeout, ..directory.options() });
    let config = PoolConfig {
        acquire_timeout: Duration::from_millis(300),
        outage_grace: None,
        ..PoolConfig::default()
    };
    let pool = Pool::new(driver, config).expect("valid");
    let error = within(pool.acquire()).await.expect_err("locked");
    assert_eq!(error.kind(), AcquireErrorKind::Timeout, "{error}");
    let cause = error.source().expect("the driver's error").source().expect("SQLite's error");
    assert!(cause.to_string().contains("locked"), "{cause}");
}

#[tokio::test]
async fn waits_for_locks_are_counted_for_all_connections_of_a_driver_together() {
    let directory = Directory::new();
    let busy_timeout = Duration::from_millis(20);
    let driver = SqliteDriver::new(SqliteOptions { busy_timeout, ..directory.options() });
    let connect = || {
        let (driver, context) = (driver.clone(), ConnectContext::new(1, Statements::unobserved()));
        async move { within(driver.connect(context)).await.expect("opened") }
    };
    let (mut writer, bystander) = (connect().await, connect().await);
    assert_eq!(bystander.lock_waits(), LockWaits::default());
    let lock = directory.lock_writes();
    within(writer.execute_batch("BEGIN IMMEDIATE")).await.expect_err("locked");
    drop(lock);
    let waited = bystander.lock_waits();
    assert_eq!((waited.count, waited), (1, writer.lock_waits()));
    assert!(!waited.time.is_zero());
    within(writer.execute_batch("BEGIN IMMEDIATE")).await.expect("nobody holds it");
    assert_eq!(bystander.lock_waits(), waited, "it did not wait");
}

#[tokio::test]
async fn a_statement_waits_for_busy_timeout_and_no_longer() {
    let directory = Directory::new();
    let busy_timeout = Duration::from_millis(30);
    let mut connection = connect(SqliteOptions { busy_timeout, ..directory.options() }).await;
    let _lock = directory.lock_writes();
    let started = std::time::Instant::now();
    let error = within(connection.execute_batch("BEGIN IMMEDIATE")).await.expect_err("locked");
    assert!(error.is_busy(), "{error}");
    assert!(started.elapsed() >= busy_timeout, "it waited first");
}

#[test]
fn a_database_that_turned_read_only_is_a_change_of_role_unless_asked_for() {
    let read_only = || {
        SqliteError::Sqlite(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY),
            None,
        ))
    };
    let class = |access| {
        SqliteDriver::new(SqliteOptions { access, ..SqliteOptions::file("x.db") })
            .classify(&read_only())
    };
    assert_eq!(class(Access::Create), ErrorClass::RoleChanged);
    assert_eq!(class(Access::ReadWrite), ErrorClass::RoleChanged);
    assert_eq!(class(Access::ReadOnly), ErrorClass::Transient);
}
