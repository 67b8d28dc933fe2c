//! A schema and a user of its own for each test, on a real server, and what tests do past the
//! driver.

use std::net::TcpListener;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use pool_core::{ConnectContext, Driver as _, Pool, PoolConfig, Statements};
use pool_mysql::{MysqlConnection, MysqlDriver, MysqlError, MysqlOptions, mysql_async};
use pool_testkit::servers::{Access, Family, shared};

/// The password of each test's user. No output may hold it.
pub(crate) const CANARY: &str = "canary-5Uvw%2Fx/y@z:";

/// Longer than anything takes that works, however busy the machine is.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// The server of the tests that do it no harm.
pub(crate) fn server() -> &'static Access {
    // The first asks for all: each would start a server of its own.
    static SERVER: LazyLock<Access> =
        LazyLock::new(|| shared(Family::MySql).unwrap_or_else(|error| panic!("{error}")));
    &SERVER
}

/// A connection past the driver to the shared server, as a user with all privileges.
pub(crate) async fn admin() -> Conn {
    admin_of(server()).await
}

/// A connection past the driver, as a user with all privileges.
pub(crate) async fn admin_of(server: &Access) -> Conn {
    let Access { host, port, user, password, .. } = server;
    let options = OptsBuilder::default()
        .ip_or_hostname(host.as_str())
        .tcp_port(*port)
        .user(Some(user))
        .pass(Some(password))
        .prefer_socket(false);
    within(Conn::new(options)).await.expect("a server that answers")
}

/// A schema and a user with that name, both dropped at the end. The user has no privilege that lifts
/// a server's limits, and the server has not met the password before.
pub(crate) struct Schema {
    pub(crate) name: String,
    server: Access,
}

impl Schema {
    pub(crate) async fn new() -> Self {
        Self::on(server()).await
    }

    /// On a server of the test's own.
    pub(crate) async fn on(server: &Access) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pool_{}_{number}", std::process::id());
        let mut admin = admin_of(server).await;
        for sql in [
            format!("CREATE DATABASE {name}"),
            format!("CREATE USER {name}@'%' IDENTIFIED BY '{CANARY}'"),
            format!("GRANT ALL ON {name}.* TO {name}@'%'"),
            // For the lag of a replica; in MariaDB it has another name.
            format!("GRANT REPLICATION CLIENT ON *.* TO {name}@'%'"),
            format!("CREATE TABLE {name}.notes (text VARCHAR(100))"),
        ] {
            admin.query_drop(sql).await.expect("set up");
        }
        let _ = admin.query_drop(format!("GRANT SLAVE MONITOR ON *.* TO {name}@'%'")).await;
        admin.disconnect().await.expect("disconnected");
        Self { name, server: server.clone() }
    }

    /// As this schema's user, who sees no other.
    pub(crate) fn options(&self) -> MysqlOptions {
        MysqlOptions {
            user: self.name.clone(),
            password: CANARY.into(),
            database: Some(self.name.clone()),
            ..MysqlOptions::tcp(&*self.server.host, self.server.port)
        }
    }

    pub(crate) async fn connect(&self) -> MysqlConnection {
        try_connect(self.options()).await.expect("opened")
    }

    /// The server's numbers of the sessions in this schema.
    pub(crate) async fn sessions(&self) -> Vec<u32> {
        let mut admin = admin_of(&self.server).await;
        let sessions = sessions(&mut admin, &self.name).await;
        admin.disconnect().await.expect("disconnected");
        sessions
    }
}

impl Drop for Schema {
    /// On a thread of its own: a test's runtime may be the one that drops it.
    fn drop(&mut self) {
        let Self { name, server } = self;
        let (name, server) = (name.clone(), server.clone());
        let clean_up = async move {
            let mut admin = admin_of(&server).await;
            for session in sessions(&mut admin, &name).await {
                // May be gone by now.
                let _ = admin.query_drop(format!("KILL {session}")).await;
            }
            for sql in [format!("DROP USER {name}@'%'"), format!("DROP DATABASE {name}")] {
                let _ = admin.query_drop(sql).await;
            }
            let _ = admin.disconnect().await;
        };
        let thread = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(clean_up);
        });
        // A test that failed already says more than its cleaning up.
        let _ = thread.join();
    }
}

async fn sessions(admin: &mut Conn, schema: &str) -> Vec<u32> {
    let sql = format!("SELECT id FROM information_schema.processlist WHERE db = '{schema}'");
    within(admin.query(sql)).await.expect("listed")
}

/// Has the server end a session, and waits until it is gone.
pub(crate) async fn kill(session: u32) {
    let mut admin = admin().await;
    admin.query_drop(format!("KILL {session}")).await.expect("killed");
    let sql = format!("SELECT id FROM information_schema.processlist WHERE id = {session}");
    within(async {
        while !admin.query::<u32, _>(&sql).await.expect("listed").is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    admin.disconnect().await.expect("disconnected");
}

/// A port of this machine that accepts connections and never says a word, for as long as the
/// listener lives.
pub(crate) fn silent_server() -> (TcpListener, MysqlOptions) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("bound").port();
    (listener, MysqlOptions { password: CANARY.into(), ..MysqlOptions::tcp("127.0.0.1", port) })
}

/// A port of this machine on which nobody listens.
pub(crate) fn refusing_server() -> MysqlOptions {
    silent_server().1
}

/// Connects without a pool.
pub(crate) async fn try_connect(options: MysqlOptions) -> Result<MysqlConnection, MysqlError> {
    let context = ConnectContext::new(1, Statements::unobserved());
    within(MysqlDriver::new(options).connect(context)).await
}

/// A pool of at most one connection, which is not checked between two uses.
pub(crate) fn pool_of_one(options: MysqlOptions) -> Pool<MysqlDriver> {
    let config = PoolConfig { max_open: 1, check_after_idle: None, ..PoolConfig::default() };
    Pool::new(MysqlDriver::new(options), config).expect("valid")
}

/// Fails the test rather than let it hang.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("takes too long")
}
