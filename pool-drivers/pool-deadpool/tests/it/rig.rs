//! Where the real servers are, and a name of its own for what each test makes there.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pool_testkit::conformance::Unsupported;
use pool_testkit::servers::{Access, Family, shared};

/// No output may hold it.
pub(crate) const CANARY: &str = "canary-7Qd";

pub(crate) const TOLD_BY_USERS: Unsupported = Unsupported(
    "what is done with a manager's object nobody sees but its user, who may tell of it",
);

/// Longer than anything takes that works, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(40);

/// The Postgres server.
pub(crate) fn postgres() -> &'static Access {
    static SERVER: LazyLock<Access> = LazyLock::new(|| server(Family::Postgres));
    &SERVER
}

/// The Redis server.
pub(crate) fn redis() -> &'static Access {
    static SERVER: LazyLock<Access> = LazyLock::new(|| server(Family::Redis));
    &SERVER
}

/// Asked for once: each test would start one of its own.
fn server(family: Family) -> Access {
    shared(family).unwrap_or_else(|error| panic!("{error}"))
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
