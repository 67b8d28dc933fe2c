//! Databases of a `ConnectionManager`, by URL.

use pool_core::{ConnectionManager, Drivers, ManagerOptions, NamedSources, Pool};
use pool_postgres::{Hygiene, PostgresDriver};

use crate::rig::{CANARY, Database, LIMIT, server};

#[tokio::test]
async fn a_manager_opens_databases_by_url_and_shows_no_password() {
    let database = Database::create().await;
    let server = server();
    let (host, user) = (&server.hosts[0], server.user.as_deref().unwrap_or_default());
    let name = database.name();
    let toml = format!(
        "[pools.orders]\nurl = 'postgresql://{user}:{CANARY}@{host}/{name}?hygiene=clean&pool_max_open=3'\n"
    );
    let options = ManagerOptions {
        drivers: Drivers::default().register(PostgresDriver::SCHEMES, PostgresDriver::from_url),
        sources: NamedSources::default().toml("pools.toml", &toml),
        ..ManagerOptions::default()
    };
    let manager = ConnectionManager::open(options).await.expect("opened");
    let orders: Pool<PostgresDriver> = manager.pool("orders").expect("there");
    assert_eq!(orders.driver().options().hygiene, Hygiene::Clean);
    assert_eq!(orders.config().max_open, 3);
    let connection = orders.acquire().await.expect("acquired");
    let row = connection.query_one("SELECT current_database()::text", &[]).await.expect("asked");
    assert_eq!(row.get::<_, &str>(0), name);
    drop(connection);
    let metadata = orders.control().metadata();
    assert_eq!(metadata.namespace.as_deref(), Some(name));
    assert_eq!(metadata.server_port, Some(host.port));
    let shown = format!("{manager:?} {orders:?} {metadata:?} {:?}", manager.resolved("orders"));
    assert!(!shown.contains(CANARY), "{}", shown.replace(CANARY, "THE SECRET"));
    assert!(manager.close(LIMIT).await.drained());
}
