//! One run after the other on the same database, each on a new pool: what sweeps and searches are
//! made of.

use std::time::Duration;

use anyhow::{Error, anyhow};
use pool_core::{Metadata, PoolConfig};

use super::Failure;
use super::on_database::Place;
use super::run::{CLOSE, made, open};
use super::workload::Plan;
use crate::arrivals::Arrivals;
use crate::database::Database;
use crate::options::LoadOptions;
use crate::report::{Outcome, Report};
use crate::tester::{LoadError, LoadTester};
use crate::workload::Workload as _;

/// Runs loads that differ in the pool's settings only.
pub(super) struct Cells<D> {
    pub(super) driver: D,
    pub(super) place: Place,
    pub(super) workload: Plan,
    pub(super) arrivals: Arrivals,
    pub(super) warm_up: Duration,
}

/// Why there is no report of a run.
pub(super) enum CellError {
    /// A signal came.
    Interrupted,
    /// It came to nothing.
    Failed(Error),
}

impl<D: Database + Clone> Cells<D> {
    /// Runs a load on a new pool with these settings.
    pub(super) async fn run(
        &self,
        config: &PoolConfig,
        duration: Duration,
        seed: u64,
    ) -> Result<Report, CellError> {
        let workload = made::<D>(&self.workload).map_err(failed)?;
        let stopped = &self.place.stopped;
        let pool = tokio::select! {
            pool = open(&self.driver, config) => pool.map_err(failed)?,
            () = stopped.wait() => return Err(CellError::Interrupted),
        };
        let options = LoadOptions {
            arrivals: self.arrivals.clone(),
            warm_up: self.warm_up,
            duration,
            seed,
            // What an operation takes alone is asked of no cell.
            baseline: Duration::ZERO,
            ..LoadOptions::default()
        };
        let tester = LoadTester::new(pool.clone(), workload, options);
        let report = tester.run_until(stopped.wait(), |_| {}).await;
        let closed = pool.close(CLOSE).await;
        let mut report = report.map_err(|error| match error {
            LoadError::Interrupted => CellError::Interrupted,
            error => CellError::Failed(error.into()),
        })?;
        if report.outcome != Outcome::Completed {
            return Err(CellError::Interrupted);
        }
        if !closed.drained {
            return Err(CellError::Failed(anyhow!("connections were not given back: {closed}")));
        }
        if let Some(name) = self.place.name() {
            report.database = Some(name);
        }
        Ok(report)
    }

    /// What the workload calls itself, if it can be made for this database.
    pub(super) fn workload(&self) -> Result<String, Failure> {
        Ok(made::<D>(&self.workload)?.name().into_owned())
    }

    /// The kinds of operation that are measured each by itself.
    pub(super) fn kinds(&self) -> Result<Vec<String>, Failure> {
        let kinds = made::<D>(&self.workload)?.kinds();
        // A single one is all there is, and reports do not show it again.
        Ok(if kinds.len() > 1 { kinds } else { Vec::new() })
    }

    /// What the driver tells of the database, but for a path that is of no use.
    pub(super) fn metadata(&self) -> Metadata {
        let mut metadata = self.driver.metadata();
        if self.place.in_temporary_file {
            metadata.namespace = Some("bank.db".to_owned());
        }
        metadata
    }

    /// The database's file or name, where there is one.
    pub(super) fn database(&self) -> Option<String> {
        self.place.name().or_else(|| self.driver.metadata().namespace)
    }
}

impl Place {
    /// What a file that is about to be removed is called.
    fn name(&self) -> Option<String> {
        self.in_temporary_file.then(|| "a file in a temporary directory".to_owned())
    }
}

pub(super) fn failed(failure: Failure) -> CellError {
    match failure {
        Failure::Interrupted => CellError::Interrupted,
        Failure::Run(error)
        | Failure::Usage(error)
        | Failure::Missed(error)
        | Failure::Regressed(error)
        | Failure::Inconclusive(error) => CellError::Failed(error),
    }
}
