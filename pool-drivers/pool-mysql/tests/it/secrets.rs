//! The password is in nothing that can be printed. What the suite's own claim does not see is here:
//! the forms in which options hold it, and the connection underneath.

use std::error::Error;
use std::fmt::{Debug, Write as _};

use pool_core::{Driver as _, Pool, PoolConfig};
use pool_mysql::{MysqlDriver, MysqlOptions, Password};

use crate::rig::{CANARY, Schema, refusing_server, try_connect, within};

/// The canary as a URL holds it.
fn escaped() -> String {
    CANARY.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "%{byte:02X}").expect("a String takes it");
        text
    })
}

/// What is shown of something, to whom it may concern.
fn show(shown: &mut String, value: &dyn Debug) {
    writeln!(shown, "{value:?} {value:#?}").expect("a String takes it");
}

fn show_error(shown: &mut String, error: &dyn Error) {
    let mut next = Some(error);
    while let Some(error) = next {
        writeln!(shown, "{error} {error:#}").expect("a String takes it");
        show(shown, &error);
        next = error.source();
    }
}

#[tokio::test]
async fn in_whatever_form_the_options_hold_it_the_password_is_shown_nowhere() {
    let schema = Schema::new().await;
    let base = schema.options();
    let name = &schema.name;
    let url = |host: &dyn std::fmt::Display, more: &str| {
        let password = escaped();
        MysqlOptions::from_url(&format!("mysql://{name}:{password}@{host}/{name}{more}"))
    };
    let address = &base.address;
    let unreadable = "?tls=require&tls_cert=/nowhere/c.pem&tls_key=/nowhere/k.pem";
    let forms = [
        ("fixed", base.clone()),
        (
            "provided",
            MysqlOptions {
                password: Password::provided(|| async { Ok(CANARY.to_owned()) }),
                ..base.clone()
            },
        ),
        ("a URL", url(address, "").expect("valid")),
        ("encrypted", url(address, "?tls=require").expect("valid")),
        ("verified", url(address, "?tls=verify-full").expect("valid")),
        ("a certificate", url(address, unreadable).expect("valid")),
        ("refused", MysqlOptions { password: CANARY.into(), ..refusing_server() }),
        ("no host", url(&"host.invalid", "?tls=disable").expect("valid")),
        ("a socket", url(&"", "?socket=/nowhere/m.sock").expect("valid")),
        ("no database", MysqlOptions { database: Some("missing".into()), ..base.clone() }),
        ("no user", MysqlOptions { user: "nobody".into(), ..base.clone() }),
        ("invalid", MysqlOptions { database: Some("a\0b".into()), ..base.clone() }),
    ];
    for (form, options) in forms {
        let mut shown = String::new();
        let driver = MysqlDriver::new(options.clone());
        show(&mut shown, &options);
        show(&mut shown, &(&driver, driver.metadata()));
        match try_connect(options).await {
            Ok(mut connection) => {
                show(&mut shown, &connection);
                let error = connection.query_drop("SELEKT").await.expect_err("no such word");
                show_error(&mut shown, &error);
                show(&mut shown, &connection.transaction().await.expect("begun"));
                connection.raw().await.expect("in step");
                show(&mut shown, &connection);
            }
            Err(error) => show_error(&mut shown, &error),
        }
        match Pool::new(driver, PoolConfig { outage_grace: None, ..within_moments() }) {
            Ok(pool) => {
                if let Err(error) = within(pool.acquire()).await {
                    show_error(&mut shown, &error);
                }
                show(&mut shown, &pool);
            }
            Err(error) => show_error(&mut shown, &error),
        }
        for secret in [CANARY, &escaped(), "canary"] {
            assert!(!shown.contains(secret), "{form}: {}", shown.replace(secret, "THE SECRET"));
        }
    }
}

fn within_moments() -> PoolConfig {
    PoolConfig { acquire_timeout: std::time::Duration::from_millis(500), ..PoolConfig::default() }
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
