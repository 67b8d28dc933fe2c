//! Claims about what observers are told, and nobody.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pool_core::{
    Driver as _, Observer, Pool, PoolConfig, PoolOptions, StatementFinished, StatementOutcome,
    StatementStarted,
};

use super::fixture::{Failing, Fixture, Supported};
use super::rig::{options, pool};
use crate::shown::Shown;

/// Notes statements, by connection and statement.
#[derive(Default)]
struct Recorder {
    started: Mutex<Vec<(u64, u64)>>,
    succeeded: Mutex<Vec<(u64, u64)>>,
}

impl Observer for Recorder {
    fn statement_started(&self, event: &StatementStarted<'_>) {
        let statement = (event.connection_id, event.statement_id);
        self.started.lock().expect("not poisoned").push(statement);
    }

    fn statement_finished(&self, event: &StatementFinished<'_>) {
        if matches!(event.outcome, StatementOutcome::Ok) {
            let statement = (event.connection_id, event.statement_id);
            self.succeeded.lock().expect("not poisoned").push(statement);
        }
    }
}

/// Observers are told of each statement once it starts and once it ends.
pub async fn statements_are_told_to_observers<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    fixture.tells_of_statements()?;
    let recorder = Arc::new(Recorder::default());
    let observer = Arc::clone(&recorder) as Arc<dyn Observer>;
    let config = PoolConfig { max_open: 1, ..fixture.config() };
    let pool = pool(&fixture, PoolOptions { observers: vec![observer], ..config.into() });
    let mut guard = pool.acquire().await.expect("opened");
    // Opening may have told of statements of its own.
    let before = recorder.started.lock().expect("not poisoned").len();
    F::use_once(&mut guard).await.expect("answered");
    drop(guard);
    let started = recorder.started.lock().expect("not poisoned").clone();
    let succeeded = recorder.succeeded.lock().expect("not poisoned").clone();
    assert!(started.len() > before, "nobody was told");
    assert_eq!(started, succeeded, "each that started has ended, and well");
    let connection = started[0].0;
    assert!(started.iter().all(|(id, _)| *id == connection), "of one connection: {started:?}");
    Ok(())
}

/// Notes the codes of failed statements.
#[derive(Default)]
struct Codes(Mutex<Vec<Option<String>>>);

impl Observer for Codes {
    fn statement_finished(&self, event: &StatementFinished<'_>) {
        if let StatementOutcome::Failed { code, .. } = event.outcome {
            self.0.lock().expect("not poisoned").push(code.map(str::to_owned));
        }
    }
}

/// Observers are told what the database itself calls an error.
pub async fn a_failed_statement_is_told_with_the_databases_code<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let codes = Arc::new(Codes::default());
    let observer = Arc::clone(&codes) as Arc<dyn Observer>;
    let pool = pool(
        &fixture,
        PoolOptions { observers: vec![observer], ..PoolOptions::from(fixture.config()) },
    );
    let mut guard = pool.acquire().await.expect("opened");
    let code = F::fail_once(&mut guard).await?;
    assert_eq!(*codes.0.lock().expect("not poisoned"), [Some(code.to_owned())]);
    Ok(())
}

/// The password of the database appears in nothing that can be printed.
pub async fn no_secret_is_ever_shown<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let secret = fixture.secret()?;
    let shown = Shown::start();
    let settings = |config| PoolOptions { observers: vec![shown.observer()], ..options(config) };
    let driver = fixture.driver();
    shown.note(&(&driver, driver.metadata()));
    let pool = Pool::open(driver, settings(fixture.config())).await.expect("opened");
    let mut guard = pool.acquire().await.expect("idle");
    F::use_once(&mut guard).await.expect("answered");
    shown.note(&(&pool, &guard, &*guard, pool.stats(), pool.control().metadata()));
    drop(guard);
    shown.note(&pool.close(Duration::from_secs(10)).await);
    for how in [Failing::Transiently, Failing::Permanently] {
        let Ok(driver) = fixture.failing_driver(how) else { continue };
        shown.note(&driver);
        let pool = Pool::new(driver, settings(fixture.config())).expect("valid");
        shown.note_error(&pool.acquire().await.expect_err("nothing can be opened"));
        let driver = fixture.failing_driver(how)?;
        let opened = Pool::open(driver, settings(fixture.config())).await;
        shown.note_error(&opened.expect_err("nothing"));
    }
    shown.expect(&["AcquireSucceeded", "ConnectionClosed", "OpenFailed"]);
    if fixture.tells_of_statements().is_ok() {
        shown.expect(&["StatementFinished"]);
    }
    shown.expect_no(secret);
    Ok(())
}
