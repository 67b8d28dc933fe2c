//! Claims about what observers are told, and nobody.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use pool_core::{
    Driver as _, Observer, Pool, PoolConfig, PoolOptions, StatementFinished, StatementOutcome,
    StatementStarted,
};

use super::fixture::{Failing, Fixture, Supported};
use super::rig::{options, pool};

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

/// The password of the database appears in nothing that can be printed.
pub async fn no_secret_is_ever_shown<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let secret = fixture.secret()?;
    let mut shown = String::new();
    let pool = Pool::open(fixture.driver(), options(fixture.config())).await.expect("opened");
    let guard = pool.acquire().await.expect("idle");
    note(&mut shown, &format_args!("{:?} {:?}", pool.driver(), pool.driver().metadata()));
    note(&mut shown, &format_args!("{pool:?} {guard:?} {:?}", *guard));
    note(&mut shown, &format_args!("{:?} {:?}", pool.stats(), pool.control().metadata()));
    for how in [Failing::Transiently, Failing::Permanently] {
        let Ok(driver) = fixture.failing_driver(how) else { continue };
        note(&mut shown, &format_args!("{driver:?}"));
        let pool = Pool::new(driver, options(fixture.config())).expect("valid");
        note_error(&mut shown, &pool.acquire().await.expect_err("nothing can be opened"));
        let driver = fixture.failing_driver(how)?;
        note_error(
            &mut shown,
            &Pool::open(driver, options(fixture.config())).await.expect_err("nothing"),
        );
    }
    assert!(!shown.contains(secret), "{}", shown.replace(secret, "THE SECRET"));
    Ok(())
}

fn note(shown: &mut String, text: &dyn std::fmt::Display) {
    writeln!(shown, "{text}").expect("a String takes it");
}

/// An error and its causes, as they show themselves to users and to developers.
fn note_error(shown: &mut String, error: &dyn Error) {
    let mut next = Some(error);
    while let Some(error) = next {
        note(shown, &format_args!("{error} {error:?} {error:#?}"));
        next = error.source();
    }
}
