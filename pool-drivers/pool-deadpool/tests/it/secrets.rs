//! The password that a manager knows is in nothing that its driver and its library show.

use std::fmt::Debug;

use deadpool_postgres::tokio_postgres::config::SslMode;
use pool_core::{Driver, Pool, PoolConfig, PoolOptions};
use pool_testkit::Shown;
use pool_testkit::conformance::{Fixture as _, no_secret_is_ever_shown};

use crate::memory::Memory;
use crate::postgres::{self, Postgres};
use crate::redis::{self, Redis};
use crate::rig::{CANARY, within};

/// On one thread: the log of another is not looked at.
#[tokio::test(flavor = "current_thread")]
async fn no_manager_s_password_is_shown_or_logged() {
    no_secret_is_ever_shown::<Memory>().await.expect("supported");
    no_secret_is_ever_shown::<Postgres>().await.expect("supported");
    no_secret_is_ever_shown::<Redis>().await.expect("supported");
}

/// What is said of a connect that fails, which must be permanent.
async fn fail<D>(driver: D, expected: &str)
where
    D: Driver<Connection: Debug> + Clone + Debug,
{
    let shown = Shown::start();
    shown.note(&(&driver, driver.metadata()));
    let settings =
        PoolOptions { observers: vec![shown.observer()], ..PoolConfig::default().into() };
    let opened = within(Pool::open(driver.clone(), settings.clone())).await;
    shown.note_error(&opened.expect_err(expected));
    let pool = Pool::new(driver, settings).expect("valid");
    shown.note_error(&within(pool.acquire()).await.expect_err(expected));
    shown.note(&pool.stats());
    shown.expect(&["OpenFailed", expected]);
    shown.expect_no(CANARY);
}

#[tokio::test(flavor = "current_thread")]
async fn a_password_that_is_refused_is_not_shown() {
    let (database, cache) = (Postgres::start().await, Redis::start().await);
    let wrong = format!("{CANARY}-wrong");
    let mut config = database.config();
    fail(postgres::driver(config.password(&wrong).clone()), "28P01").await;
    fail(redis::driver(&cache.name, &wrong, &redis::address()), "AuthenticationFailed").await;
    let mut config = database.config();
    fail(postgres::driver(config.ssl_mode(SslMode::Require).clone()), "TLS").await;
}
