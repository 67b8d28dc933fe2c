//! Several servers, and which of them is connected to.

use std::collections::HashSet;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt as _;
use pool_core::{ConnectContext, Driver as _, ErrorClass, Statements};
use pool_postgres::{
    ConnectFailure, Host, LoadBalance, PostgresConnection, PostgresDriver, PostgresError,
    PostgresOptions, TargetSession, TargetSession as Wanted,
};

use crate::failing::said;
use crate::rig::{
    CANARY, Database, admin, code, connect, in_transaction, pid, pool_of_one, try_connect, within,
};

/// A port on which nobody listens.
fn refused() -> Host {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    Host::tcp("127.0.0.1", listener.local_addr().expect("bound").port())
}

/// One that takes connections and never answers.
fn silent() -> (TcpListener, Host) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    let host = Host::tcp("127.0.0.1", listener.local_addr().expect("bound").port());
    (listener, host)
}

async fn works(connection: &PostgresConnection) {
    within(connection.query("SELECT 1", &[])).await.expect("answered");
}

#[tokio::test]
async fn a_server_that_refuses_is_passed_over() {
    let database = Database::create().await;
    let options = database.options();
    let hosts = vec![refused(), options.hosts[0].clone()];
    works(&connect(PostgresOptions { hosts, ..options }).await).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_passed_over() {
    let database = Database::create().await;
    let options = database.options();
    let (_listener, silent) = silent();
    // With several, none takes more than its share by default.
    let hosts = vec![silent, options.hosts[0].clone()];
    works(&connect(PostgresOptions { hosts, ..options }).await).await;
}

#[tokio::test]
async fn a_limit_of_zero_is_none() {
    let database = Database::create().await;
    let options = database.options();
    let connect_timeout = Some(Duration::ZERO);
    let hosts = vec![refused(), options.hosts[0].clone()];
    works(&connect(PostgresOptions { connect_timeout, hosts, ..options }).await).await;
}

#[tokio::test]
async fn what_each_server_said_is_told() {
    let database = Database::create().await;
    let options = database.options();
    let hosts = vec![refused(), options.hosts[0].clone()];
    let [first, second] = [hosts[0].to_string(), hosts[1].to_string()];
    let no_such = Some("no_such".to_owned());
    let options = PostgresOptions { hosts, database: no_such, ..options };
    let error = try_connect(options.clone()).await.expect_err("no such database");
    let expected = format!(
        "none of 2 PostgreSQL servers can be connected to; {first}: Connection refused (os error \
         111); {second}: database \"no_such\" does not exist (SQLSTATE 3D000)"
    );
    assert_eq!(said(&error), expected);
    // The first may come back.
    assert_eq!(PostgresDriver::new(options).classify(&error), ErrorClass::Transient);
}

#[tokio::test]
async fn a_session_is_what_it_is_asked_to_be() {
    let database = Database::create().await;
    let options = database.options();
    let read_only = Some("-c default_transaction_read_only=on".to_owned());
    let with = |target_session_attrs, session: &Option<String>| PostgresOptions {
        target_session_attrs,
        options: session.clone(),
        ..options.clone()
    };
    for (wanted, session, fits) in [
        (Wanted::Any, &None, true),
        (Wanted::ReadWrite, &None, true),
        (Wanted::ReadOnly, &None, false),
        (Wanted::Primary, &None, true),
        (Wanted::Standby, &None, false),
        (Wanted::PreferStandby, &None, true),
        (Wanted::Any, &read_only, true),
        (Wanted::ReadWrite, &read_only, false),
        (Wanted::ReadOnly, &read_only, true),
        (Wanted::Primary, &read_only, true),
    ] {
        let options = with(wanted, session);
        match try_connect(options.clone()).await {
            Ok(connection) => {
                assert!(fits, "{wanted:?} {session:?}");
                works(&connection).await;
            }
            Err(error) => {
                assert!(!fits, "{wanted:?} {session:?}: {error:?}");
                let expected = format!("target_session_attrs={} asks for", wanted.name());
                assert!(said(&error).ends_with(&expected), "{}", said(&error));
                let class = PostgresDriver::new(options).classify(&error);
                assert_eq!(class, ErrorClass::RoleChanged);
            }
        }
    }
}

#[tokio::test]
async fn of_several_servers_the_one_that_fits_is_taken() {
    let database = Database::create().await;
    let user = format!("{}_reader", database.name());
    // The same server looks like a standby to one of two users... of one host each.
    let sql = format!(
        "CREATE ROLE {user} LOGIN SUPERUSER PASSWORD '{CANARY}'; ALTER ROLE {user} SET default_transaction_read_only = on"
    );
    admin().await.batch_execute(&sql).await.expect("created");
    let options = database.options();
    let hosts = vec![refused(), options.hosts[0].clone(), options.hosts[0].clone()];
    let reader = PostgresOptions { hosts, user: Some(user.clone()), ..options };
    let target_session_attrs = TargetSession::ReadWrite;
    let error = try_connect(PostgresOptions { target_session_attrs, ..reader.clone() }).await;
    let error = error.expect_err("nobody may write");
    let PostgresError::NoServer { attempts } = &error else { panic!("{error:?}") };
    let wrong = attempts.iter().filter(|attempt| {
        matches!(attempt, PostgresError::Connect { source: ConnectFailure::WrongTarget(_), .. })
    });
    assert_eq!((attempts.len(), wrong.count()), (3, 2), "{error:?}");
    let target_session_attrs = TargetSession::ReadOnly;
    works(&connect(PostgresOptions { target_session_attrs, ..reader.clone() }).await).await;
    let target_session_attrs = TargetSession::PreferStandby;
    works(&connect(PostgresOptions { target_session_attrs, ..reader }).await).await;
    // What was looked at and not taken is not left behind.
    database.is_left().await;
    admin().await.batch_execute(&format!("DROP ROLE {user}")).await.expect("dropped");
}

#[tokio::test]
async fn a_connection_that_was_to_write_and_may_not_any_more_is_replaced() {
    let database = Database::create().await;
    let table = "CREATE TABLE t (x int)";
    connect(database.options()).await.batch_execute(table).await.expect("created");
    for (target_session_attrs, by_stream, is_replaced) in [
        (Wanted::ReadWrite, false, true),
        (Wanted::ReadWrite, true, true),
        (Wanted::Any, false, false),
    ] {
        let options = PostgresOptions { target_session_attrs, ..database.options() };
        let pool = pool_of_one(options);
        let connection = pool.acquire().await.expect("opened");
        let session = pid(&connection).await;
        // As a primary does that has become a standby.
        connection.batch_execute("SET default_transaction_read_only = on").await.expect("set");
        let insert = "INSERT INTO t VALUES (1) RETURNING x";
        let error = if by_stream {
            // This comes with the rows, not with the stream.
            let mut rows = connection.query_stream(insert, &[]).await.expect("begun");
            rows.next().await.expect("an item").expect_err("read only")
        } else {
            connection.query(insert, &[]).await.expect_err("read only")
        };
        assert_eq!(code(&error), Some("25006"));
        drop(connection);
        let connection = within(pool.acquire()).await.expect("a turn");
        assert_eq!(pid(&connection).await != session, is_replaced, "{target_session_attrs:?}");
    }
}

#[tokio::test]
async fn load_is_balanced_at_random_and_only_if_asked_for() {
    // Each server that is tried takes part in the message: its order is the order of trying.
    let hosts = vec![refused(), refused(), refused()];
    for (load_balance_hosts, orders) in [(LoadBalance::Disable, 1..2), (LoadBalance::Random, 2..7)]
    {
        let base = PostgresOptions::tcp("unused", 1);
        let options = PostgresOptions { hosts: hosts.clone(), load_balance_hosts, ..base };
        let driver = PostgresDriver::new(options);
        let mut seen = HashSet::new();
        for _ in 0..64 {
            let context = ConnectContext::new(1, Statements::unobserved());
            let error = within(driver.connect(context)).await.expect_err("all refuse");
            seen.insert(error.to_string());
        }
        // All 64 alike at random: 6^-63.
        assert!(orders.contains(&seen.len()), "{load_balance_hosts:?}: {seen:?}");
    }
}

#[tokio::test]
async fn a_socket_reaches_the_server_and_its_cancels() {
    let database = Database::create().await;
    let admin = admin().await;
    let sql = "SELECT split_part(current_setting('unix_socket_directories'), ',', 1)";
    let directory: String = admin.query_one(sql, &[]).await.expect("asked").get(0);
    let port: String = admin.query_one("SHOW port", &[]).await.expect("asked").get(0);
    let host = Host::unix(PathBuf::from(directory), port.parse().expect("a port"));
    let pool = pool_of_one(PostgresOptions { hosts: vec![host], ..database.options() });
    let connection = pool.acquire().await.expect("opened");
    works(&connection).await;
    pool_testkit::Hand::new(connection.batch_execute("SELECT pg_sleep(3600)")).pending();
    drop(connection);
    let connection = within(pool.acquire()).await.expect("stopped");
    assert!(!in_transaction(&connection).await);
    assert_eq!(pool.stats().opened, 1);
}
