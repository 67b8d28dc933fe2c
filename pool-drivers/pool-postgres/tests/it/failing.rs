//! What is said when a server cannot be reached, refuses, or goes away.

use std::error::Error;
use std::net::TcpListener;
use std::time::Duration;

use pool_core::{
    AcquireErrorKind, CloseReason, ConnectContext, Driver as _, ErrorClass, Guard, OpenError, Pool,
    PoolConfig, Statements,
};
use pool_postgres::{
    ConnectFailure, Host, Password, PostgresDriver, PostgresError, PostgresOptions,
};

use crate::rig::{CANARY, Database, admin, code, pid, pool_of_one, terminate, try_connect, within};
use crate::secure::User;

fn class(error: &PostgresError) -> ErrorClass {
    PostgresDriver::new(PostgresOptions::tcp("unused", 1)).classify(error)
}

/// An error and its causes in one line, after a look for the secret in all of their forms.
pub(crate) fn said(error: &PostgresError) -> String {
    let mut parts = Vec::new();
    let mut next = Some(error as &dyn Error);
    while let Some(error) = next {
        let debug = format!("{error:?} {error:#?}");
        assert!(!debug.contains(CANARY), "{}", debug.replace(CANARY, "THE SECRET"));
        parts.push(error.to_string());
        next = error.source();
    }
    let said = parts.join(": ");
    assert!(!said.contains(CANARY), "{}", said.replace(CANARY, "THE SECRET"));
    said
}

async fn fail(options: PostgresOptions) -> PostgresError {
    try_connect(options).await.expect_err("this cannot be connected to")
}

#[tokio::test]
async fn an_unknown_database_is_the_servers_word_and_permanent() {
    let database = Database::create().await;
    let options = PostgresOptions { database: Some("no_such".to_owned()), ..database.options() };
    let host = options.hosts[0].to_string();
    let error = fail(options).await;
    let words = "database \"no_such\" does not exist (SQLSTATE 3D000)";
    let expected = format!("cannot connect to the PostgreSQL server {host}: {words}");
    assert_eq!(said(&error), expected);
    assert_eq!(class(&error), ErrorClass::Permanent);
}

#[tokio::test]
async fn a_wrong_password_is_permanent_and_never_shown() {
    let database = Database::create().await;
    let user = User::create(&database).await;
    let right = user.options(&database);
    try_connect(right.clone()).await.expect("the right one is right");
    let wrong = Password::new(format!("{CANARY}-wrong"));
    let error = fail(PostgresOptions { password: Some(wrong), ..right.clone() }).await;
    assert!(said(&error).contains("password authentication failed for user"), "{}", said(&error));
    assert_eq!(code(&error), Some("28P01"));
    assert_eq!(class(&error), ErrorClass::Permanent);
    let error = fail(PostgresOptions { password: None, ..right }).await;
    assert!(said(&error).ends_with("invalid configuration: password missing"), "{}", said(&error));
    assert_eq!(class(&error), ErrorClass::Permanent);
}

#[tokio::test]
async fn a_password_comes_from_its_provider_at_each_connect() {
    let database = Database::create().await;
    let user = User::create(&database).await;
    let options = PostgresOptions { password: None, ..user.options(&database) };
    let current = std::sync::Arc::new(std::sync::Mutex::new(CANARY.to_owned()));
    let source = std::sync::Arc::clone(&current);
    let driver = PostgresDriver::new(options).with_password_provider(move || {
        let password = source.lock().expect("not poisoned").clone();
        async move {
            if password.is_empty() {
                Err("the vault is sealed".into())
            } else {
                Ok(password.into())
            }
        }
    });
    assert!(!format!("{driver:?}").contains(CANARY));
    let pool =
        Pool::new(driver, PoolConfig { max_open: 2, ..PoolConfig::default() }).expect("valid");
    let former = pool.acquire().await.expect("by the first password");
    // The password is rotated: who is connected stays so, who connects uses the new one.
    let sql = format!("ALTER ROLE {} PASSWORD 'rotated'", user.name());
    admin().await.batch_execute(&sql).await.expect("rotated");
    "rotated".clone_into(&mut current.lock().expect("not poisoned"));
    pool.control().invalidate();
    let latter = pool.acquire().await.expect("by the second password");
    former.query("SELECT 1", &[]).await.expect("not interrupted");
    drop((former, latter));
    assert_eq!(pool.stats().closed.of(CloseReason::Invalidated), 1);
    current.lock().expect("not poisoned").clear();
    let context = ConnectContext::new(1, Statements::unobserved());
    let error = within(pool.driver().connect(context)).await.expect_err("no password");
    assert_eq!(said(&error), "the password provider has no password: the vault is sealed");
    assert_eq!(class(&error), ErrorClass::Transient);
}

#[tokio::test]
async fn a_refused_connection_is_transient() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let error = fail(PostgresOptions::tcp("127.0.0.1", port)).await;
    assert!(said(&error).contains(&format!("127.0.0.1:{port}: Connection refused")), "{error:?}");
    assert_eq!(class(&error), ErrorClass::Transient);
}

#[tokio::test]
async fn a_name_that_is_not_known_is_said_so() {
    let error = fail(PostgresOptions::tcp("no-such-host.invalid", 5432)).await;
    assert!(said(&error).contains("its name cannot be resolved"), "{error:?}");
    assert_eq!(class(&error), ErrorClass::Transient);
}

