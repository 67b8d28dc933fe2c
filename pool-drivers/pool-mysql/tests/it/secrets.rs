//! The password is in nothing that can be printed, in whatever form it was given. What is wrong with a
//! form itself, and what is said of it then, is in `url`.

use std::time::Duration;

use pool_core::{Driver as _, Pool, PoolConfig, PoolOptions};
use pool_mysql::{MysqlDriver, MysqlOptions, Password, TlsMode};
use pool_testkit::servers::{Access, Tls};
use pool_testkit::{Shown, percent_encoded};

use crate::rig::{CANARY, LIMIT, Schema, refusing_server, server, silent_server, within};
use crate::tls::own_server;

/// The name of each form in which the right password can be given.
fn forms(schema: &Schema) -> Vec<(&'static str, MysqlOptions)> {
    let (base, name) = (schema.options(), &schema.name);
    let access = Access { user: name.clone(), password: CANARY.to_owned(), ..server().clone() };
    let escaped = percent_encoded(CANARY);
    let url = |url: &str| MysqlOptions::from_url(url).expect("valid");
    let provided = Password::provided(|| async { Ok(CANARY.to_owned()) });
    vec![
        ("a field", base.clone()),
        ("a provider", MysqlOptions { password: provided, ..base.clone() }),
        ("a URL", url(&access.url(name))),
        (
            "a URL with every sign escaped",
            url(&format!("mariadb://{name}:{escaped}@{}/{name}?hygiene=clean", base.address)),
        ),
        // No more than what would end the password, or begin an escape.
        (
            "a URL with few signs escaped",
            url(&format!(
                "mysql://{name}:{}@{}/{name}?tls=require",
                CANARY.replace('%', "%25").replace('/', "%2f"),
                base.address
            )),
        ),
    ]
}

fn with(options: &MysqlOptions, password: &Password) -> MysqlOptions {
    MysqlOptions { password: password.clone(), ..options.clone() }
}

/// What cannot be connected to, each with a word of what is said.
fn failures(right: &MysqlOptions, without_tls: &Access) -> Vec<(&'static str, MysqlOptions)> {
    let at = |options: MysqlOptions| MysqlOptions { address: options.address, ..right.clone() };
    let tls = |mode, options: MysqlOptions| MysqlOptions { tls: Some(mode), ..options };
    let no_file = Some("/nowhere/c.pem".into());
    let missing = MysqlOptions { database: Some("missing".to_owned()), ..right.clone() };
    let invalid = MysqlOptions { database: Some("a\0b".to_owned()), ..right.clone() };
    let plain = at(MysqlOptions::tcp(&*without_tls.host, without_tls.port));
    let (require, verify_full) = (TlsMode::Require, TlsMode::VerifyFull);
    let unreadable = MysqlOptions { tls_cert: no_file.clone(), tls_key: no_file, ..right.clone() };
    let socket = at(MysqlOptions::socket("/nowhere/m.sock"));
    vec![
        ("refused", at(refusing_server())),
        ("host.invalid", tls(TlsMode::Disable, at(MysqlOptions::tcp("host.invalid", 1)))),
        ("server at /nowhere/m.sock", MysqlOptions { tls: None, ..socket }),
        ("(error 1044,", missing),
        // MySQL tells nobody whom it knows: it asks for a way of authentication, drawn at random.
        (
            "cannot connect to the server",
            MysqlOptions { user: "nobody".to_owned(), ..right.clone() },
        ),
        ("the server offers no TLS", tls(require, plain)),
        ("invalid peer certificate", tls(verify_full, right.clone())),
        ("/nowhere/c.pem cannot be read", tls(require, unreadable)),
        ("first NUL", invalid),
    ]
}

