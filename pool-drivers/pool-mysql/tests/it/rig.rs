//! A schema and a user of its own for each test, on a real server, and what tests do past the
//! driver.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};
use pool_core::{ConnectContext, Driver as _, Pool, PoolConfig, Statements};
use pool_mysql::{Address, MysqlConnection, MysqlDriver, MysqlError, MysqlOptions, mysql_async};

/// The password of each test's user. No output may hold it.
pub(crate) const CANARY: &str = "canary-5Uvw%2Fx/y@z:";

/// Longer than anything takes that works, however busy the machine is.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// The URL of a server, as a user with all privileges. The one place that knows where tests find
/// it.
fn server_url() -> String {
    std::env::var("POOL_TEST_MYSQL_URL").expect(
        "these tests need a MySQL or MariaDB server: set POOL_TEST_MYSQL_URL to the URL of a user \
         with all privileges, such as mysql://root:password@127.0.0.1:3306",
    )
}

/// A connection past the driver, as a user with all privileges.
pub(crate) async fn admin() -> Conn {
    let options = Opts::from_url(&server_url()).expect("POOL_TEST_MYSQL_URL is a URL");
    let options = mysql_async::OptsBuilder::from_opts(options).prefer_socket(false);
    within(Conn::new(options)).await.expect("POOL_TEST_MYSQL_URL leads to a server")
}

/// A schema and a user with that name, both dropped at the end.
pub(crate) struct Schema {
    pub(crate) name: String,
    address: Address,
}

impl Schema {
    pub(crate) async fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pool_{}_{number}", std::process::id());
        let mut admin = admin().await;
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
        let address = Address::Tcp { host: host(&admin), port: admin.opts().tcp_port() };
        admin.disconnect().await.expect("disconnected");
        Self { name, address }
    }

    /// As this schema's user, who sees no other.
    pub(crate) fn options(&self) -> MysqlOptions {
        let Address::Tcp { host, port } = &self.address else { unreachable!("made so above") };
        MysqlOptions {
            user: self.name.clone(),
            password: CANARY.into(),
            database: Some(self.name.clone()),
            ..MysqlOptions::tcp(host, *port)
        }
    }

    pub(crate) async fn connect(&self) -> MysqlConnection {
        try_connect(self.options()).await.expect("opened")
    }

    /// The server's numbers of the sessions in this schema.
    pub(crate) async fn sessions(&self) -> Vec<u32> {
        let mut admin = admin().await;
        let sessions = sessions(&mut admin, &self.name).await;
        admin.disconnect().await.expect("disconnected");
        sessions
    }
}

impl Drop for Schema {
    /// On a thread of its own: a test's runtime may be the one that drops it.
    fn drop(&mut self) {
        let name = self.name.clone();
        let clean_up = async move {
            let mut admin = admin().await;
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

fn host(admin: &Conn) -> String {
    admin.opts().ip_or_hostname().trim_matches(['[', ']']).to_owned()
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