#[tokio::test]
async fn an_address_that_does_not_answer_ends_at_its_timeout() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    let port = silent.local_addr().expect("bound").port();
    let options = PostgresOptions {
        connect_timeout: Some(Duration::from_millis(50)),
        ..PostgresOptions::tcp("127.0.0.1", port)
    };
    let error = fail(options).await;
    assert!(said(&error).ends_with("no answer within 50ms"), "{error:?}");
    assert_eq!(class(&error), ErrorClass::Transient);
}

#[tokio::test]
async fn wrong_options_are_told_by_pool_and_connect_alike() {
    let options = PostgresOptions { hosts: Vec::new(), ..PostgresOptions::tcp("unused", 1) };
    let error = fail(options.clone()).await;
    assert!(matches!(error, PostgresError::Invalid(_)), "{error:?}");
    assert_eq!(class(&error), ErrorClass::Permanent);
    let error = Pool::new(PostgresDriver::new(options), PoolConfig::default()).expect_err("wrong");
    let OpenError::Config(error) = error else { panic!("{error:?}") };
    assert_eq!(error.problems()[0].field, "host");
}

#[test]
fn without_tokio_a_connect_says_so() {
    let driver = PostgresDriver::new(PostgresOptions::tcp("127.0.0.1", 1));
    let connect = || driver.connect(ConnectContext::new(1, Statements::unobserved()));
    let error = futures_util::future::FutureExt::now_or_never(connect());
    let error = error.expect("at once").expect_err("no tokio");
    assert!(matches!(error, PostgresError::NoReactor), "{error:?}");
    assert_eq!(class(&error), ErrorClass::Permanent);
    // A runtime with its network and timer off is none either.
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let error = runtime.block_on(connect()).expect_err("no network");
    assert!(matches!(error, PostgresError::NoReactor), "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_full_is_overloaded() {
    let database = Database::create().await;
    let user = User::create(&database).await;
    let sql = format!("ALTER ROLE {} CONNECTION LIMIT 1", user.name());
    admin().await.batch_execute(&sql).await.expect("limited");
    let options = user.options(&database);
    let _only = try_connect(options.clone()).await.expect("one is allowed");
    let error = fail(options).await;
    assert_eq!(code(&error), Some("53300"), "{error:?}");
    assert_eq!(class(&error), ErrorClass::Overloaded);
}

#[tokio::test]
async fn a_backend_killed_in_a_statement_is_one_error_and_replaced() {
    let database = Database::create().await;
    let pool = pool_of_one(database.options());
    let connection = pool.acquire().await.expect("opened");
    let session = pid(&connection).await;
    let (slept, ()) = tokio::join!(connection.batch_execute("SELECT pg_sleep(3600)"), async {
        let admin = admin().await;
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE pid = $1 AND query LIKE '%3600%' AND state = 'active'";
        while admin.query(sql, &[&session]).await.expect("asked").is_empty() {
            tokio::task::yield_now().await;
        }
    });
    let error = slept.expect_err("killed");
    assert_eq!(code(&error), Some("57P01"), "{error:?}");
    assert_eq!(class(&error), ErrorClass::Transient);
    drop(connection);
    let connection = within(pool.acquire()).await.expect("replaced");
    assert_ne!(pid(&connection).await, session);
}

#[tokio::test]
async fn a_backend_killed_at_rest_is_found_by_its_next_statement_at_the_latest() {
    let database = Database::create().await;
    let pool = pool_of_one(database.options());
    let connection = pool.acquire().await.expect("opened");
    let session = pid(&connection).await;
    terminate(session).await;
    let error = within(connection.query("SELECT 1", &[])).await.expect_err("gone");
    assert!(connection.is_closed(), "{error:?}");
    drop(connection);
    let connection = within(pool.acquire()).await.expect("replaced");
    assert_ne!(pid(&connection).await, session);
    assert_eq!(pool.stats().closed.of(CloseReason::Broken), 1);
}

#[tokio::test]
async fn an_acquire_tells_what_the_server_said() {
    let database = Database::create().await;
    let options = PostgresOptions { database: Some("no_such".to_owned()), ..database.options() };
    let error = within(pool_of_one(options).acquire()).await.expect_err("no such database");
    assert_eq!(error.kind(), AcquireErrorKind::ConnectFailed);
    let source = error.source().and_then(|source| source.downcast_ref::<PostgresError>());
    let source = source.expect("the driver's own");
    assert!(matches!(source, PostgresError::Connect { source: ConnectFailure::Server(_), .. }));
}

#[tokio::test]
async fn a_detached_connection_listens_until_its_end() {
    let database = Database::create().await;
    let pool = pool_of_one(database.options());
    let mut listener = Guard::detach(pool.acquire().await.expect("opened"));
    listener.batch_execute("LISTEN news").await.expect("listening");
    let teller = pool.acquire().await.expect("another");
    for number in 0..1030 {
        teller.execute("SELECT pg_notify('news', $1)", &[&number.to_string()]).await.expect("told");
    }
    // Heard by now: answers come in order.
    listener.query("SELECT 1", &[]).await.expect("answered");
    assert_eq!(listener.missed_notifications(), 6, "1024 are kept");
    for number in 6..1030 {
        let heard = within(listener.notification()).await.expect("heard");
        assert_eq!(heard.payload(), number.to_string());
    }
    terminate(pid(&listener).await).await;
    assert!(within(listener.notification()).await.is_none(), "it has ended");
}

#[test]
fn a_host_is_shown_without_what_could_break_a_line() {
    assert_eq!(Host::tcp("a\nb", 1).to_string(), "a\\nb:1");
}
