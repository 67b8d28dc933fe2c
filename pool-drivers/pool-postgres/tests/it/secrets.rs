//! The password, which every user of the test server has, is nowhere shown, in whatever form it was
//! given. What is wrong with a form itself, and what is said of it then, is in `url`.

use std::error::Error;
use std::fmt::Debug;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pool_core::{
    AcquireFailed, AcquireStarted, AcquireSucceeded, CircuitChanged, ConnectionClosed,
    ConnectionOpened, ConnectionReleased, Driver as _, Observer, OpenFailed, Pool, PoolConfig,
    PoolOptions, StatementFinished, StatementStarted, WaiterQueued,
};
use pool_postgres::{Host, Password, PostgresDriver, PostgresOptions};

use crate::rig::{CANARY, Database, LIMIT, access, within};

/// Everything that was shown.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<String>>);

impl Shown {
    fn note(&self, what: &dyn Debug) {
        let text = format!("{what:?}\n{what:#?}\n");
        self.0.lock().expect("not poisoned").push_str(&text);
    }

    fn note_error(&self, error: &dyn Error) {
        let mut next = Some(error);
        while let Some(error) = next {
            self.note(&error);
            self.note(&error.to_string());
            next = error.source();
        }
    }
}

macro_rules! note_all {
    ($($method:ident: $event:ident)*) => {
        impl Observer for Shown {
            $(fn $method(&self, event: &$event<'_>) {
                self.note(event);
            })*
        }
    };
}

note_all! {
    acquire_started: AcquireStarted
    acquire_succeeded: AcquireSucceeded
    acquire_failed: AcquireFailed
    waiter_queued: WaiterQueued
    released: ConnectionReleased
    opened: ConnectionOpened
    open_failed: OpenFailed
    circuit_changed: CircuitChanged
    closed: ConnectionClosed
    statement_started: StatementStarted
    statement_finished: StatementFinished
}

/// The right password in every form in which it can be given; none, for a provider to give it.
fn forms(database: &Database) -> Vec<PostgresOptions> {
    let (server, name) = (access(), database.name());
    let (host, port, user) = (&server.host, server.port, &server.user);
    let by_string =
        format!("host={host} port={port} user={user} password='{CANARY}' dbname={name}");
    let by_parameter = format!("postgresql://{user}@{host}:{port}/{name}?password={CANARY}");
    let encoded = CANARY.replace('-', "%2D");
    let by_code = format!("postgres://{user}:{encoded}@{host}:{port}/{name}");
    let texts = [server.url(name), by_parameter, by_code, by_string];
    let texts = texts.map(|text| text.parse::<PostgresOptions>().expect("right"));
    let fields = [Some(CANARY.into()), None];
    let fields = fields.map(|password| PostgresOptions { password, ..database.options() });
    [&texts[..], &fields].concat()
}

/// Gives `password` as `options` do.
fn driver(options: PostgresOptions, password: &str) -> PostgresDriver {
    let password = Password::from(password);
    if options.password.is_some() {
        return PostgresDriver::new(PostgresOptions { password: Some(password), ..options });
    }
    PostgresDriver::new(options).with_password_provider(move || {
        let password = password.clone();
        async { Ok(password) }
    })
}

/// Uses a pool well and badly.
async fn use_up(driver: PostgresDriver, shown: &Shown) {
    shown.note(&(&driver, driver.options(), driver.metadata()));
    let observer = Arc::new(shown.clone()) as Arc<dyn Observer>;
    let config = PoolConfig { max_open: 1, ..PoolConfig::default() };
    let options = PoolOptions { observers: vec![observer], ..config.into() };
    let pool = Pool::open(driver, options).await.expect("the right password");
    let connection = within(pool.acquire()).await.expect("opened");
    shown.note(&(&pool, &connection, &*connection, pool.control().metadata(), pool.stats()));
    connection.query("SELECT 1", &[]).await.expect("answered");
    shown.note_error(&connection.query("SELECT no_such_column", &[]).await.expect_err("wrong"));
    shown.note_error(
        &connection
            .query("SELECT pg_terminate_backend(pg_backend_pid())", &[])
            .await
            .expect_err("gone"),
    );
    drop(connection);
    drop(within(pool.acquire()).await.expect("replaced"));
    shown.note(&within(pool.control().close(LIMIT)).await);
}

/// Fails to connect with the right password and with a wrong one.
async fn fail(options: &PostgresOptions, shown: &Shown) {
    let closed = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    let port = closed.local_addr().expect("bound").port();
    drop(closed);
    let refused = vec![Host::tcp("127.0.0.1", port)];
    let several = [options.hosts.clone(), refused.clone()].concat();
    let no_such = Some("no_such".to_owned());
    let wrong = format!("{CANARY}-wrong");
    for (options, password) in [
        (PostgresOptions { hosts: refused, ..options.clone() }, CANARY),
        (PostgresOptions { hosts: several, database: no_such.clone(), ..options.clone() }, CANARY),
        (PostgresOptions { database: no_such.clone(), ..options.clone() }, CANARY),
        (PostgresOptions { user: no_such, ..options.clone() }, CANARY),
        (options.clone(), &wrong),
    ] {
        let driver = driver(options, password);
        shown.note(&driver);
        let observers = vec![Arc::new(shown.clone()) as Arc<dyn Observer>];
        // The first failure is told at once.
        let outage_grace = Some(Duration::from_millis(1));
        let config = PoolConfig { outage_grace, acquire_timeout: LIMIT, ..PoolConfig::default() };
        let pool = Pool::new(driver, PoolOptions { observers, ..config.into() }).expect("valid");
        shown.note_error(&within(pool.acquire()).await.expect_err("it fails"));
    }
    let invalid = PostgresOptions { application_name: "a\0b".to_owned(), ..options.clone() };
    let error = Pool::new(driver(invalid, CANARY), PoolConfig::default()).expect_err("invalid");
    shown.note_error(&error);
}

#[tokio::test]
async fn a_password_in_any_form_is_in_no_debug_error_event_or_metadata() {
    let database = Database::create().await;
    for options in forms(&database) {
        let shown = Shown::default();
        fail(&options, &shown).await;
        use_up(driver(options, CANARY), &shown).await;
        let shown = shown.0.lock().expect("not poisoned");
        // The test is worth nothing if nothing was shown.
        for word in ["OpenFailed", "StatementFinished", "28P01", "Metadata", "no_such_column"] {
            assert!(shown.contains(word), "{word} was not shown");
        }
        for secret in [CANARY.to_owned(), CANARY.replace('-', "%2D")] {
            assert!(!shown.contains(&secret), "{}", shown.replace(&secret, "THE SECRET"));
        }
    }
}
