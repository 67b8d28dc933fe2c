//! A member of a fleet: a process with a pool and a load, which says how it is.

use std::ffi::OsString;
use std::future::Future;
use std::io::{BufRead as _, BufReader, Read as _, Write as _, stdin, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use parking_lot::Mutex;
use pool_core::{
    ControlHandle, ErrorClass, Frequent, Observer, OpenFailed, Pool, PoolConfig, PoolOptions,
    Resolved, ShareState, Subscription,
};
use pool_monitor::adaptive::AdaptiveSize;
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};

use super::Fleet;
use crate::cli::Failure;
use crate::cli::arguments::{Arguments, Command};
use crate::cli::cells::panicked;
use crate::cli::layers;
use crate::cli::on_database::{self, Place, Work};
use crate::cli::run::{CLOSE, made};
use crate::cli::thread::on_a_thread;
use crate::database::Database;
use crate::fleet::{Done, Moment, Said};
use crate::load::Progress;
use crate::options::LoadOptions;
use crate::panics::caught;
use crate::recorder::in_full;
use crate::report::{Outcome, Report};
use crate::tester::{LoadError, LoadTester};

/// What the program is told to be a member.
pub(crate) const MEMBER: &str = "fleet-member";
/// How often a member says how it is.
const TICK: Duration = Duration::from_millis(200);
/// How long it has to give back what it has.
const LEAVE: Duration = Duration::from_secs(5);

/// What a member is told on its standard input: one line. It may hold a password, so that it is on no
/// command line.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    /// The command line of the fleet.
    pub(super) arguments: Vec<OsString>,
    /// The server, if it is one of the fleet's own.
    pub(super) url: Option<String>,
    /// Its place among the members.
    pub(super) place: usize,
}

/// Is a member as standard input says, until that ends.
///
/// # Errors
///
/// A [`Failure`]: what it was told makes no sense, or its load cannot be run.
pub(crate) fn member() -> Result<(), Failure> {
    let (mut input, mut line) = (BufReader::new(stdin()), String::new());
    let read =
        input.read_line(&mut line).context("cannot read what to do").map_err(Failure::Run)?;
    let order = serde_json::from_str(&line).ok().filter(|_| read > 0);
    let Some(Order { arguments, url, place }) = order else {
        let why = "a member is started by `pool-loadtest fleet`, which tells it what to do";
        return Err(Failure::Usage(anyhow!(why)));
    };
    let chosen = layers::read(arguments, std::env::vars_os()).map(Arguments::chosen);
    let Ok(Command::Fleet(arguments)) = &chosen else {
        return Err(Failure::Usage(anyhow!("a member is told the command line of a fleet")));
    };
    let (fleet, target) = Fleet::read(arguments);
    let target = match &url {
        Some(url) => target.at("--start", url),
        None => target,
    };
    let target = target.in_fleet(fleet.name.clone());
    on_database::run(target, None, Member { fleet, place, input })
}

/// What a member does.
struct Member<'a> {
    fleet: Fleet<'a>,
    place: usize,
    /// What is left of its standard input: nothing, until it ends.
    input: BufReader<std::io::Stdin>,
}

impl Work for Member<'_> {
    fn check<D: Database + Clone>(&self, driver: &D, config: &PoolConfig) -> Result<(), Failure> {
        self.fleet.check(driver, config)
    }

    async fn on<D: Database + Clone>(
        self,
        place: &Place,
        driver: D,
        resolved: Resolved,
    ) -> Result<(), Failure> {
        let Self { fleet, place: number, mut input } = self;
        let workload = made::<D>(&fleet.workload)?;
        let pool = Pool::new(driver, PoolOptions::from(resolved.config().clone()));
        let pool = pool.map_err(|error| Failure::Run(error.into()))?;
        let control = pool.control();
        let teller = Teller::start(&control);
        let adaptive = AdaptiveSize::start(&control, fleet.arguments.adaptive());
        let adaptive = adaptive.map_err(|error| Failure::Run(error.into()))?;
        let told = on_a_thread(move || drop(input.read_to_end(&mut Vec::new())));
        let told = async {
            tokio::select! {
                () = told => {}
                () = place.stopped.wait() => {}
            }
        };
        let options = LoadOptions {
            arrivals: fleet.arrivals_of(number),
            warm_up: fleet.arguments.load.warm_up,
            // Until it is told to leave.
            duration: Duration::MAX,
            seed: fleet.arguments.seed.wrapping_add(number as u64),
            baseline: Duration::ZERO,
            ..LoadOptions::default()
        };
        let load = async {
            let mut told = std::pin::pin!(told);
            tokio::select! {
                () = has_a_share(&control) => {}
                () = &mut told => return Err(LoadError::Interrupted),
            }
            let tester = LoadTester::new(pool.clone(), workload, options);
            tester.run_until(told, |progress| teller.note(progress)).await
        };
        let ended = teller.beside(caught(load)).await;
        let held = teller.beside(adaptive.leave(LEAVE)).await;
        let closed = pool.close(CLOSE).await;
        let report = match ended {
            Err(panic) => return Err(Failure::Run(anyhow!(panicked(&*panic)))),
            // It was told to leave before it could begin.
            Ok(Err(LoadError::Interrupted)) => None,
            Ok(Err(error)) => return Err(Failure::Run(error.into())),
            Ok(Ok(report)) => Some(report),
        };
        let mut done = report.as_ref().map(done).unwrap_or_default();
        done.held = held;
        if !closed.drained {
            done.warnings.push(format!("connections were not given back: {closed}"));
        }
        say(&Said::Done(done));
        Ok(())
    }
}

