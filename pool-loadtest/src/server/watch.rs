//! When the server is asked: as the load begins, now and then while it lasts, and when it is over.

use std::time::Duration;

use pool_core::{ControlHandle, Probe, SharedError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use super::tally::Tally;
use super::{Question, System};
use crate::load::Progress;
use crate::recorder::in_full;
use crate::report::ServerReport;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often levels are looked at; the first time after half of it.
const TICK: Duration = Duration::from_millis(250);
/// How often counters that come late are asked for until they stand still, and how long apart.
const SETTLING: (usize, Duration) = (10, Duration::from_millis(100));

/// How far the run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Before,
    Load,
    Over,
    /// The pool is closed.
    Closed,
}

/// Asks the server in a task of its own, on a connection outside the pool. Whatever goes wrong is
/// said in the report; the run goes on.
pub(crate) struct ServerWatch {
    phase: watch::Sender<Phase>,
    /// Whether the task has done what it does before the pool is closed.
    settled: watch::Receiver<bool>,
    task: JoinHandle<Option<ServerReport>>,
}

impl ServerWatch {
    /// Connects, and waits for the load. Needs a tokio runtime around it.
    pub(crate) fn start(pool: ControlHandle) -> Self {
        let (phase, phases) = watch::channel(Phase::Before);
        let (settles, settled) = watch::channel(false);
        let task = tokio::spawn(attend(pool, phases, settles));
        Self { phase, settled, task }
    }

    /// The load has come so far. What is counted while it warms up is not of it.
    pub(crate) fn tell(&self, progress: &Progress) {
        if progress.warm_up_left.is_some() {
            return;
        }
        self.reach(if progress.ended { Phase::Over } else { Phase::Load });
    }

    /// Waits, for a bounded time, until it has let go of what must be gone before the pool is closed.
    pub(crate) async fn before_close(&mut self) {
        if *self.phase.borrow() == Phase::Over {
            // An error is the end of the task.
            let _ = timeout(PATIENCE * 2, self.settled.wait_for(|settled| *settled)).await;
        }
    }

    /// What was counted, once the pool is closed; `None` if there was no load, or no driver's
    /// connection that can be asked.
    pub(crate) async fn report(mut self) -> Option<ServerReport> {
        self.reach(Phase::Closed);
        let bound = PATIENCE * 2 + SETTLING.1 * SETTLING.0 as u32;
        timeout(bound, &mut self.task).await.ok()?.ok()?
    }

    fn reach(&self, phase: Phase) {
        self.phase.send_if_modified(|present| {
            let further = phase > *present;
            *present = phase.max(*present);
            further
        });
    }
}

impl Drop for ServerWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Asks from the beginning to the end of a load.
async fn attend(
    pool: ControlHandle,
    mut phases: watch::Receiver<Phase>,
    settles: watch::Sender<bool>,
) -> Option<ServerReport> {
    let mut asking = match connect(&pool).await {
        Ok(asking) => asking?,
        Err(why) => return Some(nothing(&why)),
    };
    if reached(&mut phases, Phase::Load).await? == Phase::Closed {
        return None;
    }
    let began = Instant::now();
    asking.ask(Question::Count).await;
    let mut ticks = interval_at(began + TICK / 2, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            over = reached(&mut phases, Phase::Over) => {
                over?;
                break;
            }
            _ = ticks.tick() => asking.ask(Question::Look).await,
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    if asking.system.counts_late() {
        let _ = settles.send(true);
        reached(&mut phases, Phase::Closed).await?;
        asking.settle().await;
    } else {
        asking.ask(Question::Count).await;
    }
    let report = asking.report(seconds);
    // Its connection is gone with it.
    drop(asking);
    let _ = settles.send(true);
    Some(report)
}

/// Waits until the run has come so far; `None` if nobody tells any more.
async fn reached(phases: &mut watch::Receiver<Phase>, least: Phase) -> Option<Phase> {
    phases.wait_for(|phase| *phase >= least).await.ok().map(|phase| *phase)
}

/// Opens a connection outside the pool; `None` if nothing can be asked on it.
async fn connect(pool: &ControlHandle) -> Result<Option<Asking>, String> {
    let mut probe = pool.probe().await.map_err(|error| in_full(&error))?;
    let system = timeout(PATIENCE, System::of(&mut *probe)).await.ok().flatten();
    Ok(system.map(|system| Asking { probe, system, tally: Tally::default(), failed: None }))
}

/// A connection to ask on, and what was answered.
struct Asking {
    probe: Box<dyn Probe>,
    system: System,
    tally: Tally,
    /// Why no more is asked.
    failed: Option<String>,
}

impl Asking {
    /// Asks, unless an earlier question failed.
    async fn ask(&mut self, question: Question) {
        if self.failed.is_some() {
            return;
        }
        let asked = self.system.ask(&mut *self.probe, question, &mut self.tally);
        let failure: Option<SharedError> = match timeout(PATIENCE, asked).await {
            Ok(answered) => answered.err(),
            Err(_) => {
                self.failed = Some(format!("no answer within {} s", PATIENCE.as_secs()));
                return;
            }
        };
        self.failed = failure.map(|error| in_full(&*error));
    }

    /// Asks until the counters stand still: sessions that have ended tell theirs a moment later.
    async fn settle(&mut self) {
        for _ in 0..SETTLING.0 {
            let before = self.tally.standing();
            self.ask(Question::Count).await;
            if self.failed.is_some() || self.tally.standing() == before {
                return;
            }
            sleep(SETTLING.1).await;
        }
    }

    fn report(&mut self, seconds: f64) -> ServerReport {
        let missing = match self.failed.take() {
            Some(why) => Some(why),
            None if self.tally.began_anew() => {
                Some("it has begun to count anew meanwhile, as after a restart".to_owned())
            }
            None => None,
        };
        let Some(why) = missing else {
            return ServerReport {
                version: self.tally.version.take(),
                counters: self.tally.figures(),
                findings: self.system.findings(&self.tally, seconds),
                missing: Vec::new(),
            };
        };
        ServerReport { version: self.tally.version.take(), ..nothing(&why) }
    }
}

/// A report of a server that was not asked.
fn nothing(why: &str) -> ServerReport {
    let missing = vec![format!("what the server counts: {why}")];
    ServerReport { version: None, counters: Vec::new(), findings: Vec::new(), missing }
}
