//! A workload of one's own, from a file of SQL.
//!
//! Comments that begin a line divide the file into sections:
//!
//! ```sql
//! -- set account = uniform(1, 1000)
//! -- set amount = choice(1, 5, 10)
//!
//! -- setup
//! create table accounts (id integer primary key, balance bigint not null);
//! insert into accounts values (1, 100), (2, 100);
//!
//! -- name: read weight=9
//! select balance from accounts where id = :account;
//!
//! -- name: pay
//! update accounts set balance = balance - :amount where id = :account;
//! update accounts set balance = balance + :amount where id = 1;
//!
//! -- verify
//! select sum(balance) - 200 from accounts;
//!
//! -- teardown
//! drop table accounts;
//! ```
//!
//! - `-- name: KIND weight=NUMBER`: the statements of one kind of operation, and how often it is drawn
//!   beside others (default 1). One statement is done by itself, several are one transaction.
//! - `-- set NAME = FUNCTION(...)`: what `:NAME` is drawn from, once for each operation, and sent
//!   beside the statement: `uniform(LEAST, MOST)`, `zipf(LEAST, MOST, EXPONENT)`, `sequence(FIRST)`,
//!   `choice('a', 'b', 3)`, `text(LENGTH)`.
//! - `-- setup`: done before the load, each statement by itself; each may take as long as an acquire.
//! - `-- verify`: questions asked after the load. Each must be answered with 0, or in PostgreSQL
//!   with true.
//! - `-- teardown`: done last, also after a setup that failed half-way, but not after one of which
//!   nothing was done.
//!
//! Before the load each kind is tried out once, in a transaction that is rolled back.

mod directive;
mod failure;
mod file;
mod generator;
mod problem;
mod scanner;
mod statement;
#[cfg(test)]
mod tests;
mod zipf;

use std::borrow::Cow;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fastrand::Rng;
use pool_core::Pool;

use self::failure::LineFailed;
pub(crate) use self::file::MOST_BYTES;
use self::file::{Kind, SqlFile};
use self::generator::Generator;
pub(crate) use self::problem::SqlFileError;
use self::statement::Statement;
use crate::database::{Bound, Database, Ending, Failed, Session, Value};
use crate::words::counted;
use crate::workload::{Checked, Step, StepError, Workload, WorkloadError};

/// The workload of an SQL file.
#[derive(Debug)]
pub(crate) struct Custom<D> {
    /// How messages call the file.
    name: Arc<str>,
    file: SqlFile,
    /// Whether there is something that the teardown is for.
    is_set_up: AtomicBool,
    driver: PhantomData<fn() -> D>,
}

impl<D: Database> Custom<D> {
    /// Reads what a file holds that messages call `name`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<Self, SqlFileError> {
        let name = Arc::from(name);
        let file = SqlFile::read(&name, bytes, D::DIALECT)?;
        Ok(Self { name, file, is_set_up: AtomicBool::new(false), driver: PhantomData })
    }

    async fn set_up(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        for (number, statement) in self.file.setup.iter().enumerate() {
            let mut session = Session::begin(pool, "the setup").await?;
            // If this is dropped meanwhile, the database may do it all the same.
            self.is_set_up.store(true, Ordering::Relaxed);
            if let Err(error) = session.script(&statement.sql).await {
                // What was there before is not the teardown's.
                self.is_set_up.store(number > 0, Ordering::Relaxed);
                return Err(self.at(statement, pool, error));
            }
        }
        self.is_set_up.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Each kind once, so that what is wrong with one is known before the load.
    async fn try_out(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        let mut rng = Rng::with_seed(0);
        for kind in &self.file.kinds {
            let mut session = Session::begin(pool, "trying out the statements").await?;
            let bound = self.bound(kind, |generator| generator.draw_without_effect(&mut rng));
            session.try_out(bound).await.map_err(|WorkloadError { step, source }| {
                let failed = source.downcast::<Failed<D::Error>>();
                let source = failed.map(|failed| self.failed(kind, *failed, pool));
                WorkloadError { step, source: source.unwrap_or_else(|other| other) }
            })?;
        }
        Ok(())
    }

    /// The statements of an operation, with what is drawn for them. A parameter is the same in all.
    fn bound(&self, kind: &Kind, mut draw: impl FnMut(&Generator) -> Value) -> Vec<Bound> {
        let mut drawn: Vec<(usize, Value)> = Vec::new();
        let mut value = |generator: usize| {
            if let Some((_, value)) = drawn.iter().find(|(known, _)| *known == generator) {
                return value.clone();
            }
            let value = draw(&self.file.generators[generator]);
            drawn.push((generator, value.clone()));
            value
        };
        let bound = |statement: &Statement| Bound {
            sql: Arc::clone(&statement.sql),
            values: statement.generators.iter().map(|generator| value(*generator)).collect(),
        };
        kind.statements.iter().map(bound).collect()
    }

    /// Says in which line of the file a statement of a kind failed.
    fn failed(&self, kind: &Kind, failed: Failed<D::Error>, pool: &Pool<D>) -> StepError {
        let Failed { statement, source } = failed;
        let line = kind.statements.get(statement).map_or(0, |statement| statement.line);
        let code = pool.driver().status_code(&source).map(Cow::into_owned);
        let file = Arc::clone(&self.name);
        Box::new(LineFailed { file, line, code, source: source.into() })
    }

    /// The same of a statement outside the load.
    fn at(&self, statement: &Statement, pool: &Pool<D>, error: WorkloadError) -> WorkloadError {
        let WorkloadError { step, source } = error;
        let code = source.downcast_ref().and_then(|error| pool.driver().status_code(error));
        let code = code.map(Cow::into_owned);
        let failed =
            LineFailed { file: Arc::clone(&self.name), line: statement.line, code, source };
        WorkloadError { step, source: failed.into() }
    }
}

