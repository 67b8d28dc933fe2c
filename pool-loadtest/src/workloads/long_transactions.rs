//! Transactions that are held open while nobody asks the database for anything: a program that calls
//! another service, or thinks, in the midst of one.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use pool_core::Pool;
use tokio::time::sleep;

use super::ledger::Ledger;
use super::table::{drop_all, fill, prefix};
use crate::database::{Bound, Database, Ending, Session};
use crate::workload::{Checked, Step, StepError, Workload, WorkloadError};

const ROWS: i64 = 10_000;

/// Every operation is a transaction that reads a row, waits, and updates that row. It counts itself
/// there, and the counts must come to what the database said to be done. In SQLite it holds the only
/// lock for writing all the while.
#[derive(Debug)]
pub(crate) struct LongTransactions<D> {
    hold: Duration,
    name: String,
    read: Arc<str>,
    update: Arc<str>,
    updates: Ledger,
    driver: PhantomData<fn() -> D>,
}

impl<D: Database> LongTransactions<D> {
    /// With a wait of so long in each transaction.
    pub(crate) fn new(hold: Duration) -> Self {
        let (name, first) = (format!("{}_held", prefix()), D::DIALECT.parameter(1));
        Self {
            hold,
            read: format!("select changes from {name} where id = {first}").into(),
            update: format!("update {name} set changes = changes + 1 where id = {first}").into(),
            name,
            updates: Ledger::default(),
            driver: PhantomData,
        }
    }

    /// If it fails or is dropped in the midst, the pool finds the transaction open and rolls it back.
    async fn hold(&self, connection: &mut D::Connection, id: i64) -> Result<(), StepError> {
        D::script(connection, D::DIALECT.begin()).await?;
        D::run(connection, vec![Bound::to(&self.read, [id])], Ending::Commit).await?;
        sleep(self.hold).await;
        D::run(connection, vec![Bound::to(&self.update, [id])], Ending::Commit).await?;
        Ok(D::script(connection, "commit").await?)
    }
}

impl<D: Database> Workload<D> for LongTransactions<D> {
    async fn prepare(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        let (step, name) = ("creating the rows", &self.name);
        let create =
            format!("create table {name} (id integer primary key, changes bigint not null)");
        Session::begin(pool, step).await?.script(&create).await?;
        fill(pool, step, &format!("{name} (id, changes)"), 0..ROWS, |id| format!("({id}, 0)")).await
    }

    fn name(&self) -> Cow<'_, str> {
        let hold = humantime::format_duration(self.hold);
        Cow::Owned(format!("long-transactions --hold {hold}"))
    }

    fn kinds(&self) -> Vec<String> {
        vec!["transaction".to_owned()]
    }

    async fn step(&self, step: Step<'_, D>) -> Result<(), StepError> {
        let Step { connection, rng, .. } = step;
        self.updates.write(self.hold(connection, rng.i64(0..ROWS))).await
    }

    async fn verify(&self, pool: &Pool<D>) -> Result<Checked, WorkloadError> {
        let mut session = Session::begin(pool, "adding up the rows").await?;
        let add_up = format!("select count(*), coalesce(sum(changes), 0) from {}", self.name);
        let [rows, changes] = session.numbers(&add_up).await?;
        if rows != ROWS {
            return Ok(Checked::Broken(format!("{rows} rows are left of {ROWS}")));
        }
        Ok(self.updates.judge(&format!("{rows} rows are there"), changes, "changes"))
    }

    async fn clean_up(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        drop_all(pool, "dropping the rows", [&*self.name].into_iter()).await
    }
}
