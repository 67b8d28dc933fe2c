//! One writer and many readers over one database.

use std::time::Duration;

use pool_core::{
    Acquire, CloseReport, ConfigError, Driver as _, OpenError, Pool, PoolConfig, PoolOptions,
    Problem,
};

use crate::driver::SqliteDriver;
use crate::options::{Access, Source, SqliteOptions};

/// Two pools over one database: one connection that writes, and several that read.
///
/// SQLite has one writer at a time. Writers that share a pool find the database locked, wait for
/// each other in SQLite's busy handler without any order, and fail after `busy_timeout`; here they
/// queue for the one connection in the pool's own order and under its deadline. With a write-ahead
/// log, the default, readers wait for nobody.
///
/// The readers cannot write: their connections are opened read-only, in memory with `query_only`.
///
/// ```
/// # use std::time::Duration;
/// use pool_core::PoolConfig;
/// use pool_sqlite::{ReadWritePools, SqliteOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let readers = PoolConfig { max_open: 8, ..PoolConfig::default() };
/// let pools = ReadWritePools::open(SqliteOptions::shared_memory("doc"), readers).await?;
/// pools.write().await?.execute_batch("CREATE TABLE fruit (name TEXT)").await?;
/// let sql = "SELECT count(*) FROM fruit";
/// let count: i64 = pools.read().await?.query_row(sql, [], |row| row.get(0)).await?;
/// assert_eq!(count, 0);
/// let report = pools.close(Duration::from_secs(5)).await;
/// assert!(report.readers.drained && report.writer.drained);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ReadWritePools {
    readers: Pool<SqliteDriver>,
    writer: Pool<SqliteDriver>,
}

impl ReadWritePools {
    /// Opens and checks one connection of each pool, the writer's first, so that the file and its
    /// write-ahead log are there for the readers. Creates no table.
    ///
    /// `readers` are the settings of the readers' pool. The writer's are the same with a `max_open`
    /// of 1. The pools are named after `readers.name`, or the database system, with `-read` and
    /// `-write` added.
    ///
    /// # Errors
    ///
    /// [`OpenError::Config`] for a private database in memory, of which nobody else could read, or
    /// for read-only access; else those of [`Pool::open`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connections.
    pub async fn open(
        options: SqliteOptions,
        readers: impl Into<PoolOptions>,
    ) -> Result<Self, OpenError> {
        ConfigError::from_problems(objections(&options))?;
        let readers = readers.into();
        let reader_options = SqliteOptions { access: Access::ReadOnly, ..options.clone() };
        let writer = SqliteDriver::new(options);
        let name = readers
            .name
            .as_deref()
            .map_or_else(|| writer.metadata().system_name.into_owned(), str::to_owned);
        let writers = PoolOptions {
            config: PoolConfig {
                max_open: 1,
                min_idle: readers.config.min_idle.min(1),
                ..readers.config.clone()
            },
            name: Some(format!("{name}-write").into()),
            ..readers.clone()
        };
        let readers = PoolOptions { name: Some(format!("{name}-read").into()), ..readers };
        let writer = Pool::open(writer, writers).await?;
        let readers = Pool::open(SqliteDriver::new(reader_options), readers).await?;
        Ok(Self { readers, writer })
    }

    /// Waits for a connection for reading, as [`Pool::acquire`] does: at most `acquire_timeout`.
    ///
    /// # Errors
    ///
    /// [`AcquireError`](pool_core::AcquireError), which names this pool of the two, who holds its
    /// connections, and why connects failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: what it had been given goes to the next in line.
    #[track_caller]
    pub fn read(&self) -> Acquire<SqliteDriver, &Pool<SqliteDriver>> {
        self.readers.acquire()
    }

    /// Waits for the one connection for writing, as [`Pool::acquire`] does: at most
    /// `acquire_timeout`, and in the order of those who wait.
    ///
    /// # Errors
    ///
    /// [`AcquireError`](pool_core::AcquireError), which names this pool of the two, who holds its
    /// connections, and why connects failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: what it had been given goes to the next in line.
    #[track_caller]
    pub fn write(&self) -> Acquire<SqliteDriver, &Pool<SqliteDriver>> {
        self.writer.acquire()
    }

    /// The readers' pool.
    #[must_use]
    pub fn readers(&self) -> &Pool<SqliteDriver> {
        &self.readers
    }

    /// The writer's pool.
    #[must_use]
    pub fn writer(&self) -> &Pool<SqliteDriver> {
        &self.writer
    }

    /// Closes both pools within `deadline`, the readers' first: the writer, the last to leave,
    /// moves the write-ahead log into the file. Writes are served until the readers are closed.
    ///
    /// # Cancel safety
    ///
    /// The readers' pool is closed from the first poll on, the writer's once that one is done.
    pub async fn close(&self, deadline: Duration) -> ReadWriteReport {
        let readers = self.readers.close(deadline).await;
        let writer = self.writer.close(deadline.saturating_sub(readers.took)).await;
        ReadWriteReport { readers, writer }
    }
}

/// What [`ReadWritePools::close`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct ReadWriteReport {
    /// Of the readers' pool.
    pub readers: CloseReport,
    /// Of the writer's pool.
    pub writer: CloseReport,
}

/// What speaks against a pair over this database.
fn objections(options: &SqliteOptions) -> Vec<Problem> {
    let mut problems = options.problems();
    if options.source == Source::PrivateMemory {
        problems.push(Problem::invalid(
            "source",
            options.source.to_string(),
            "no reader could see what the writer writes: each connection to sqlite::memory: is a \
             database of its own",
            "a file; or a database in shared memory, sqlite:NAME?mode=memory",
        ));
    }
    if options.access == Access::ReadOnly {
        let why = "the writer could not write";
        problems.push(Problem::invalid("access", "read-only", why, "create or read-write"));
    }
    problems
}
