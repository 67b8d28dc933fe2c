//! The conformance suite on a file and on shared memory.

use std::sync::Mutex;
use std::time::Duration;

use pool_sqlite::rusqlite::Connection;
use pool_sqlite::rusqlite::hooks::{AuthContext, Authorization};
use pool_sqlite::{SqliteConnection, SqliteDriver, SqliteError, SqliteOptions};
use pool_testkit::conformance::{Failing, Fixture, Supported, Unsupported};

use crate::rig::{Directory, ENDLESS, unique_name};

mod file {
    type Database = super::Sqlite<super::InFile>;
    pool_testkit::conformance!(Database);
    pool_testkit::conformance!(Database on smol);
}

mod shared_memory {
    type Database = super::Sqlite<super::InMemory>;
    pool_testkit::conformance!(Database);
}

/// Where the database of a fixture is.
trait Place: Send + Sync + 'static {
    /// One with a table, and one that is locked.
    fn new() -> Self;
    fn options(&self) -> SqliteOptions;
    fn locked(&self) -> SqliteOptions;
    fn missing(&self) -> Supported<SqliteOptions>;
    fn sessions(&self) -> Supported<usize>;
}

const TABLE: &str = "CREATE TABLE notes (text TEXT)";

struct InFile {
    directory: Directory,
    locked: Directory,
    /// In a mutex, because a fixture is shared and a `rusqlite` connection cannot be.
    _lock: Mutex<Connection>,
}

impl Place for InFile {
    fn new() -> Self {
        let (directory, locked) = (Directory::new(), Directory::new());
        directory.plain().execute_batch(TABLE).expect("created");
        let lock = locked.lock_all();
        Self { directory, locked, _lock: Mutex::new(lock) }
    }

    fn options(&self) -> SqliteOptions {
        self.directory.options()
    }

    fn locked(&self) -> SqliteOptions {
        self.locked.options()
    }

    fn missing(&self) -> Supported<SqliteOptions> {
        Ok(SqliteOptions::file(self.directory.path("missing/test.db")))
    }

    #[cfg(target_os = "linux")]
    fn sessions(&self) -> Supported<usize> {
        let path = self.directory.path("test.db");
        let open_files = std::fs::read_dir("/proc/self/fd").expect("listed");
        let targets = open_files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        Ok(targets.filter(|target| *target == path).count())
    }

    #[cfg(not(target_os = "linux"))]
    fn sessions(&self) -> Supported<usize> {
        Err(Unsupported("the files that a process has open are only listed on Linux"))
    }
}

struct InMemory {
    name: String,
    locked: String,
    /// Keep the databases, and one of them locked.
    _plain: Mutex<[Connection; 2]>,
}

impl Place for InMemory {
    fn new() -> Self {
        let (name, locked) = (unique_name(), unique_name());
        let plain = |name, sql| {
            let connection = Connection::open(format!("file:/{name}?vfs=memdb")).expect("opened");
            connection.execute_batch(sql).expect("done");
            connection
        };
        let plain = [plain(&name, TABLE), plain(&locked, "BEGIN EXCLUSIVE; CREATE TABLE x (y)")];
        Self { name, locked, _plain: Mutex::new(plain) }
    }

    fn options(&self) -> SqliteOptions {
        SqliteOptions::shared_memory(&self.name)
    }

    fn locked(&self) -> SqliteOptions {
        SqliteOptions::shared_memory(&self.locked)
    }

    fn missing(&self) -> Supported<SqliteOptions> {
        Err(Unsupported("memory is never missing"))
    }

    fn sessions(&self) -> Supported<usize> {
        Err(Unsupported("memory has no open files to count"))
    }
}

struct Sqlite<P>(P);

impl<P: Place> Fixture for Sqlite<P> {
    type Driver = SqliteDriver;

    async fn start() -> Self {
        Self(P::new())
    }

    fn driver(&self) -> SqliteDriver {
        SqliteDriver::new(self.0.options())
    }

    fn failing_driver(&self, how: Failing) -> Supported<SqliteDriver> {
        let locked = self.0.locked();
        Ok(SqliteDriver::new(match how {
            Failing::Transiently => {
                SqliteOptions { busy_timeout: Duration::from_millis(1), ..locked }
            }
            Failing::Permanently => self.0.missing()?,
            Failing::Hanging => SqliteOptions { busy_timeout: Duration::from_hours(1), ..locked },
        }))
    }

    async fn use_once(connection: &mut SqliteConnection) -> Result<(), SqliteError> {
        let one = connection.query_row("SELECT 1", [], |row| row.get::<_, i64>(0)).await?;
        assert_eq!(one, 1);
        Ok(())
    }

    async fn fail_once(connection: &mut SqliteConnection) -> Supported<&'static str> {
        let sql = "CREATE TEMP TABLE once (a UNIQUE); INSERT INTO once VALUES (1), (1)";
        connection.execute_batch(sql).await.expect_err("not unique");
        // SQLITE_CONSTRAINT_UNIQUE.
        Ok("2067")
    }

    async fn begin(connection: &mut SqliteConnection) -> Supported<()> {
        connection.execute_batch("BEGIN IMMEDIATE").await.expect("begun");
        Ok(())
    }

    async fn is_clean(connection: &mut SqliteConnection) -> bool {
        connection.call(|sqlite| Ok(sqlite.is_autocommit())).await.expect("answered")
    }

    async fn write_uncommitted(connection: &mut SqliteConnection) -> Supported<()> {
        let sql = "BEGIN; INSERT INTO notes VALUES ('never committed')";
        connection.execute_batch(sql).await.expect("written");
        Ok(())
    }

    async fn sees_written(connection: &mut SqliteConnection) -> Supported<bool> {
        let sql = "SELECT count(*) FROM notes";
        let count = connection.query_row(sql, [], |row| row.get::<_, i64>(0)).await;
        Ok(count.expect("answered") > 0)
    }

    async fn run_long(connection: &mut SqliteConnection) -> Unsupported {
        let sql = format!("BEGIN; INSERT INTO notes VALUES ('half'); {ENDLESS}");
        connection.execute_batch(&sql).await.expect("endless");
        unreachable!("it has no end")
    }

    async fn session(connection: &mut SqliteConnection) -> Supported<u64> {
        Ok(connection.id())
    }

    /// A thread cannot be killed from outside; this leaves it a connection that refuses everything.
    async fn sever(&self, connection: &mut SqliteConnection) -> Supported<()> {
        let refuse = |_: AuthContext<'_>| Authorization::Deny;
        connection.call(move |sqlite| sqlite.authorizer(Some(refuse))).await.expect("severed");
        Ok(())
    }

    async fn sessions(&self) -> Supported<usize> {
        self.0.sessions()
    }

    fn secret(&self) -> Supported<&'static str> {
        Err(Unsupported("an SQLite database has no password"))
    }
}
