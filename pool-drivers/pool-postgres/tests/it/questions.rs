//! What the driver asks its server.

use pool_core::{Pool, PoolConfig, ReplicationLag, Role};
use pool_postgres::{PostgresDriver, PostgresOptions};

use crate::rig::{Database, admin, connect, within};

fn pool(options: PostgresOptions) -> Pool<PostgresDriver> {
    Pool::new(PostgresDriver::new(options), PoolConfig::default()).expect("valid")
}

async fn setting(name: &str) -> usize {
    let sql = "SELECT current_setting($1)::int";
    let value: i32 = admin().await.query_one(sql, &[&name]).await.expect("asked").get(0);
    usize::try_from(value).expect("not negative")
}

#[tokio::test]
async fn the_servers_capacity_is_told() {
    let database = Database::create().await;
    let here = format!("{} here", database.name());
    let options = PostgresOptions { application_name: here, ..database.options() };
    let _others = [connect(database.options()).await, connect(database.options()).await];
    let _ours = connect(options.clone()).await;
    let pool = pool(options);
    let mut probe = pool.control().probe().await.expect("connected");
    let capacity = within(probe.capacity()).await.expect("able").expect("answered");
    assert_eq!(capacity.max_connections, setting("max_connections").await);
    assert_eq!(capacity.reserved, setting("superuser_reserved_connections").await);
    assert_eq!(capacity.in_use_here, Some(2), "the probe is one");
    assert!(capacity.in_use >= 4, "{capacity:?}");
}

#[tokio::test]
async fn capacity_is_also_told_to_those_who_may_see_little() {
    let database = Database::create().await;
    let user = crate::secure::User::create(&database).await;
    let _theirs = connect(database.options()).await;
    let pool = pool(user.options(&database));
    let mut probe = pool.control().probe().await.expect("connected");
    let capacity = within(probe.capacity()).await.expect("able").expect("answered");
    assert!(capacity.in_use >= 2, "{capacity:?}");
}

#[tokio::test]
async fn the_servers_role_is_told() {
    let database = Database::create().await;
    for (session, role) in [(None, Role::ReadWrite), (Some("on"), Role::ReadOnly)] {
        let session = session.map(|on| format!("-c default_transaction_read_only={on}"));
        let pool = pool(PostgresOptions { options: session, ..database.options() });
        let mut probe = pool.control().probe().await.expect("connected");
        assert_eq!(within(probe.role()).await.expect("able").expect("answered"), role);
    }
}

#[tokio::test]
async fn a_primary_is_behind_nobody() {
    let database = Database::create().await;
    let pool = pool(database.options());
    let mut probe = pool.control().probe().await.expect("connected");
    let lag = within(probe.replication_lag()).await.expect("able").expect("answered");
    assert_eq!(lag, ReplicationLag::Primary);
}
