//! A run from beginning to end. What each task does is in `task.rs`.
//!
//! The load is a closed loop: a task asks again only after it has its answer. While the pool or the
//! database stalls, fewer operations are asked for, so the percentiles understate what arrivals
//! that do not wait for each other would see.

use std::any::Any;
use std::future::{Future, pending};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use pool_core::{Driver, Pool, PoolStats};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::baseline;
use crate::changes::{ChangeReport, Changes};
use crate::leftover::Leftover;
use crate::network::{self, StatementCount};
use crate::options::LoadOptions;
use crate::recorder::{Recorder, in_full};
use crate::report::{Latency, Loaded, Outcome, Report, Run, database};
use crate::stop::Stop;
use crate::task::Task;
use crate::verdict::Network;
use crate::workload::{Workload, WorkloadError};

/// How often progress is told.
const TICK: Duration = Duration::from_millis(200);
/// How often response times are worked out for progress: it costs more than the rest of it.
const RESPONSE: Duration = Duration::from_secs(1);
/// How long operations under way may go on after the end of a run, before they are dropped.
const DRAIN: Duration = Duration::from_secs(5);
/// How long removing what a workload made may take once something has gone wrong.
const QUICK: Duration = Duration::from_millis(500);

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
    /// The run was stopped before the load began.
    #[error("interrupted before the load began")]
    Interrupted,
}

/// How far a run has come.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// Time since its start.
    pub elapsed: Duration,
    /// Operations done so far.
    pub operations: u64,
    /// Operations that failed so far.
    pub errors: u64,
    /// Operations per second since the last time progress was told.
    pub throughput: f64,
    /// How long operations took so far, from wanting a connection to having given it back. Worked out
    /// once a second and at the end, `None` in between.
    pub response: Option<Latency>,
    /// Whether the time is up and this is told for the last time.
    pub ended: bool,
    /// What was done to the pool since the last time progress was told.
    pub changes: Vec<ChangeReport>,
    /// The pool now.
    pub pool: PoolStats,
}

