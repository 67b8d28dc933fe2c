//! Connects that fail: each at once, with the server's own words, and nothing of the password.

use std::error::Error as _;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use pool_core::{ConnectContext, Driver as _, ErrorClass, Pool, PoolConfig, Statements};
use pool_mysql::mysql_async;
use pool_mysql::{ConnectFailure, MysqlDriver, MysqlError, MysqlOptions, Password};
use pool_testkit::Hand;

use crate::rig::{LIMIT, Schema, admin, refusing_server, try_connect, within};

/// What a connect fails with, its class, and all it says.
async fn failure(options: MysqlOptions) -> (MysqlError, ErrorClass, String) {
    let error = try_connect(options.clone()).await.expect_err("nothing to connect to");
    let class = MysqlDriver::new(options).classify(&error);
    let said = said(&error);
    (error, class, said)
}

/// An error and its causes.
fn said(error: &MysqlError) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        said = format!("{said}: {error}");
        next = error.source();
    }
    said
}

#[tokio::test]
async fn a_wrong_password_is_permanent_and_in_the_servers_words() {
    let schema = Schema::new().await;
    let options = MysqlOptions { password: "wrong".into(), ..schema.options() };
    let server = options.address.to_string();
    let (error, class, said) = failure(options).await;
    assert_eq!((error.code(), error.sql_state()), (Some(1045), Some("28000")));
    assert_eq!(class, ErrorClass::Permanent);
    let start = format!(
        "cannot connect to the server at {server}: Access denied for user '{}'@",
        schema.name
    );
    assert!(said.starts_with(&start), "{said}");
    assert_eq!(said.matches("Access denied").count(), 1, "said once: {said}");
}

#[tokio::test]
async fn no_password_where_one_is_needed_is_permanent() {
    let schema = Schema::new().await;
    let options = MysqlOptions { password: Password::none(), ..schema.options() };
    let (error, class, _) = failure(options).await;
    assert!(matches!(error.code(), Some(1045 | 1698)), "{error:?}");
    assert_eq!(class, ErrorClass::Permanent);
}

#[tokio::test]
async fn an_unknown_database_is_permanent() {
    let schema = Schema::new().await;
    let missing = format!("{}_missing", schema.name);
    // The user of the schema may not even know whether another one is there.
    let options = MysqlOptions { database: Some(missing.clone()), ..schema.options() };
    let (error, class, said) = failure(options).await;
    assert_eq!((error.code(), class), (Some(1044), ErrorClass::Permanent), "{said}");

    let mut admin = admin().await;
    let grant = format!("GRANT ALL ON {missing}.* TO {}@'%'", schema.name);
    admin.query_drop(grant).await.expect("granted");
    let options = MysqlOptions { database: Some(missing.clone()), ..schema.options() };
    let (error, class, said) = failure(options).await;
    assert_eq!((error.code(), class), (Some(1049), ErrorClass::Permanent), "{said}");
    assert!(said.contains(&missing), "{said}");
}

#[tokio::test]
async fn a_refused_connect_is_transient_and_immediate() {
    let started = Instant::now();
    let (error, class, said) = failure(refusing_server()).await;
    assert!(started.elapsed() < LIMIT / 4);
    assert_eq!((error.code(), class), (None, ErrorClass::Transient));
    assert!(said.to_lowercase().contains("refused"), "{said}");
}

#[tokio::test]
async fn a_missing_socket_is_transient() {
    let (_, class, said) = failure(MysqlOptions::socket("/nowhere/mysqld.sock")).await;
    assert_eq!(class, ErrorClass::Transient);
    let start = "cannot connect to the server at /nowhere/mysqld.sock: ";
    assert!(said.starts_with(start), "{said}");
}

#[tokio::test]
async fn invalid_options_are_permanent_and_never_reach_the_network() {
    let options = MysqlOptions::tcp("", 0);
    let (error, class, _) = failure(options.clone()).await;
    let invalid = MysqlError::Connect { server: String::new(), source: ConnectFailure::NoReactor };
    assert_eq!(std::mem::discriminant(&error), std::mem::discriminant(&invalid));
    assert!(matches!(error, MysqlError::Connect { source: ConnectFailure::Invalid(_), .. }));
    assert_eq!(class, ErrorClass::Permanent);
    Pool::new(MysqlDriver::new(options), PoolConfig::default()).expect_err("objected to");
}

#[tokio::test]
async fn a_provider_without_a_password_is_asked_again() {
    let schema = Schema::new().await;
    let fails = || async { Err::<String, _>("the vault is sealed".into()) };
    let options = MysqlOptions { password: Password::provided(fails), ..schema.options() };
    let (_, class, said) = failure(options).await;
    assert_eq!(class, ErrorClass::Transient);
    let end = ": the provider of the password failed: the vault is sealed";
    assert!(said.ends_with(end), "{said}");
}

fn expect_no_reactor(result: Result<pool_mysql::MysqlConnection, MysqlError>) {
    let error = result.expect_err("nothing to connect with");
    let MysqlError::Connect { source: ConnectFailure::NoReactor, .. } = &error else {
        panic!("another failure: {error:?}")
    };
    assert!(said(&error).contains("does not run on tokio with I/O enabled"), "{}", said(&error));
    let driver = MysqlDriver::new(MysqlOptions::tcp("127.0.0.1", 1));
    assert_eq!(driver.classify(&error), ErrorClass::Permanent);
}

#[test]
fn without_a_tokio_runtime_a_connect_says_so() {
    let driver = MysqlDriver::new(MysqlOptions::tcp("127.0.0.1", 1));
    let context = ConnectContext::new(1, Statements::unobserved());
    let std::task::Poll::Ready(result) = Hand::new(driver.connect(context)).poll() else {
        panic!("there is nothing to wait for")
    };
    expect_no_reactor(result);
}

#[test]
fn in_a_runtime_without_io_a_connect_says_so() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    expect_no_reactor(
        runtime.expect("a runtime").block_on(try_connect(MysqlOptions::tcp("127.0.0.1", 1))),
    );
}

#[tokio::test]
async fn a_server_without_room_is_overloaded() {
    let schema = Schema::new().await;
    let mut admin = admin().await;
    let limit = format!("ALTER USER {}@'%' WITH MAX_USER_CONNECTIONS 1", schema.name);
    admin.query_drop(limit).await.expect("limited");
    let one = schema.connect().await;
    let (error, class, said) = failure(schema.options()).await;
    assert_eq!((error.code(), class), (Some(1226), ErrorClass::Overloaded), "{said}");
    drop(one);
    // The pool waits for room.
    let config = PoolConfig { acquire_timeout: LIMIT, ..PoolConfig::default() };
    let pool = Pool::new(MysqlDriver::new(schema.options()), config).expect("valid");
    drop(within(pool.acquire()).await.expect("room again"));
}

#[tokio::test]
async fn a_server_that_never_speaks_costs_the_connect_timeout() {
    let (_listener, options) = crate::rig::silent_server();
    let config = PoolConfig {
        connect_timeout: Duration::from_millis(50),
        outage_grace: Some(Duration::from_millis(1)),
        ..PoolConfig::default()
    };
    let pool = Pool::new(MysqlDriver::new(options), config).expect("valid");
    let error = within(pool.acquire()).await.expect_err("nobody speaks");
    let cause = error.source().expect("the connect's").to_string();
    assert_eq!(cause, "the driver's connect did not finish within 50.0 ms");
}
