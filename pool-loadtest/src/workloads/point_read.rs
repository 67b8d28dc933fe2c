//! One row by its primary key: the least that a database can be asked for.

use std::borrow::Cow;

use pool_core::Pool;

use super::rows::{ROWS, Rows};
use crate::database::Database;
use crate::workload::{Checked, Step, StepError, Workload, WorkloadError};

/// Every operation reads one of 100 000 rows by its primary key, each as often as any other. Nothing
/// is written after the preparation.
#[derive(Debug)]
pub(crate) struct PointRead<D> {
    rows: Rows<D>,
}

impl<D: Database> PointRead<D> {
    pub(crate) fn new() -> Self {
        Self { rows: Rows::new() }
    }
}

impl<D: Database> Workload<D> for PointRead<D> {
    async fn prepare(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        self.rows.create(pool).await
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("point-read")
    }

    fn kinds(&self) -> Vec<String> {
        vec!["read".to_owned()]
    }

    async fn step(&self, step: Step<'_, D>) -> Result<(), StepError> {
        let Step { connection, rng, .. } = step;
        self.rows.read_one(connection, rng.i64(0..ROWS)).await
    }

    async fn verify(&self, pool: &Pool<D>) -> Result<Checked, WorkloadError> {
        self.rows.verify(pool).await
    }

    async fn clean_up(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        self.rows.drop_all(pool).await
    }
}
