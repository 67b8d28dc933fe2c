//! The server, databases of it, connections and pools for the tests.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use pool_core::{ConnectContext, Driver, Pool, PoolConfig, Statements};
use pool_postgres::tokio_postgres::error::SqlState;
use pool_postgres::{PostgresConnection, PostgresDriver, PostgresError, PostgresOptions};
use pool_testkit::servers::{Access, Family, Product, shared};

/// Longer than anything takes that works, however busy the machine is.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// The password of every user, which must never be shown.
pub(crate) use pool_testkit::servers::PASSWORD as CANARY;

/// The server that the tests share, each with a database of its own.
pub(crate) fn access() -> &'static Access {
    static ACCESS: OnceLock<Access> = OnceLock::new();
    ACCESS.get_or_init(|| shared(Family::Postgres).unwrap_or_else(|error| panic!("{error}")))
}

/// The same for a superuser.
pub(crate) fn server() -> PostgresOptions {
    options_of(access(), &access().first_database)
}

/// Options for a database of a server.
pub(crate) fn options_of(access: &Access, database: &str) -> PostgresOptions {
    let options =
        PostgresOptions::from_url(&access.url(database)).expect("the kit's URLs are right");
    if access.product == Product::PgBouncer {
        // The next statement may reach another session, which knows no statement of this one's.
        return PostgresOptions { statement_cache: 0, ..options };
    }
    options
}

/// A connection past any pool, for what tests do behind a driver's back.
pub(crate) async fn admin() -> PostgresConnection {
    connect(server()).await
}

/// A database of a test's own, dropped at the end.
pub(crate) struct Database(String);

impl Database {
    pub(crate) async fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pool_test_{}_{number}", std::process::id());
        let admin = admin().await;
        // A process of the same number may have left one behind.
        within(admin.execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), &[]))
            .await
            .expect("dropped");
        within(admin.execute(&format!("CREATE DATABASE {name}"), &[])).await.expect("created");
        Self(name)
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    pub(crate) fn options(&self) -> PostgresOptions {
        options_of(access(), &self.0)
    }

    /// Waits until the server knows no session in it.
    pub(crate) async fn is_left(&self) {
        within(async {
            while self.sessions().await > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// How many sessions the server knows in it.
    pub(crate) async fn sessions(&self) -> usize {
        let sql = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = $1 AND backend_type = 'client backend'";
        let row = admin().await.query_one(sql, &[&self.0]).await.expect("counted");
        usize::try_from(row.get::<_, i64>(0)).expect("not negative")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.0);
        aside(async move { admin().await.execute(&sql, &[]).await.map(drop) }).ok();
    }
}

/// Runs a future to its end on a thread of its own, while nothing of the calling one runs.
pub(crate) fn aside<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let thread = thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(future)
    });
    thread.join().expect("no panic")
}

/// Connects without a pool.
pub(crate) async fn try_connect(
    options: PostgresOptions,
) -> Result<PostgresConnection, PostgresError> {
    let context = ConnectContext::new(1, Statements::unobserved());
    within(PostgresDriver::new(options).connect(context)).await
}

pub(crate) async fn connect(options: PostgresOptions) -> PostgresConnection {
    try_connect(options).await.expect("connected")
}

/// A pool of at most one connection, which is not checked between two uses.
pub(crate) fn pool_of_one(options: PostgresOptions) -> Pool<PostgresDriver> {
    let config = PoolConfig {
        max_open: 1,
        check_after_idle: None,
        check_timeout: LIMIT,
        acquire_timeout: LIMIT,
        ..PoolConfig::default()
    };
    Pool::new(PostgresDriver::new(options), config).expect("valid")
}

/// Fails the test rather than let it hang.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("takes too long")
}

/// The server's code of an error.
pub(crate) fn code(error: &PostgresError) -> Option<&str> {
    error.code().map(SqlState::code)
}

/// Which session of the server's a connection is.
pub(crate) async fn pid(connection: &PostgresConnection) -> i32 {
    let row = within(connection.query_one("SELECT pg_backend_pid()", &[])).await;
    row.expect("answered").get(0)
}

/// Ends a session from outside, and waits until it is gone.
pub(crate) async fn terminate(pid: i32) {
    let admin = admin().await;
    admin.query("SELECT pg_terminate_backend($1)", &[&pid]).await.expect("terminated");
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1";
    within(async {
        while admin.query_one(sql, &[&pid]).await.expect("counted").get::<_, i64>(0) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Whether a transaction is open, by the server's word: a savepoint needs one.
pub(crate) async fn in_transaction(connection: &PostgresConnection) -> bool {
    match within(connection.batch_execute("SAVEPOINT here")).await {
        Ok(()) => true,
        Err(error) => match code(&error) {
            Some("25P01") => false,
            // It has failed, and is still open.
            Some("25P02") => true,
            _ => panic!("{error}"),
        },
    }
}
