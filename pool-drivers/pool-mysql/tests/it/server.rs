//! What the server is asked about itself, and a manager's way to it.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use pool_core::{ConnectionManager, Drivers, ManagerOptions, NamedSources, Pool, PoolConfig, Role};
use pool_mysql::{MysqlDriver, MysqlOptions, mysql_async};

use crate::rig::{CANARY, LIMIT, Schema, admin};

fn pool(options: MysqlOptions) -> Pool<MysqlDriver> {
    Pool::new(MysqlDriver::new(options), PoolConfig::default()).expect("valid")
}

#[tokio::test]
async fn the_capacity_counts_this_applications_connections() {
    let schema = Schema::new().await;
    let mut admin = admin().await;
    let limit: Option<usize> = admin.query_first("SELECT @@max_connections").await.expect("asked");
    let keeps_attributes: Option<bool> =
        admin.query_first("SELECT @@performance_schema").await.expect("asked");
    let options = MysqlOptions { program_name: schema.name.clone(), ..schema.options() };
    let other = MysqlOptions { program_name: "another".to_owned(), ..options.clone() };
    let (pool, others) = (pool(options), pool(other));
    let _guards = [pool.acquire().await.expect("opened"), pool.acquire().await.expect("opened")];
    let _other = others.acquire().await.expect("opened");
    let mut probe = pool.control().probe().await.expect("beyond those in use");
    let capacity = probe.capacity().await.expect("able").expect("answered");
    assert_eq!((Some(capacity.max_connections), capacity.reserved), (limit, 0));
    assert!(capacity.in_use >= 4, "{capacity:?}");
    // The two, and the probe.
    let here = (keeps_attributes == Some(true)).then_some(3);
    assert_eq!(capacity.in_use_here, here, "{capacity:?}");
}

#[tokio::test]
async fn a_session_that_may_not_write_is_told_by_its_role() {
    let schema = Schema::new().await;
    let driver = MysqlDriver::new(schema.options());
    let mut connection = schema.connect().await;
    let role = pool_core::RoleQuery::role(&driver, &mut connection).await.expect("answered");
    assert_eq!(role, Role::ReadWrite, "the tests need a server that takes writes");
    connection.query_drop("SET SESSION TRANSACTION READ ONLY").await.expect("set");
    let role = pool_core::RoleQuery::role(&driver, &mut connection).await.expect("answered");
    assert_eq!(role, Role::ReadOnly);
}

#[tokio::test]
async fn a_user_who_may_not_ask_for_the_lag_gets_the_servers_words() {
    let schema = Schema::new().await;
    let mut admin = admin().await;
    for privilege in ["REPLICATION CLIENT", "SLAVE MONITOR"] {
        let sql = format!("REVOKE {privilege} ON *.* FROM {}@'%'", schema.name);
        // MySQL knows the first alone, and in MariaDB it is about something else.
        let _ = admin.query_drop(sql).await;
    }
    let pool = pool(schema.options());
    let mut probe = pool.control().probe().await.expect("opened");
    let error = probe.replication_lag().await.expect("able").expect_err("not allowed");
    assert!(error.to_string().contains("(error 1227, SQLSTATE 42000)"), "{error}");
}

#[tokio::test]
async fn a_manager_opens_databases_by_url() {
    let schema = Schema::new().await;
    let address = schema.options().address;
    let password = pool_testkit::percent_encoded(CANARY);
    let name = &schema.name;
    let toml = format!(
        "[pools.orders]\n\
         url = 'mariadb://{name}:{password}@{address}/{name}?hygiene=clean&pool_max_open=3'\n"
    );
    let manager = ConnectionManager::open(ManagerOptions {
        drivers: Drivers::default().register(MysqlDriver::SCHEMES, MysqlDriver::from_url),
        sources: NamedSources::default().toml("pools.toml", &toml),
        ..ManagerOptions::default()
    });
    let manager = manager.await.expect("opened");
    let orders: Pool<MysqlDriver> = manager.pool("orders").expect("there");
    assert_eq!(orders.config().max_open, 3);
    assert_eq!(orders.control().metadata().system_name, "mariadb");
    let mut connection = orders.acquire().await.expect("acquired");
    connection.query_drop("INSERT INTO notes VALUES ('x')").await.expect("inserted");
    drop(connection);
    assert!(manager.close(LIMIT + Duration::from_secs(1)).await.drained());
}