impl<D: Database> Workload<D> for Custom<D> {
    async fn prepare(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        self.set_up(pool).await?;
        self.try_out(pool).await
    }

    fn name(&self) -> Cow<'_, str> {
        let file = Path::new(&*self.name).file_name().unwrap_or_default();
        Cow::Owned(format!("custom {}", file.display()))
    }

    fn kinds(&self) -> Vec<String> {
        self.file.kinds.iter().map(|kind| kind.name.clone()).collect()
    }

    fn draw(&self, rng: &mut Rng) -> usize {
        let kinds = &self.file.kinds;
        let all: u32 = kinds.iter().map(|kind| kind.weight).sum();
        let mut left = rng.u32(..all);
        let drawn = kinds.iter().position(|kind| match left.checked_sub(kind.weight) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        });
        drawn.expect("bug: more was drawn than all weights")
    }

    async fn step(&self, step: Step<'_, D>) -> Result<(), StepError> {
        let Step { kind, connection, rng, pool } = step;
        let kind = &self.file.kinds[kind];
        let bound = self.bound(kind, |generator| generator.draw(rng));
        let done = D::run(connection, bound, Ending::Commit).await;
        done.map(drop).map_err(|failed| self.failed(kind, failed, pool))
    }

    async fn verify(&self, pool: &Pool<D>) -> Result<Checked, WorkloadError> {
        let questions = &self.file.verify;
        for question in questions {
            let mut session = Session::begin(pool, "the verification").await?;
            let asked = session.ask(&question.sql).await;
            let row = asked.map_err(|error| self.at(question, pool, error))?;
            let answer = row.and_then(|row| row.into_iter().next().flatten());
            if let Some(words) = objection(answer.as_deref()) {
                let Statement { line, .. } = question;
                return Ok(Checked::Broken(format!("line {line} of {} {words}", self.name)));
            }
        }
        Ok(Checked::Held(match questions.len() as u64 {
            0 => format!("{} has nothing to verify", self.name),
            count => format!("{} of {} found nothing wrong", counted(count, "check"), self.name),
        }))
    }

    async fn clean_up(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        if !self.is_set_up.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let mut first = Ok(());
        // What can be removed is, whatever else cannot.
        for statement in &self.file.teardown {
            let done = match Session::begin(pool, "the teardown").await {
                Ok(mut session) => session.script(&statement.sql).await,
                Err(error) => Err(error),
            };
            first = first.and(done.map_err(|error| self.at(statement, pool, error)));
        }
        first
    }
}

/// What is wrong with the answer to a question, if something is.
fn objection(answer: Option<&str>) -> Option<String> {
    let Some(answer) = answer else { return Some("found nothing, and not 0".to_owned()) };
    match answer.parse::<f64>() {
        Ok(0.0) => None,
        Ok(number) => Some(format!("found {number}, and not 0")),
        Err(_) if ["t", "true"].contains(&answer) => None,
        Err(_) => Some("found neither 0 nor true".to_owned()),
    }
}
