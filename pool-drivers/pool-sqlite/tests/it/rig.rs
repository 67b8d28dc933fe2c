//! Connections and pools for the tests, and the statements that several of them use.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_channel::oneshot;
use pool_core::{ConnectContext, Driver, Pool, PoolConfig, Statements};
use pool_sqlite::{SqliteConnection, SqliteDriver, SqliteError, SqliteOptions, rusqlite};
use tempfile::TempDir;

/// Never ends by itself.
pub(crate) const ENDLESS: &str = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) \
                                  SELECT count(*) FROM c";

/// Longer than anything takes that works, however busy the machine is.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// A directory with room for a database, removed at the end.
pub(crate) struct Directory(TempDir);

impl Directory {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn options(&self) -> SqliteOptions {
        SqliteOptions::file(self.path("test.db"))
    }

    /// A plain connection to the same file, past the driver.
    pub(crate) fn plain(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(self.path("test.db")).expect("opened");
        connection.busy_timeout(LIMIT).expect("set");
        connection
    }

    /// Holds the write lock of the file.
    pub(crate) fn lock_writes(&self) -> rusqlite::Connection {
        let connection = self.plain();
        connection.execute_batch("BEGIN IMMEDIATE").expect("locked");
        connection
    }

    /// Locks the file against everybody: no connection can even be opened.
    pub(crate) fn lock_all(&self) -> rusqlite::Connection {
        let connection = self.plain();
        let sql = "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE locked (x)";
        connection.execute_batch(sql).expect("locked");
        connection
    }
}

/// A name for shared memory that no other test uses.
pub(crate) fn unique_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Connects without a pool.
pub(crate) async fn try_connect(options: SqliteOptions) -> Result<SqliteConnection, SqliteError> {
    let context = ConnectContext::new(1, Statements::unobserved());
    within(SqliteDriver::new(options).connect(context)).await
}

pub(crate) async fn connect(options: SqliteOptions) -> SqliteConnection {
    try_connect(options).await.expect("opened")
}

pub(crate) async fn connect_in_memory() -> SqliteConnection {
    connect(SqliteOptions::private_memory()).await
}

/// A pool of at most one connection, which is not checked between two uses.
pub(crate) fn pool_of_one(options: SqliteOptions) -> Pool<SqliteDriver> {
    let driver = SqliteDriver::new(options);
    let config = PoolConfig {
        max_open: 1,
        check_after_idle: None,
        check_timeout: LIMIT,
        ..driver.pool_config()
    };
    Pool::new(driver, config).expect("valid")
}

/// Starts a call, waits until its closure has begun on the thread, and drops it there.
pub(crate) async fn drop_once_begun(
    connection: &mut SqliteConnection,
    closure: impl FnOnce(&mut rusqlite::Connection) + Send + 'static,
) {
    let (begun, has_begun) = oneshot::channel();
    let call = connection.call(move |sqlite| {
        begun.send(()).expect("awaited");
        closure(sqlite);
        Ok(())
    });
    tokio::select! {
        biased;
        result = call => panic!("ended by itself: {result:?}"),
        result = has_begun => result.expect("begun"),
    }
}

/// Fails the test rather than let it hang.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("takes too long")
}

/// Reads one number.
pub(crate) async fn number(connection: &mut SqliteConnection, sql: &str) -> i64 {
    within(connection.query_row(sql, [], |row| row.get(0))).await.expect("answered")
}
