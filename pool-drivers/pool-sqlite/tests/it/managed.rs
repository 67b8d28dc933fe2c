//! Databases of a `ConnectionManager`, by URL.

use std::time::Duration;

use pool_core::{ConnectionManager, Drivers, ManagerError, ManagerOptions, NamedSources, Pool};
use pool_sqlite::SqliteDriver;

use crate::rig::{Directory, LIMIT};

fn options(toml: &str) -> ManagerOptions {
    ManagerOptions {
        drivers: Drivers::default().register(SqliteDriver::SCHEMES, SqliteDriver::from_url),
        sources: NamedSources::default().toml("pools.toml", toml),
        ..ManagerOptions::default()
    }
}

#[tokio::test]
async fn a_manager_opens_databases_by_url_each_with_what_it_demands() {
    let directory = Directory::new();
    let file = directory.path("test.db").display().to_string();
    let toml = format!(
        "[pool]\npreset = 'production'\n\
         [pools.orders]\nurl = 'sqlite:{file}?busy_timeout=1s&pool_max_open=3'\n\
         [pools.cache]\nurl = 'sqlite::memory:'\n"
    );
    let manager = ConnectionManager::open(options(&toml)).await.expect("opened");
    let orders: Pool<SqliteDriver> = manager.pool("orders").expect("there");
    let cache: Pool<SqliteDriver> = manager.pool("cache").expect("there");
    assert_eq!(orders.driver().options().busy_timeout, Duration::from_secs(1));
    assert_eq!(orders.config().max_open, 3);
    assert_eq!((cache.config().max_open, cache.config().max_lifetime), (1, None));
    let resolved = manager.resolved("cache").expect("there");
    assert_eq!(resolved.origin("max_open").to_string(), "demanded by sqlite");
    assert_eq!(resolved.origin("max_idle").to_string(), "preset production");

    let mut connection = cache.acquire().await.expect("acquired");
    connection.execute_batch("create table t (x)").await.expect("created");
    drop(connection);
    let changed = toml.replace("pool_max_open=3", "pool_max_open=4") + "max_waiters = 7\n";
    let outcome = manager.reconfigure(manager.sources().toml("pools.toml", &changed));
    assert_eq!(
        outcome.expect("valid").to_string(),
        "orders: max_open 3 -> 4\ncache: max_waiters 10000 -> 7\n"
    );
    let moved = changed.replace("sqlite::memory:", "sqlite:elsewhere.db");
    let outcome = manager.reconfigure(manager.sources().toml("pools.toml", &moved));
    assert_eq!(
        outcome.expect("valid").to_string(),
        "orders: unchanged\ncache: the changed URL needs a restart\n",
        "what the new database could have is not for the one there is"
    );
    let mut connection = cache.acquire().await.expect("acquired");
    connection.execute("insert into t values (1)", []).await.expect("the same database");
    drop(connection);
    assert!(manager.close(LIMIT).await.drained());
}

#[test]
fn a_manager_says_what_a_database_objects_to_and_in_which_line() {
    let toml = "[pools.cache]\nurl = 'sqlite::memory:'\nmax_open = 4\n\
                [pools.orders]\nurl = 'sqlite:o.db?mod=ro'\n";
    let ManagerError::Config(error) = ConnectionManager::new(options(toml)).expect_err("invalid")
    else {
        panic!("a mistake of the configuration")
    };
    let problems: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    let start = "pools.toml:3: cache.max_open = \"4\": each connection to sqlite::memory: is";
    assert!(problems[0].starts_with(start), "{problems:?}");
    let start = "pools.toml:5: orders.parameter = \"mod\": unknown";
    assert!(problems[1].starts_with(start), "{problems:?}");
}