/// Uses a pool well and badly.
async fn use_up(options: MysqlOptions, shown: &Shown) {
    let driver = MysqlDriver::new(options);
    shown.note(&(&driver, driver.metadata()));
    let config = PoolConfig { max_open: 1, acquire_timeout: LIMIT, ..PoolConfig::default() };
    let settings = PoolOptions { observers: vec![shown.observer()], ..config.into() };
    let pool = Pool::open(driver, settings).await.expect("the right password");
    let mut connection = within(pool.acquire()).await.expect("opened");
    shown.note(&(&pool, &connection, &*connection, pool.control().metadata(), pool.stats()));
    connection.exec_drop("DO ?", (1,)).await.expect("answered");
    shown.note_error(&connection.query_drop("SELEKT").await.expect_err("no such word"));
    shown.note(&connection.transaction().await.expect("begun"));
    connection.raw().await.expect("in step");
    shown.note(&connection);
    let end = format!("KILL {}", connection.server_id());
    shown.note_error(&connection.query_drop(&end).await.expect_err("gone"));
    drop(connection);
    let connection = within(pool.acquire()).await.expect("replaced");
    let waited = pool.acquire_within(Duration::from_millis(5)).await;
    shown.note_error(&waited.expect_err("there is but one"));
    drop(connection);
    shown.note(&within(pool.control().close(LIMIT)).await);
}

async fn fail(options: MysqlOptions, connect_timeout: Duration, expected: &str, shown: &Shown) {
    let driver = MysqlDriver::new(options);
    shown.note(&driver);
    // The first failure is told at once.
    let outage_grace = Some(Duration::from_millis(1));
    let config = PoolConfig { outage_grace, connect_timeout, ..PoolConfig::default() };
    let settings = PoolOptions { observers: vec![shown.observer()], ..config.into() };
    let opened = within(Pool::open(driver.clone(), settings.clone())).await;
    shown.note_error(&opened.expect_err(expected));
    shown.expect(&[expected]);
    let Ok(pool) = Pool::new(driver, settings) else { return };
    shown.note_error(&within(pool.acquire()).await.expect_err(expected));
    shown.note(&pool);
}

/// On one thread: the log of another is not looked at.
#[tokio::test(flavor = "current_thread")]
async fn a_password_in_any_form_is_in_no_debug_error_event_log_or_metadata() {
    let schema = Schema::new().await;
    let without_tls = own_server(Tls::Off, &[]);
    let (_silent, silent) = silent_server();
    for (form, options) in forms(&schema) {
        println!("{form}");
        let shown = Shown::start();
        shown.note(&options);
        for (expected, options) in failures(&options, without_tls.access()) {
            fail(options, LIMIT, expected, &shown).await;
        }
        let wrong = Password::from(format!("{CANARY}-wrong"));
        fail(with(&options, &wrong), LIMIT, "(error 1045,", &shown).await;
        let silent = MysqlOptions { address: silent.address.clone(), ..options.clone() };
        fail(silent, Duration::from_millis(50), "did not finish within", &shown).await;
        use_up(options, &shown).await;
        shown.expect(&["OpenFailed", "StatementFinished", "Metadata", "SELEKT"]);
        shown.expect(&["mysql_async::prepare", "mysql_async::query", "DEBUG rustls"]);
        shown.expect_no(CANARY);
    }
}

#[tokio::test]
async fn a_rotated_password_is_asked_for_at_each_connect() {
    use std::sync::{Arc, Mutex};

    use mysql_async::prelude::Queryable as _;
    use pool_mysql::mysql_async;

    let schema = Schema::new().await;
    let current = Arc::new(Mutex::new(CANARY.to_owned()));
    let provider = {
        let current = Arc::clone(&current);
        move || {
            let password = current.lock().expect("not poisoned").clone();
            async { Ok(password) }
        }
    };
    let options = MysqlOptions { password: Password::provided(provider), ..schema.options() };
    let driver = MysqlDriver::new(options);
    let pool = Pool::new(driver, PoolConfig { max_open: 1, ..PoolConfig::default() });
    let pool = pool.expect("valid");
    drop(within(pool.acquire()).await.expect("with the old one"));
    let mut admin = crate::rig::admin().await;
    let sql = format!("ALTER USER {}@'%' IDENTIFIED BY 'canary-the-next'", schema.name);
    admin.query_drop(sql).await.expect("changed");
    *current.lock().expect("not poisoned") = "canary-the-next".to_owned();
    pool.control().invalidate();
    drop(within(pool.acquire()).await.expect("with the new one"));
    assert_eq!(pool.stats().opened, 2);
}
