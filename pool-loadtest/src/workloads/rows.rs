//! A table of rows that are only read, for the workloads that write nothing.

use std::marker::PhantomData;
use std::sync::Arc;

use pool_core::Pool;

use super::table::{MissingRow, drop_all, fill, prefix};
use crate::database::{Bound, Database, Ending, Session};
use crate::words::signed;
use crate::workload::{Checked, StepError, WorkloadError};

/// Rows of the table.
pub(super) const ROWS: i64 = 100_000;

/// A table with the keys 0 to [`ROWS`], each with a value that follows from it.
#[derive(Debug)]
pub(super) struct Rows<D> {
    name: String,
    one: Arc<str>,
    range: Arc<str>,
    driver: PhantomData<fn() -> D>,
}

impl<D: Database> Rows<D> {
    pub(super) fn new() -> Self {
        let name = format!("{}_rows", prefix());
        let [first, second] = [1, 2].map(|number| D::DIALECT.parameter(number));
        Self {
            one: format!("select value from {name} where id = {first}").into(),
            range: format!(
                "select count(*), sum(value), min(value), max(value) from {name} \
                 where id >= {first} and id < {second}"
            )
            .into(),
            name,
            driver: PhantomData,
        }
    }

    pub(super) async fn create(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        let step = "creating the rows";
        let name = &self.name;
        let create = format!("create table {name} (id integer primary key, value bigint not null)");
        Session::begin(pool, step).await?.script(&create).await?;
        let row = |id| format!("({id}, {})", value(id));
        fill(pool, step, &format!("{name} (id, value)"), 0..ROWS, row).await
    }

    /// Reads the row of a key.
    pub(super) async fn read_one(
        &self,
        connection: &mut D::Connection,
        id: i64,
    ) -> Result<(), StepError> {
        let read = vec![Bound::to(&self.one, [id])];
        match D::run(connection, read, Ending::Commit).await? {
            0 => Err(MissingRow { table: self.name.clone() }.into()),
            _ => Ok(()),
        }
    }

    /// Adds up the rows of so many keys.
    pub(super) async fn add_up(
        &self,
        connection: &mut D::Connection,
        first: i64,
        keys: i64,
    ) -> Result<(), StepError> {
        let read = vec![Bound::to(&self.range, [first, first + keys])];
        D::run(connection, read, Ending::Commit).await?;
        Ok(())
    }

    /// Nothing writes to them, so all of them must be as they were made.
    pub(super) async fn verify(&self, pool: &Pool<D>) -> Result<Checked, WorkloadError> {
        let mut session = Session::begin(pool, "adding up the rows").await?;
        let add_up = format!("select count(*), coalesce(sum(value), 0) from {}", self.name);
        let [rows, sum]: [i64; 2] = session.numbers(&add_up).await?;
        let made = (0..ROWS).map(value).sum::<i64>();
        let found = format!("{} rows add up to {}", signed(rows), signed(sum));
        Ok(if (rows, sum) == (ROWS, made) {
            Checked::Held(format!("{found}, as at the start"))
        } else {
            let (rows, made) = (signed(ROWS), signed(made));
            Checked::Broken(format!("{found}; at the start {rows} rows added up to {made}"))
        })
    }

    pub(super) async fn drop_all(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        drop_all(pool, "dropping the rows", [&*self.name].into_iter()).await
    }
}

/// What the row of a key holds: neither sorted by it nor the same everywhere.
fn value(id: i64) -> i64 {
    id * 7919 % 100_003
}
