//! Fast and slow reads beside each other: what a few reports do to everybody else's pool.

use std::borrow::Cow;

use fastrand::Rng;
use pool_core::Pool;

use super::rows::{ROWS, Rows};
use crate::database::{Database, Dialect};
use crate::workload::{Checked, Step, StepError, Workload, WorkloadError};

/// Most operations read one row by its primary key; of a hundred, a few add up a range of rows, which
/// takes some 20 to 50 times as long. Nothing is written after the preparation.
#[derive(Debug)]
pub(crate) struct Mix<D> {
    rows: Rows<D>,
    slow_percent: u8,
}

impl<D: Database> Mix<D> {
    /// With so many slow operations in a hundred.
    pub(crate) fn new(slow_percent: u8) -> Self {
        Self { rows: Rows::new(), slow_percent }
    }
}

/// Rows that a slow operation adds up: as measured on each system on one machine, where it took some 35
/// times as long as a read of one row.
fn rows_of_a_slow_read(dialect: Dialect) -> i64 {
    match dialect {
        Dialect::Sqlite => 5_000,
        Dialect::Postgres => 15_000,
        Dialect::Mysql => 4_000,
    }
}

impl<D: Database> Workload<D> for Mix<D> {
    async fn prepare(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        self.rows.create(pool).await
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Owned(format!("mix --slow {}", self.slow_percent))
    }

    fn kinds(&self) -> Vec<String> {
        vec!["fast".to_owned(), "slow".to_owned()]
    }

    fn draw(&self, rng: &mut Rng) -> usize {
        usize::from(rng.u8(0..100) < self.slow_percent)
    }

    async fn step(&self, step: Step<'_, D>) -> Result<(), StepError> {
        let Step { kind, connection, rng, .. } = step;
        if kind == 0 {
            return self.rows.read_one(connection, rng.i64(0..ROWS)).await;
        }
        let keys = rows_of_a_slow_read(D::DIALECT);
        self.rows.add_up(connection, rng.i64(0..=ROWS - keys), keys).await
    }

    async fn verify(&self, pool: &Pool<D>) -> Result<Checked, WorkloadError> {
        self.rows.verify(pool).await
    }

    async fn clean_up(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        self.rows.drop_all(pool).await
    }
}