/// Drives a pool with a workload.
///
/// The load is a closed loop: each task asks again only after it has its answer, so that its
/// percentiles understate what independent arrivals would see. Operations that fail, or have no end
/// when the run has one, count among the latencies with the time they took until then.
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
    /// With the panic of the workload's [`step`](Workload::step), after the run.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops every operation under way and gives every connection back, but
    /// what the workload has made stays, and so do changes of the pool: also a pause. To end a run
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
    /// it was stopped before the load began.
    ///
    /// # Panics
    ///
    /// With the panic of the workload's [`step`](Workload::step), after the run.
    ///
    /// # Cancel safety
    ///
    /// As for [`run`](Self::run).
    pub async fn run_until(
        self,
        stop: impl Future<Output = ()>,
        mut progress: impl FnMut(&Progress),
    ) -> Result<Report, LoadError> {
        let mut stop = Stop::new(stop);
        let (baseline, network) = match self.begin(&mut stop).await {
            Ok(begun) => begun,
            Err(error) => {
                // What hindered it may hinder this too; then there is most likely nothing to
                // remove.
                let _ = self.clean_up(QUICK).await;
                return Err(error);
            }
        };
        let loaded = match self.load(&mut stop, &mut progress).await {
            Ok(loaded) => loaded,
            Err(panic) => {
                let _ = self.clean_up(QUICK).await;
                resume_unwind(panic);
            }
        };
        let invariant = match stop.or(self.workload.verify(&self.pool)).await {
            Some(checked) => checked.map_err(|error| in_full(&error)),
            None => Err("interrupted".to_owned()),
        };
        let patience = if invariant.is_ok() && !stop.came() { Duration::MAX } else { QUICK };
        let cleaned_up = match stop.or(self.clean_up(patience)).await {
            Some(cleaned_up) => cleaned_up,
            None => self.clean_up(QUICK).await,
        };
        let run = Run {
            workload: self.workload.name().into_owned(),
            outcome: if stop.came() { Outcome::Interrupted } else { Outcome::Completed },
            options: self.options,
            baseline,
            network,
            loaded,
            end: self.pool.stats(),
            invariant,
            warnings: cleaned_up.err().into_iter().collect(),
        };
        Ok(Report::new(run, &self.pool))
    }

    /// What comes before the load: the preparation, the baseline, and the way to the database.
    async fn begin(
        &self,
        stop: &mut Stop<impl Future<Output = ()>>,
    ) -> Result<(Option<Duration>, Network), LoadError> {
        let prepared = stop.or(self.workload.prepare(&self.pool)).await;
        prepared.ok_or(LoadError::Interrupted)?.map_err(|source| {
            let database = database(self.pool.driver());
            LoadError::Prepare { database, source }
        })?;
        let LoadOptions { baseline, seed, .. } = self.options;
        if baseline.is_zero() {
            return Ok((None, Network::default()));
        }
        let (control, before) = (self.pool.control(), self.pool.stats());
        let statements = StatementCount::start(&control);
        let alone = baseline::measure(&self.pool, &*self.workload, baseline, seed);
        let alone = stop.or(alone).await.ok_or(LoadError::Interrupted)?;
        let operations = self.pool.stats().acquires.since(&before.acquires).succeeded().max(1);
        let statements = statements.counted().map(|count| count as f64 / operations as f64);
        let round_trip = stop.or(network::round_trip(&control, baseline)).await;
        let round_trip = round_trip.ok_or(LoadError::Interrupted)?;
        let round_trip = round_trip.map(|round_trip| round_trip.as_secs_f64() * 1e6);
        Ok((alone, Network { round_trip, statements }))
    }

    /// The load itself.
    ///
    /// # Errors
    ///
    /// With the panic of the workload.
    async fn load(
        &self,
        stop: &mut Stop<impl Future<Output = ()>>,
        progress: &mut impl FnMut(&Progress),
    ) -> Result<Loaded, Panic> {
        let (before, config) = (self.pool.stats(), self.pool.config());
        let recorder = Arc::new(Recorder::new());
        let (end, ended) = watch::channel(());
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for task in 0..self.options.tasks {
            let task = Task {
                pool: self.pool.clone(),
                workload: Arc::clone(&self.workload),
                recorder: Arc::clone(&recorder),
                number: task,
                rng: Rng::with_seed(self.options.seed.wrapping_add(task as u64)),
            };
            tasks.spawn(task.run(ended.clone()));
        }
        drop(ended);
        let mut teller = Teller {
            pool: &self.pool,
            recorder: &recorder,
            changes: Changes::new(self.pool.control(), started, self.options.changes.clone()),
            started,
            last: (started, 0),
            next_response: started + RESPONSE,
            progress,
        };
        let _ = stop.or(timeout(self.options.duration, teller.tell_on())).await;
        let elapsed = started.elapsed();
        let (in_time, _) = recorder.counts();
        teller.tell(true);
        drop(end);
        let drained = stop.or(timeout(DRAIN, drain(&mut tasks))).await;
        let (changes, most_open) = teller.changes.end();
        match drained {
            Some(Ok(done)) => done?,
            Some(Err(_)) | None => tasks.shutdown().await,
        }
        let whole = started.elapsed();
        let (measured, after) = (recorder.sum(), self.pool.stats());
        let leftover = Leftover::find(&self.pool).await;
        Ok(Loaded {
            leftover,
            config,
            changes,
            most_open,
            elapsed,
            whole,
            in_time,
            measured,
            before,
            after,
        })
    }

    /// Removes what the workload made, or says what is left.
    async fn clean_up(&self, patience: Duration) -> Result<(), String> {
        let why = match timeout(patience, self.workload.clean_up(&self.pool)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => in_full(&error),
            Err(_) => "it takes too long".to_owned(),
        };
        let database = database(self.pool.driver());
        Err(format!("what the workload made in {database} may still be there: {why}"))
    }
}

/// Tells progress, and makes the changes of the run.
struct Teller<'a, D: Driver, F> {
    pool: &'a Pool<D>,
    recorder: &'a Recorder,
    changes: Changes,
    started: Instant,
    /// When it was last told, and the operations by then.
    last: (Instant, u64),
    /// When the response times are worked out next.
    next_response: Instant,
    progress: F,
}

impl<D: Driver, F: FnMut(&Progress)> Teller<'_, D, F> {
    /// Tells it again and again.
    async fn tell_on(&mut self) {
        let mut ticks = interval(TICK);
        // Whole seconds stay whole seconds, however late one tick was.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                // A change is told with the figures of its time.
                biased;
                () = self.changes.make_next() => {}
                _ = ticks.tick() => self.tell(false),
            }
        }
    }

    fn tell(&mut self, ended: bool) {
        let now = Instant::now();
        let (operations, errors) = self.recorder.counts();
        let seconds = (now - self.last.0).as_secs_f64().max(1e-3);
        let response = (ended || now >= self.next_response).then(|| {
            self.next_response = now + RESPONSE;
            Latency::new(&self.recorder.response())
        });
        (self.progress)(&Progress {
            elapsed: now - self.started,
            operations,
            errors,
            throughput: (operations - self.last.1) as f64 / seconds,
            response,
            ended,
            changes: self.changes.news(),
            pool: self.pool.stats(),
        });
        self.last = (now, operations);
    }
}

/// What a task panicked with.
type Panic = Box<dyn Any + Send>;

/// Waits for the operations under way.
async fn drain(tasks: &mut JoinSet<()>) -> Result<(), Panic> {
    while let Some(done) = tasks.join_next().await {
        done.map_err(JoinError::into_panic)?;
    }
    Ok(())
}