/// Waits until something was granted: a load that begins before fails at its first acquire.
async fn has_a_share(pool: &ControlHandle) {
    let mut look = interval(TICK / 4);
    let has_one = || {
        let share = pool.sizing().and_then(|sizing| sizing.share);
        share.is_some_and(|share| share.state == ShareState::Granted && share.granted > 0)
    };
    while !has_one() {
        look.tick().await;
    }
}

fn done(report: &Report) -> Done {
    let mut warnings = report.warnings.clone();
    if report.outcome == Outcome::Died {
        warnings.push("the load died half-way".to_owned());
    }
    Done {
        operations: report.operations + report.late,
        errors: report.errors,
        seconds: report.duration_seconds,
        response_p50: report.response.p50,
        response_p99: report.response.p99,
        held: 0,
        warnings,
    }
}

/// Says how the member is.
struct Teller {
    pool: ControlHandle,
    connects: Arc<Connects>,
    /// Operations that succeeded and that failed so far.
    operations: Mutex<(u64, u64)>,
    _events: Subscription,
}

/// Connects that failed.
#[derive(Default)]
struct Connects {
    /// Because the server has too many connections.
    refused: AtomicU64,
    failed: AtomicU64,
    /// Why the first one failed.
    first: Mutex<Option<String>>,
}

impl Observer for Connects {
    fn frequent(&self) -> Frequent {
        Frequent::NONE
    }

    fn open_failed(&self, event: &OpenFailed<'_>) {
        let count = match event.class {
            ErrorClass::Overloaded => &self.refused,
            _ => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.first.lock().get_or_insert_with(|| in_full(event.error));
    }
}

impl Teller {
    fn start(pool: &ControlHandle) -> Self {
        let connects = Arc::new(Connects::default());
        let observer: Arc<dyn Observer> = connects.clone();
        let events = pool.observe(observer);
        Self { pool: pool.clone(), connects, operations: Mutex::default(), _events: events }
    }

    fn note(&self, progress: &Progress) {
        *self.operations.lock() = (progress.operations, progress.errors);
    }

    /// Does `work` and says meanwhile how the member is.
    async fn beside<T>(&self, work: impl Future<Output = T>) -> T {
        let telling = async {
            let mut tick = interval(TICK);
            tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                tick.tick().await;
                say(&Said::Now(self.moment()));
            }
        };
        tokio::select! {
            done = work => done,
            never = telling => never,
        }
    }

    fn moment(&self) -> Moment {
        let (stats, sizing) = (self.pool.stats(), self.pool.sizing().unwrap_or_default());
        let (operations, errors) = *self.operations.lock();
        let share = sizing.share.as_ref();
        Moment {
            open: stats.open,
            in_use: stats.in_use,
            waiting: stats.waiting,
            granted: share.map_or(0, |share| share.granted),
            state: share.map(|share| share.state.name().to_owned()),
            reason: share.map_or_else(String::new, |share| share.reason.clone()),
            recommended: sizing.recommended.as_ref().map(|recommended| recommended.max_open),
            is_tuned: sizing.recommended.is_some_and(|recommended| recommended.is_applied),
            operations,
            errors,
            refused: self.connects.refused.load(Ordering::Relaxed),
            connects_failed: self.connects.failed.load(Ordering::Relaxed),
            connect_failure: self.connects.first.lock().clone(),
        }
    }
}

/// Prints a line. If nobody reads any more, standard input has ended, too.
fn say(said: &Said) {
    let mut out = stdout().lock();
    let _ = writeln!(out, "{}", said.line()).and_then(|()| out.flush());
}
