//! A run from beginning to end. What each task does is in `task.rs`.
//!
//! The load is a closed loop: a task asks again only after it has its answer. While the pool or the
//! database stalls, fewer operations are asked for, so the percentiles understate what arrivals
//! that do not wait for each other would see.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use pool_core::{Driver, Pool, PoolStats};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::options::LoadOptions;
use crate::recorder::{Recorder, in_full};
use crate::report::{Outcome, Report, Run, database};
use crate::task::Task;
use crate::workload::{Workload, WorkloadError};

/// How often progress is told.
const TICK: Duration = Duration::from_millis(200);
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

    /// Prepares the workload, runs it for its time, and checks its invariant. Needs a tokio runtime
    /// with a timer.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the workload could not be prepared. Whatever goes wrong later is in the
    /// report.
    pub async fn run(self) -> Result<Report, LoadError> {
        self.run_until(std::future::pending(), |_| {}).await
    }

    /// Like [`run`](Self::run), but ends early when `stop` does, and tells `progress` five times a
    /// second.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the workload could not be prepared.
    ///
    /// # Panics
    ///
    /// With the panic of the workload, if it panics.
    pub async fn run_until(
        self,
        stop: impl Future<Output = ()>,
        mut progress: impl FnMut(&Progress),
    ) -> Result<Report, LoadError> {
        self.workload.prepare(&self.pool).await.map_err(|source| LoadError::Prepare {
            database: database(self.pool.driver()),
            source,
        })?;
        let baseline = self.baseline().await;
        let before = self.pool.stats();
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
        let outcome = tokio::select! {
            () = sleep(self.options.duration) => Outcome::Completed,
            () = stop => Outcome::Interrupted,
            () = self.tell(&recorder, started, &mut progress) => Outcome::Completed,
        };
        let elapsed = started.elapsed();
        let (in_time, _) = recorder.counts();
        drop(end);
        drain(&mut tasks).await;
        let invariant = self.workload.verify(&self.pool).await;
        let patience = if invariant.is_ok() { Duration::MAX } else { QUICK };
        let cleaned_up = self.clean_up(patience).await;
        let run = Run {
            outcome,
            elapsed,
            in_time,
            options: self.options,
            baseline,
            measured: recorder.sum(),
            before,
            after: self.pool.stats(),
            invariant,
            warnings: cleaned_up.err().into_iter().collect(),
        };
        Ok(Report::new(run, &self.pool))
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

    /// What an operation takes on average while nobody else works.
    async fn baseline(&self) -> Option<Duration> {
        let mut rng = Rng::with_seed(self.options.seed);
        let mut operations = 0;
        let mut worked = Duration::ZERO;
        while worked < self.options.baseline {
            let mut connection = self.pool.acquire().await.ok()?;
            let started = Instant::now();
            self.workload.step(&mut connection, &mut rng).await.ok()?;
            drop(connection);
            worked += started.elapsed();
            operations += 1;
        }
        (operations > 0).then(|| worked / operations)
    }

    /// Tells progress, for ever.
    async fn tell(
        &self,
        recorder: &Recorder,
        started: Instant,
        progress: &mut impl FnMut(&Progress),
    ) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = (started, 0);
        loop {
            ticks.tick().await;
            let now = Instant::now();
            let (operations, errors) = recorder.counts();
            let seconds = (now - last.0).as_secs_f64().max(1e-3);
            progress(&Progress {
                elapsed: now - started,
                operations,
                errors,
                throughput: (operations - last.1) as f64 / seconds,
                pool: self.pool.stats(),
            });
            last = (now, operations);
        }
    }
}

/// Waits for the operations under way; drops those that take too long.
async fn drain(tasks: &mut JoinSet<()>) {
    let all_done = async {
        while let Some(done) = tasks.join_next().await {
            if let Err(error) = done {
                resume_unwind(error.into_panic());
            }
        }
    };
    if timeout(DRAIN, all_done).await.is_err() {
        tasks.shutdown().await;
    }
}
