//! The load itself: it warms up, is measured, and drains.

mod alarm;
mod clock;
mod closed;
mod open;
mod operation;
mod pauses;
mod teller;

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use pool_core::{Driver, Pool};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};

pub(crate) use self::clock::later;
use self::open::Pacer;
use self::operation::Job;
pub use self::teller::Progress;
use self::teller::Teller;
use crate::arrivals::Arrivals;
use crate::leftover::Leftover;
use crate::panics::Panic;
use crate::recorder::Recorder;
use crate::report::{About, Loaded};
use crate::stop::Stop;
use crate::tester::LoadError;
use crate::workload::Workload;

/// How long operations under way may go on after the end of a run, before they are dropped.
const DRAIN: Duration = Duration::from_secs(5);

/// Why there is nothing to report.
pub(crate) enum Failed {
    /// The workload panicked.
    Panic(Panic),
    /// It ended before it was measured.
    Early(LoadError),
}

/// A load on a pool.
pub(crate) struct Load<'a, D: Driver, W> {
    pub(crate) pool: &'a Pool<D>,
    pub(crate) workload: &'a Arc<W>,
    pub(crate) about: &'a About,
}

impl<D: Driver, W: Workload<D>> Load<'_, D, W> {
    /// Runs it to its end, or until `stop` comes.
    ///
    /// # Errors
    ///
    /// With the panic of the workload, or if it was stopped while it warmed up.
    pub(crate) async fn run(
        &self,
        stop: &mut Stop<impl Future<Output = ()>>,
        progress: impl FnMut(&Progress),
    ) -> Result<Loaded, Failed> {
        let options = &self.about.options;
        let began = Instant::now();
        let from = later(began, options.warm_up);
        let until = later(from, options.duration);
        let recorder = Arc::new(Recorder::new(self.about.kinds.len()));
        let mut teller = Teller::new(self, &recorder, [from, until], progress);
        let (end, ended) = watch::channel(());
        let (panicking, mut panicked) = watch::channel(false);
        let mut tasks = self.start([began, from, until], &recorder, &ended, panicking);
        drop(ended);
        if !options.warm_up.is_zero() {
            let telling = async {
                tokio::select! {
                    () = teller.tell_warm_up() => {}
                    () = one_panics(&mut panicked) => {}
                }
            };
            let warmed_up = stop.or(timeout_at(from, telling)).await;
            if warmed_up.is_none() {
                drop(end);
                tasks.shut_down().await;
                return Err(Failed::Early(LoadError::Interrupted));
            }
            teller.begin();
        }
        let telling = async {
            tokio::select! {
                () = teller.tell_on() => {}
                () = tasks.finished() => {}
                () = one_panics(&mut panicked) => {}
            }
        };
        let _ = stop.or(timeout_at(until, telling)).await;
        let elapsed = teller.end(stop.came());
        drop(end);
        let drained = stop.or(timeout(DRAIN, tasks.drain())).await;
        match drained {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => {
                tasks.shut_down().await;
                return Err(Failed::Panic(error.into_panic()));
            }
            Some(Err(_)) | None => tasks.shut_down().await,
        }
        let loaded = teller.loaded(elapsed);
        Ok(Loaded { leftover: Leftover::find(self.pool).await, ..loaded })
    }

    /// Starts the tasks of a load that begins, is measured from, and ends then.
    fn start(
        &self,
        [began, from, until]: [Instant; 3],
        recorder: &Arc<Recorder>,
        ended: &watch::Receiver<()>,
        panicking: watch::Sender<bool>,
    ) -> Tasks {
        let job = Arc::new(Job {
            pool: self.pool.clone(),
            workload: Arc::clone(self.workload),
            recorder: Arc::clone(recorder),
            from,
            seed: self.about.options.seed,
            panicking,
        });
        match &self.about.options.arrivals {
            Arrivals::Closed { tasks, think_time } => {
                Tasks::working(closed::start(&job, *tasks, *think_time, [began, from], ended))
            }
            Arrivals::Open { schedule, in_flight } => {
                let seed = self.about.options.seed;
                let times = open::times(schedule, seed, [began, from]);
                let pacer = Pacer::new(job, until, *in_flight, ended.clone());
                Tasks::paced(pacer.run(times))
            }
        }
    }
}

/// Waits until a task panics.
async fn one_panics(panicked: &mut watch::Receiver<bool>) {
    if panicked.wait_for(|has| *has).await.is_err() {
        pending::<()>().await;
    }
}

/// The tasks of a load. Dropping them drops every operation under way.
struct Tasks {
    /// What starts operations by a schedule, and in the end tells who does them.
    pacer: JoinSet<JoinSet<()>>,
    workers: JoinSet<()>,
}

impl Tasks {
    fn working(workers: JoinSet<()>) -> Self {
        Self { pacer: JoinSet::new(), workers }
    }

    fn paced(pacer: impl Future<Output = JoinSet<()>> + Send + 'static) -> Self {
        let mut tasks = Self::working(JoinSet::new());
        tasks.pacer.spawn(pacer);
        tasks
    }

    /// Waits until there is nothing left to do, which without a schedule never comes.
    async fn finished(&mut self) {
        match self.pacer.join_next().await {
            Some(Ok(workers)) => self.workers = workers,
            // Said when it is drained.
            Some(Err(error)) => {
                self.workers.spawn(async move { std::panic::resume_unwind(error.into_panic()) });
            }
            None => pending().await,
        }
    }

    /// Waits for the operations under way.
    async fn drain(&mut self) -> Result<(), JoinError> {
        while let Some(workers) = self.pacer.join_next().await {
            self.workers = workers?;
        }
        while let Some(done) = self.workers.join_next().await {
            done?;
        }
        Ok(())
    }

    /// Drops the operations under way, and waits until they are gone.
    async fn shut_down(&mut self) {
        // At the end the pacer comes back at once.
        while let Some(workers) = self.pacer.join_next().await {
            self.workers = workers.unwrap_or_default();
        }
        self.workers.shutdown().await;
    }
}
