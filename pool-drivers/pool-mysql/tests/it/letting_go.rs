//! However a connection is let go of, nothing is spawned, waited for or left behind.

use std::net::TcpListener;

use mysql_async::prelude::Queryable as _;
use pool_core::{ConnectContext, Driver as _, Pool, PoolConfig, Statements};
use pool_mysql::{MysqlConnection, MysqlDriver, MysqlOptions, mysql_async};
use pool_testkit::Hand;
use tokio::runtime::Handle;

use crate::rig::{Schema, silent_server, within};

/// In what state a connection can be let go of.
#[derive(Clone, Copy, Debug)]
enum State {
    Clean,
    InTransaction,
    CutShort,
    AnswerUnread,
    TransactionOfTheLibrary,
}

const STATES: [State; 5] = [
    State::Clean,
    State::InTransaction,
    State::CutShort,
    State::AnswerUnread,
    State::TransactionOfTheLibrary,
];

async fn connect_in(state: State, schema: &Schema) -> MysqlConnection {
    let mut connection = schema.connect().await;
    match state {
        State::Clean => {}
        State::InTransaction => {
            connection.query_drop("START TRANSACTION").await.expect("begun");
        }
        State::CutShort => Hand::new(connection.query_drop("SELECT SLEEP(3600)")).pending(),
        State::AnswerUnread => {
            let raw = connection.raw().await.expect("in step");
            drop(raw.query_iter("SELECT * FROM seq").await.expect("answered"));
        }
        State::TransactionOfTheLibrary => {
            let raw = connection.raw().await.expect("in step");
            drop(raw.start_transaction(mysql_async::TxOpts::default()).await.expect("begun"));
        }
    }
    connection
}

/// A schema with a table whose rows fill many packets.
async fn schema_with_much() -> Schema {
    let schema = Schema::new().await;
    let mut connection = schema.connect().await;
    connection.query_drop("CREATE TABLE seq (text VARCHAR(1000))").await.expect("created");
    connection.query_drop("INSERT INTO seq VALUES (REPEAT('x', 1000))").await.expect("filled");
    for _ in 0..12 {
        connection.query_drop("INSERT INTO seq SELECT * FROM seq").await.expect("doubled");
    }
    schema
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn letting_go_spawns_nothing_and_ends_the_session() {
    let schema = schema_with_much().await;
    let driver = MysqlDriver::new(schema.options());
    for state in STATES {
        for polite in [false, true] {
            let connection = connect_in(state, &schema).await;
            let session = connection.server_id();
            let before = tasks();
            if polite {
                driver.abort(connection);
            } else {
                drop(connection);
            }
            assert_eq!(tasks(), before, "{state:?}");
            // A server finds out about a sleeping session's end when it looks, in its own time.
            if !matches!(state, State::CutShort) {
                within(async {
                    while schema.sessions().await.contains(&session) {
                        tokio::task::yield_now().await;
                    }
                })
                .await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_may_be_dropped_outside_the_runtime() {
    let schema = schema_with_much().await;
    for state in STATES {
        let connection = connect_in(state, &schema).await;
        std::thread::spawn(move || drop(connection)).join().expect("no panic");
        let connection = connect_in(state, &schema).await;
        let driver = MysqlDriver::new(schema.options());
        std::thread::spawn(move || driver.abort(connection)).join().expect("no panic");
    }
}

#[test]
fn a_connection_may_outlive_its_runtime() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let first = runtime().expect("a runtime");
    let schema = first.block_on(schema_with_much());
    for state in STATES {
        let gone = runtime().expect("a runtime");
        let connection = gone.block_on(connect_in(state, &schema));
        let other = gone.block_on(connect_in(state, &schema));
        drop(gone);
        drop(connection);
        MysqlDriver::new(schema.options()).abort(other);
    }
}

#[tokio::test]
async fn a_connect_that_fails_or_is_dropped_spawns_nothing() {
    let schema = Schema::new().await;
    let before = tasks();
    let wrong = MysqlOptions { password: "wrong".into(), ..schema.options() };
    crate::rig::try_connect(wrong).await.expect_err("denied");
    assert_eq!(tasks(), before, "after an error");

    // A server that lets anybody in as far as the password.
    let (listener, options) = silent_server();
    let greeted = tokio::net::TcpListener::from_std(nonblocking(listener)).expect("registered");
    let driver = MysqlDriver::new(options);
    let context = ConnectContext::new(1, Statements::unobserved());
    let mut connect = driver.connect(context);
    let (_server, _) = tokio::select! {
        biased;
        _ = &mut connect => panic!("nobody answers"),
        accepted = greeted.accept() => accepted.expect("accepted"),
    };
    let before = tasks();
    drop(connect);
    assert_eq!(tasks(), before, "after a drop");
}

fn nonblocking(listener: TcpListener) -> TcpListener {
    listener.set_nonblocking(true).expect("set");
    listener
}

#[test]
fn a_pool_may_outlive_its_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let schema = runtime.block_on(Schema::new());
    let pool = runtime.block_on(async {
        let driver = MysqlDriver::new(schema.options());
        let pool = Pool::open(driver, PoolConfig::default()).await.expect("opened");
        let mut guard = pool.acquire_owned().await.expect("acquired");
        guard.query_drop("START TRANSACTION").await.expect("begun");
        (pool, guard)
    });
    drop(runtime);
    drop(pool);
}
