//! One run after the other on the same database, each on a new pool: what sweeps and searches are
//! made of.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Error, anyhow};
use pool_core::{Metadata, Pool, PoolConfig};
use tokio::time::timeout;

use super::on_database::Place;
use super::run::{CLOSE, made, open};
use super::workload::Plan;
use super::{Failure, say};
use crate::arrivals::Arrivals;
use crate::database::Database;
use crate::options::LoadOptions;
use crate::panics::{caught, words};
use crate::recorder::in_full;
use crate::report::{Outcome, Report, database};
use crate::stop::Stop;
use crate::tester::{LoadError, LoadTester};
use crate::workload::Workload;
use crate::workloads::{Chosen, Prepared};

/// How long removing what the workload made may take once a signal has come or it could not be prepared,
/// with the time it takes to connect. As long as operations may go on after the end of a load.
const TIDYING: Duration = Duration::from_secs(5);

/// Runs loads that differ in the pool's settings only.
///
/// They share what the workload made, for filling tables may take longer than a run.
pub(super) struct Cells<'a, D> {
    driver: D,
    place: &'a Place,
    /// The pool's settings outside the runs.
    base: &'a PoolConfig,
    load: CellLoad,
    /// What is prepared, if anything is yet.
    prepared: Option<Arc<Chosen<D>>>,
}

/// What all runs do.
pub(super) struct CellLoad {
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
    /// The workload panicked, and may again: no other run is to follow.
    Died(String),
}

impl fmt::Display for CellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.write_str("interrupted"),
            Self::Failed(error) => write!(f, "{error:#}"),
            Self::Died(why) => f.write_str(why),
        }
    }
}

impl<'a, D: Database + Clone> Cells<'a, D> {
    /// Nothing is prepared yet.
    pub(super) fn new(driver: D, place: &'a Place, base: &'a PoolConfig, load: CellLoad) -> Self {
        Self { driver, place, base, load, prepared: None }
    }

    /// Prepares what the runs share, on a pool of its own. Not where no other pool could see it: there
    /// each run prepares its own.
    ///
    /// # Errors
    ///
    /// It cannot be prepared, or panics, or a signal comes; what was made is removed then.
    pub(super) async fn prepare(&mut self) -> Result<(), Failure> {
        if self.driver.is_private() {
            return Ok(());
        }
        let workload = Arc::new(made::<D>(&self.load.workload)?);
        let mut stop = Stop::new(self.place.stopped.wait());
        let opened = stop.or(open(&self.driver, self.base)).await;
        let pool = opened.unwrap_or(Err(Failure::Interrupted))?;
        let failure = match stop.or(caught(workload.prepare(&pool))).await {
            Some(Ok(Ok(()))) => None,
            Some(Ok(Err(source))) => {
                let database = database(&self.driver);
                Some(Failure::Run(LoadError::Prepare { database, source }.into()))
            }
            Some(Err(panic)) => Some(Failure::Run(anyhow!(panicked(&*panic)))),
            None => Some(Failure::Interrupted),
        };
        if failure.is_some() {
            let removed = timeout(TIDYING, remove(&workload, &pool)).await;
            if let Some(left) = self.left(removed.unwrap_or_else(|_| Err(too_long()))) {
                say(&left);
            }
        }
        close(pool).await;
        match failure {
            Some(failure) => Err(failure),
            None => {
                self.prepared = Some(workload);
                Ok(())
            }
        }
    }

    /// Removes what was prepared, or says what is left.
    pub(super) async fn clean_up(&mut self) -> Option<String> {
        let workload = self.prepared.take()?;
        let removing = || async {
            let opened = open(&self.driver, self.base).await;
            let pool = opened.map_err(|failure| failed(failure).to_string())?;
            let removed = remove(&workload, &pool).await;
            close(pool).await;
            removed
        };
        let removed = match Stop::new(self.place.stopped.wait()).or(removing()).await {
            Some(removed) => removed,
            None => timeout(TIDYING, removing()).await.unwrap_or_else(|_| Err(too_long())),
        };
        self.left(removed)
    }

    /// What to say of what may be left.
    fn left(&self, removed: Result<(), String>) -> Option<String> {
        let why = removed.err()?;
        let database = self.place.name().unwrap_or_else(|| database(&self.driver));
        Some(format!("what the workload made in {database} may still be there: {why}"))
    }

    /// Runs a load on a new pool with these settings.
    pub(super) async fn run(
        &self,
        config: &PoolConfig,
        duration: Duration,
        seed: u64,
    ) -> Result<Report, CellError> {
        let stopped = &self.place.stopped;
        let pool = tokio::select! {
            pool = open(&self.driver, config) => pool.map_err(failed)?,
            () = stopped.wait() => return Err(CellError::Interrupted),
        };
        let options = LoadOptions {
            arrivals: self.load.arrivals.clone(),
            warm_up: self.load.warm_up,
            duration,
            seed,
            // What an operation takes alone is asked of no cell.
            baseline: Duration::ZERO,
            ..LoadOptions::default()
        };
        let report = match &self.prepared {
            Some(workload) => self.load(pool.clone(), Prepared::new(workload), options).await,
            None => {
                let workload = made::<D>(&self.load.workload).map_err(failed)?;
                self.load(pool.clone(), workload, options).await
            }
        };
        let closed = pool.close(CLOSE).await;
        let mut report = report?;
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

    async fn load<W: Workload<D>>(
        &self,
        pool: Pool<D>,
        workload: W,
        options: LoadOptions,
    ) -> Result<Report, CellError> {
        let tester = LoadTester::new(pool, workload, options);
        let report = caught(tester.run_until(self.place.stopped.wait(), |_| {})).await;
        let report = report.map_err(|panic| CellError::Died(panicked(&*panic)))?;
        report.map_err(|error| match error {
            LoadError::Interrupted => CellError::Interrupted,
            error => CellError::Failed(error.into()),
        })
    }

    /// What the workload calls itself, if it can be made for this database.
    pub(super) fn workload(&self) -> Result<String, Failure> {
        Ok(made::<D>(&self.load.workload)?.name().into_owned())
    }

    /// What the driver tells of the database, but for a path or an address that is of no use.
    pub(super) fn metadata(&self) -> Metadata {
        let mut metadata = self.driver.metadata();
        if self.place.in_temporary_file {
            metadata.namespace = Some("bank.db".to_owned());
        }
        if self.place.server.is_some() {
            metadata.server_address = Some("HOST".to_owned());
            metadata.server_port = None;
            metadata.namespace = Some("DATABASE".to_owned());
        }
        metadata
    }

    /// The database's file or name, where there is one.
    pub(super) fn database(&self) -> Option<String> {
        self.place.name().or_else(|| self.driver.metadata().namespace)
    }
}

/// Closes a pool that no load was put on: whatever is out is out by a step that was dropped, and says
/// nothing of the settings.
async fn close<D: Database>(pool: Pool<D>) {
    let _ = pool.close(CLOSE).await;
}

/// Removes what a workload made, or says why not.
async fn remove<D: Database>(workload: &Chosen<D>, pool: &Pool<D>) -> Result<(), String> {
    match caught(workload.clean_up(pool)).await {
        Ok(removed) => removed.map_err(|error| in_full(&error)),
        Err(panic) => Err(format!("it {}", words(&*panic))),
    }
}

/// What is said of a workload's panic.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> String {
    format!("the workload {}", words(panic))
}

fn too_long() -> String {
    "it takes too long".to_owned()
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
