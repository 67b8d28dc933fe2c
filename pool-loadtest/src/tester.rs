//! A run from beginning to end. The load itself is in `load/`.

use std::future::{Future, pending};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use pool_core::{Driver, Pool};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::baseline;
use crate::load::{Failed, Load, Progress};
use crate::network::{self, StatementCount};
use crate::options::LoadOptions;
use crate::panics::{caught, words};
use crate::recorder::in_full;
use crate::report::{About, Loaded, Outcome, Provenance, Report, Run, database};
use crate::stop::Stop;
use crate::verdict::Network;
use crate::workload::{Checked, Workload, WorkloadError};

/// How long removing what a workload made may take once something has gone wrong.
const QUICK: Duration = Duration::from_millis(500);
/// The same after a panic under load: transactions of operations that were just dropped may hold it up.
const TIDYING: Duration = Duration::from_secs(5);

/// A run could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The workload could not be prepared.
    #[error("the load on {database} could not start")]
    Prepare {
        /// The database's file or name, or else its system.
        database: String,
        /// What failed.
        source: WorkloadError,
    },
    /// The run was stopped before the load was measured.
    #[error("interrupted before the load was measured")]
    Interrupted,
}

/// Drives a pool with a workload.
///
/// The load is a closed loop or an open one, see [`Arrivals`](crate::Arrivals). Operations that fail,
/// or have no end when the run has one, count among the latencies with the time they took until
/// then.
#[derive(Debug)]
pub struct LoadTester<D: Driver, W> {
    pool: Pool<D>,
    workload: Arc<W>,
    options: LoadOptions,
}

impl<D: Driver, W: Workload<D>> LoadTester<D, W> {
    /// A tester for `pool`, which it neither opens nor closes.
    pub fn new(pool: Pool<D>, workload: W, options: LoadOptions) -> Self {
        Self { pool, workload: Arc::new(workload), options }
    }

    /// Prepares the workload, runs it for its time, checks its invariant, and removes what it made.
    /// Needs a tokio runtime with a timer. An acquire that is under way when the time is up is
    /// dropped; an operation may go on for 5 s more.
    ///
    /// # Errors
    ///
    /// [`LoadError::Prepare`] if the workload could not be prepared. Whatever goes wrong later is in
    /// the report.
    ///
    /// # Panics
    ///
    /// With the panic of the workload, once what it made is removed. One of a [`step`](Workload::step)
    /// ends the load at once.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops every operation under way and gives every connection back, but
    /// what the workload has made stays, and so do changes of the pool, but for a pause. To end a run
    /// early, use [`run_until`](Self::run_until).
    pub async fn run(self) -> Result<Report, LoadError> {
        self.run_until(pending(), |_| {}).await
    }

    /// Like [`run`](Self::run), but ends early when `stop` does, and tells `progress` five times a
    /// second and at the end of the load.
    ///
    /// The phase in which `stop` comes is cut short, the others follow: the report then says what
    /// was found until then. Removing what the workload made gets half a second.
    ///
    /// # Errors
    ///
    /// [`LoadError::Prepare`] if the workload could not be prepared; [`LoadError::Interrupted`] if
    /// it was stopped before the load was measured.
    ///
    /// # Panics
    ///
    /// With the panic of the workload or of `progress`, once what the workload made is removed. One of
    /// a [`step`](Workload::step) ends the load at once, and `progress` is told of what there is.
    ///
    /// # Cancel safety
    ///
    /// As for [`run`](Self::run).
    pub async fn run_until(
        self,
        stop: impl Future<Output = ()>,
        progress: impl FnMut(&Progress),
    ) -> Result<Report, LoadError> {
        let mut stop = Stop::new(stop);
        let found = caught(self.find(&mut stop, progress)).await;
        let found = found.unwrap_or_else(|panic| Err(Failed::Panic(panic)));
        let (about, loaded, invariant) = match found {
            Ok(found) => found,
            Err(failed) => {
                match failed {
                    Failed::Panic(panic) => {
                        // The panic is what is told, whatever becomes of this.
                        let _ = self.clean_up(TIDYING).await;
                        resume_unwind(panic)
                    }
                    Failed::Early(error) => {
                        // What hindered it may hinder this too; then there is most likely nothing to
                        // remove.
                        let _ = self.clean_up(QUICK).await;
                        return Err(error);
                    }
                }
            }
        };
        let patience = if invariant.is_ok() && !stop.came() { Duration::MAX } else { QUICK };
        let cleaned_up = match stop.or(self.clean_up(patience)).await {
            Some(cleaned_up) => cleaned_up,
            None => self.clean_up(QUICK).await,
        };
        let run = Run {
            about: &about,
            outcome: if stop.came() { Outcome::Interrupted } else { Outcome::Completed },
            loaded,
            end: self.pool.stats(),
            invariant,
            warnings: cleaned_up.err().into_iter().collect(),
        };
        Ok(Report::new(run, &self.pool))
    }

