//! A private database in memory, which is gone with its one connection: what a pool of it may do.

use std::time::Duration;

use pool_core::{OpenError, Pool, PoolConfig, Preset};
use pool_sqlite::{Hygiene, SqliteDriver, SqliteOptions};

use crate::rig::{connect_in_memory, number, unique_name};

fn objections(options: SqliteOptions, config: PoolConfig) -> Vec<String> {
    let error = match Pool::new(SqliteDriver::new(options), config) {
        Err(OpenError::Config(error)) => error,
        other => panic!("would lose the database: {other:?}"),
    };
    error.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn whatever_would_lose_the_database_is_objected_to_at_once() {
    let options = SqliteOptions { hygiene: Hygiene::Reopen, ..SqliteOptions::private_memory() };
    let config = PoolConfig {
        max_open: 10,
        max_idle: 0,
        max_lifetime: Some(Duration::from_mins(90)),
        max_idle_time: Some(Duration::from_secs(90)),
        ..PoolConfig::default()
    };
    assert_eq!(
        objections(options, config),
        [
            "max_open = \"10\": each connection to sqlite::memory: is a database of its own; \
             allowed: 1; or a database in shared memory, sqlite:NAME?mode=memory",
            "max_idle = \"0\": a database in sqlite::memory: is gone once its connection is \
             closed; allowed: 1 or more; or a database in shared memory, sqlite:NAME?mode=memory",
            "max_lifetime = \"1h 30m\": a database in sqlite::memory: is gone once its connection \
             is closed; allowed: off; or a database in shared memory, sqlite:NAME?mode=memory",
            "max_idle_time = \"1m 30s\": a database in sqlite::memory: is gone once its connection \
             is closed; allowed: off; or a database in shared memory, sqlite:NAME?mode=memory",
            "hygiene = \"reopen\": a database in sqlite::memory: is gone once its connection is \
             closed; allowed: rollback; or a database in shared memory, sqlite:NAME?mode=memory",
        ]
    );
}

#[test]
fn each_objection_is_made_for_itself() {
    let options = SqliteOptions::private_memory();
    let good = options.pool_defaults(PoolConfig::default());
    for (field, value) in [
        ("max_open", "2"),
        ("max_open", "unlimited"),
        ("max_idle", "0"),
        ("max_lifetime", "1h"),
        ("max_idle_time", "1h"),
    ] {
        let mut config = good.clone();
        config.set(field, value).expect("understood");
        let problems = objections(options.clone(), config);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(&format!("{field} = \"{value}\": ")), "{problems:?}");
    }
    let options = SqliteOptions { hygiene: Hygiene::Reopen, ..options };
    assert_eq!(objections(options, good).len(), 1);
}

#[test]
fn other_databases_object_to_none_of_it() -> Result<(), OpenError> {
    let config = PoolConfig { max_idle: 0, ..PoolConfig::preset(Preset::HighLoad) };
    let places = [SqliteOptions::file("orders.db"), SqliteOptions::shared_memory(unique_name())];
    for options in places {
        let options = SqliteOptions { hygiene: Hygiene::Reopen, ..options };
        assert_eq!(options.pool_defaults(config.clone()), config, "unchanged");
        Pool::new(SqliteDriver::new(options), config.clone())?;
    }
    Ok(())
}

#[test]
fn every_preset_can_be_made_to_fit() -> Result<(), OpenError> {
    let options = SqliteOptions::private_memory();
    let odd = PoolConfig { max_idle: 0, min_idle: 3, ..PoolConfig::default() };
    for base in Preset::ALL.map(PoolConfig::preset).into_iter().chain([odd]) {
        let base = PoolConfig { max_waiters: 7, ..base };
        let config = options.pool_defaults(base);
        assert_eq!((config.max_open, config.max_waiters), (1, 7), "the rest is left alone");
        Pool::new(SqliteDriver::new(options.clone()), config)?;
    }
    Ok(())
}

#[test]
fn a_reconfiguration_is_objected_to_as_well() {
    let driver = SqliteDriver::new(SqliteOptions::private_memory());
    let pool = Pool::new(driver.clone(), driver.pool_config()).expect("one database");
    let error = pool.reconfigure(PoolConfig { max_open: 1, ..PoolConfig::default() });
    assert_eq!(error.expect_err("expires").problems().len(), 2);
}

#[tokio::test]
async fn private_memory_keeps_its_data_from_user_to_user() {
    let driver = SqliteDriver::new(SqliteOptions::private_memory());
    let config = driver.pool_config();
    let pool = Pool::open(driver, config).await.expect("opened");
    let mut guard = pool.acquire().await.expect("idle");
    guard.execute_batch("CREATE TABLE notes (text TEXT)").await.expect("created");
    drop(guard);
    let mut guard = pool.acquire().await.expect("idle");
    assert_eq!(number(&mut guard, "SELECT count(*) FROM notes").await, 0);
    let mut apart = connect_in_memory().await;
    assert_eq!(number(&mut apart, "SELECT count(*) FROM sqlite_schema").await, 0);
}
