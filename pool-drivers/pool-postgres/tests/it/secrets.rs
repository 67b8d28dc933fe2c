//! A user's password is nowhere shown, in whatever form it was given. What is wrong with a form itself,
//! and what is said of it then, is in `url`.

use std::error::Error as _;
use std::net::TcpListener;
use std::time::Duration;

use pool_core::{Driver as _, Pool, PoolConfig, PoolOptions};
use pool_postgres::{
    ChannelBinding, Host, Password, PostgresDriver, PostgresError, PostgresOptions, TlsMode,
    TlsOptions,
};
use pool_testkit::servers::Access;
use pool_testkit::{Shown, percent_encoded};

use crate::rig::{Database, LIMIT, access, admin, within};
use crate::secure::User;
use crate::tls::{Answering, answering_any};

/// The password, of which every sign that means something somewhere must be escaped.
const SECRET: &str = r#"canary/of:all@forms ?#%25&='"\."#;

/// Each form in which the right password can be given, and what it is called. A provider gives the
/// password where none is in them.
fn forms(user: &str, database: &Database) -> Vec<(&'static str, PostgresOptions)> {
    let name = database.name();
    let owned = |text: &str| text.to_owned();
    let access = Access { user: owned(user), password: owned(SECRET), ..access().clone() };
    let (host, port) = (&access.host, access.port);
    let escaped = percent_encoded(SECRET);
    let quoted = SECRET.replace('\\', r"\\").replace('\'', r"\'");
    let unquoted = quoted.replace(' ', r"\ ");
    let texts = [
        ("a URL", access.url(name)),
        (
            "a URL with every sign escaped",
            format!("postgres://{user}:{escaped}@{host}:{port}/{name}"),
        ),
        (
            "a URL of several hosts",
            format!("postgresql://{user}:{escaped}@{host}:{port},{host}:{port}/{name}"),
        ),
        (
            "a URL's parameter",
            format!("postgresql://{host}:{port}/{name}?user={user}&password={escaped}"),
        ),
        (
            "a quoted word",
            format!("host={host} port={port} user={user} password='{quoted}' dbname={name}"),
        ),
        (
            "a word with escapes, and several hosts",
            format!("password={unquoted} host={host},{host} port={port} user={user} dbname={name}"),
        ),
    ];
    let texts = texts.map(|(form, text)| (form, text.parse().expect(form)));
    let options = PostgresOptions { user: Some(owned(user)), ..database.options() };
    let field = PostgresOptions { password: Some(SECRET.into()), ..options.clone() };
    let provided = PostgresOptions { password: None, ..options };
    [&texts[..], &[("a field", field), ("a provider", provided)]].concat()
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
    let config =
        PoolConfig { max_open: 1, leak_after: Some(Duration::from_millis(1)), ..patient() };
    let options = PoolOptions { observers: vec![shown.observer()], ..config.into() };
    let pool = Pool::open(driver, options).await.expect("the right password");
    let mut connection = within(pool.acquire()).await.expect("opened");
    shown.note(&(&pool, &connection, &*connection, pool.control().metadata(), pool.stats()));
    connection.query("SELECT 1", &[]).await.expect("answered");
    shown.note(&connection.transaction().await.expect("begun"));
    shown.note(&connection.query_stream("SELECT 1", &[]).await.expect("streaming"));
    shown.note(connection.client());
    let error = connection.query("SELECT no_such_column", &[]).await.expect_err("wrong");
    shown.note_error(&error);
    let end = "SELECT pg_terminate_backend(pg_backend_pid())";
    shown.note_error(&connection.query(end, &[]).await.expect_err("gone"));
    drop(connection);
    let connection = within(pool.acquire()).await.expect("replaced");
    let waited = pool.acquire_within(Duration::from_millis(5)).await;
    shown.note_error(&waited.expect_err("there is but one"));
    drop(connection);
    pool.control().reconfigure(PoolConfig { max_open: 2, ..pool.config() }).expect("valid");
    shown.note(&within(pool.control().close(LIMIT)).await);
}

fn patient() -> PoolConfig {
    // The first failure is told at once.
    let outage_grace = Some(Duration::from_millis(1));
    PoolConfig { outage_grace, acquire_timeout: LIMIT, ..PoolConfig::default() }
}

/// Servers that cannot be connected to.
struct Servers {
    closed: u16,
    silent: TcpListener,
    without_tls: Answering,
    other: Answering,
}

impl Servers {
    fn start() -> Self {
        let listener = || TcpListener::bind(("127.0.0.1", 0)).expect("bound");
        Self {
            closed: port_of(&listener()),
            silent: listener(),
            without_tls: Answering::start(b"N"),
            other: Answering::start(b"HTTP"),
        }
    }
}

fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("bound").port()
}

/// What cannot be connected to, each with a word of what is said.
fn failures(options: &PostgresOptions, servers: &Servers) -> Vec<(&'static str, PostgresOptions)> {
    let refused = vec![Host::tcp("127.0.0.1", servers.closed)];
    let several = [options.hosts.clone(), refused.clone()].concat();
    let no_such = Some("no_such".to_owned());
    let with = |mode| TlsOptions { mode: Some(mode), ..TlsOptions::default() };
    let (require, verify_full) = (with(TlsMode::Require), with(TlsMode::VerifyFull));
    let to =
        |hosts, tls: &TlsOptions| PostgresOptions { hosts, tls: tls.clone(), ..options.clone() };
    let short = Some(Duration::from_millis(50));
    let silent = vec![Host::tcp("127.0.0.1", port_of(&servers.silent))];
    let (binding, plain) = (ChannelBinding::Require, with(TlsMode::Disable));
    let unreadable = Some("/no/such/file.pem".into());
    vec![
        ("Connection refused", to(refused, &plain)),
        ("3D000", PostgresOptions { database: no_such.clone(), ..options.clone() }),
        ("none of", PostgresOptions { database: no_such.clone(), ..to(several, &plain) }),
        ("28P01", PostgresOptions { user: no_such, ..options.clone() }),
        ("no answer within", PostgresOptions { connect_timeout: short, ..to(silent, &plain) }),
        ("does not offer it", to(servers.without_tls.options().hosts, &require)),
        ("does not answer as a PostgreSQL server", to(servers.other.options().hosts, &require)),
        ("TLS", to(options.hosts.clone(), &verify_full)),
        ("DEBUG rustls", to(answering_any(b"S is not TLS").hosts, &require)),
        ("channel binding", PostgresOptions { channel_binding: binding, ..options.clone() }),
        (
            "/no/such/file.pem",
            to(options.hosts.clone(), &TlsOptions { root_certificates: unreadable, ..verify_full }),
        ),
        (
            "application_name",
            PostgresOptions { application_name: "a\0b".to_owned(), ..options.clone() },
        ),
    ]
}

/// Fails to connect with and without a pool to wait in.
async fn fail(driver: PostgresDriver, expected: &str) {
    let shown = Shown::start();
    shown.note(&driver);
    let options = PoolOptions { observers: vec![shown.observer()], ..patient().into() };
    let error = within(Pool::open(driver.clone(), options.clone())).await.expect_err(expected);
    shown.note_error(&error);
    // Else the options are at fault, and there is no pool.
    if let Ok(pool) = Pool::new(driver, options) {
        let error = within(pool.acquire()).await.expect_err(expected);
        let cause = error.source().and_then(|cause| cause.downcast_ref::<PostgresError>());
        assert!(cause.is_some(), "{error}");
        shown.note_error(&error);
        shown.note(&pool);
        shown.expect(&["OpenFailed"]);
    }
    shown.expect(&[expected]);
    shown.expect_no(SECRET);
}

async fn user_with_the_secret(database: &Database) -> User {
    let user = User::create(database).await;
    let literal = SECRET.replace('\'', "''");
    let sql = format!("ALTER ROLE {} SUPERUSER PASSWORD '{literal}'", user.name());
    admin().await.batch_execute(&sql).await.expect("altered");
    user
}

// Both on one thread: the log of another is not looked at.

#[tokio::test(flavor = "current_thread")]
async fn a_password_in_any_form_is_in_no_debug_error_event_log_or_metadata() {
    let database = Database::create().await;
    let user = user_with_the_secret(&database).await;
    for (form, options) in forms(user.name(), &database) {
        println!("{form}");
        let shown = Shown::start();
        use_up(driver(options.clone(), SECRET), &shown).await;
        shown.expect(&["StatementFinished", "Metadata", "no_such_column", "PoolReconfigured"]);
        shown.expect(&["TRACE tokio_postgres"]);
        shown.expect_no(SECRET);
        fail(driver(options, &format!("{SECRET}-wrong")), "28P01").await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_password_is_in_nothing_that_is_said_of_a_connect_that_fails() {
    let database = Database::create().await;
    let user = user_with_the_secret(&database).await;
    let servers = Servers::start();
    let options = PostgresOptions { user: Some(user.name().to_owned()), ..database.options() };
    for password in [Some(SECRET.into()), None] {
        let options = PostgresOptions { password, ..options.clone() };
        for (expected, options) in failures(&options, &servers) {
            println!("{expected}");
            fail(driver(options, SECRET), expected).await;
        }
        for server in [&servers.without_tls, &servers.other] {
            server.was_told_nothing();
        }
    }
}