    /// Everything between the first thing that the workload makes and the removal of it.
    async fn find(
        &self,
        stop: &mut Stop<impl Future<Output = ()>>,
        progress: impl FnMut(&Progress),
    ) -> Result<(About, Loaded, Result<Checked, String>), Failed> {
        let (kinds, workload) = (self.workload.kinds(), self.workload.name().into_owned());
        let (baseline, network) = self.begin(stop).await?;
        let (options, provenance) = (self.options.clone(), Provenance::now());
        let about = About { workload, kinds, options, baseline, network, provenance };
        let load = Load { pool: &self.pool, workload: &self.workload, about: &about };
        let loaded = load.run(stop, progress).await?;
        let invariant = match stop.or(self.workload.verify(&self.pool)).await {
            Some(checked) => checked.map_err(|error| in_full(&error)),
            None => Err("interrupted".to_owned()),
        };
        Ok((about, loaded, invariant))
    }

    /// What comes before the load: the preparation, the baseline, and the way to the database.
    async fn begin(
        &self,
        stop: &mut Stop<impl Future<Output = ()>>,
    ) -> Result<(Option<Duration>, Network), Failed> {
        let interrupted = || Failed::Early(LoadError::Interrupted);
        let prepared = stop.or(self.workload.prepare(&self.pool)).await;
        prepared.ok_or_else(interrupted)?.map_err(|source| {
            let database = database(self.pool.driver());
            Failed::Early(LoadError::Prepare { database, source })
        })?;
        let LoadOptions { baseline, seed, .. } = self.options;
        if baseline.is_zero() {
            return Ok((None, Network::default()));
        }
        let (control, before) = (self.pool.control(), self.pool.stats());
        let statements = StatementCount::start(&control);
        let alone = self.alone(baseline, seed, stop).await?;
        let operations = self.pool.stats().acquires.since(&before.acquires).succeeded().max(1);
        let statements = statements.counted().map(|count| count as f64 / operations as f64);
        let round_trip = stop.or(network::round_trip(&control, baseline)).await;
        let round_trip = round_trip.ok_or_else(interrupted)?;
        let round_trip = round_trip.map(|round_trip| round_trip.as_secs_f64() * 1e6);
        Ok((alone, Network { round_trip, statements }))
    }

    /// What an operation takes alone, in a task of its own, as those of the load have.
    async fn alone(
        &self,
        baseline: Duration,
        seed: u64,
        stop: &mut Stop<impl Future<Output = ()>>,
    ) -> Result<Option<Duration>, Failed> {
        let (pool, workload) = (self.pool.clone(), Arc::clone(&self.workload));
        let mut task = JoinSet::new();
        task.spawn(async move { baseline::measure(&pool, &*workload, baseline, seed).await });
        if let Some(done) = stop.or(task.join_next()).await {
            let done = done.expect("bug: the task was started");
            return done.map_err(|error| Failed::Panic(error.into_panic()));
        }
        // Its operation is over before what the workload made is removed.
        task.shutdown().await;
        Err(Failed::Early(LoadError::Interrupted))
    }

    /// Removes what the workload made, or says what is left.
    async fn clean_up(&self, patience: Duration) -> Result<(), String> {
        let why = match timeout(patience, caught(self.workload.clean_up(&self.pool))).await {
            Ok(Ok(Ok(()))) => return Ok(()),
            Ok(Ok(Err(error))) => in_full(&error),
            Ok(Err(panic)) => format!("it {}", words(&*panic)),
            Err(_) => "it takes too long".to_owned(),
        };
        let database = database(self.pool.driver());
        Err(format!("what the workload made in {database} may still be there: {why}"))
    }
}
