//! Where the real servers are, and a name of its own for what each test makes there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// No output may hold it.
pub(crate) const CANARY: &str = "canary-7Qd";

/// Longer than anything takes that works, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(40);

/// The URL of a Postgres server, as a superuser. The one place that knows where tests find it.
pub(crate) fn postgres_url() -> String {
    required("POOL_TEST_POSTGRES_URL", "PostgreSQL", "postgres://postgres@127.0.0.1:5432/postgres")
}

/// The URL of a Redis server, as a user with all commands. The one place that knows where tests find
/// it.
pub(crate) fn redis_url() -> String {
    required("POOL_TEST_REDIS_URL", "Redis", "redis://127.0.0.1:6379")
}

fn required(variable: &str, server: &str, example: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("these tests need a {server} server: set {variable} to its URL, such as {example}")
    })
}

/// A name that no other test uses.
pub(crate) fn unique_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("pool_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A port of this machine on which nobody listens.
pub(crate) fn refusing_port() -> u16 {
    silent_server().1
}

/// A port of this machine that accepts connections and never says a word, for as long as the
/// listener lives.
pub(crate) fn silent_server() -> (std::net::TcpListener, u16) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

/// Fails the test rather than let it hang.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("takes too long")
}
