//! `pool-loadtest run`.

use std::future::{Future, pending};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Error, anyhow};
use pool_core::{ConfigError, OpenError, Pool, PoolConfig, PoolOptions, Resolved};
use pool_sqlite::SqliteOptions;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::arguments::RunArguments;
use super::aside::Aside;
use super::criteria::Criteria;
use super::health::HealthWatch;
use super::misfortune::Misfortunes;
use super::monitor::Monitor;
use super::output::Outputs;
use super::own::OwnServer;
use super::partial::{Partial, survived};
use super::plan;
use super::printed::PrintedRun;
use super::progress::{ProgressDisplay, ProgressForm};
use super::signals::{Signals, Stopped, remove};
use super::stage::Stage;
use super::target::{Target, Visit};
use super::thread::on_a_thread;
use super::workload::Plan;
use super::{Failure, say};
use crate::bounds::{OutOfTime, limit};
use crate::change::Change;
use crate::database::Database;
use crate::forms::Form;
use crate::load::Progress;
use crate::options::LoadOptions;
use crate::report::{Invariant, Outcome, Report, database};
use crate::scenario::Staged;
use crate::tester::{LoadError, LoadTester};
use crate::workloads::Chosen;

/// How long the pool may take to close after a run.
pub(super) const CLOSE: Duration = Duration::from_secs(5);
/// How long opening may take before something is said about it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs a load and prints its report.
///
/// # Errors
///
/// A [`Failure`], after the report was printed if there is one.
pub(crate) fn run(arguments: &RunArguments) -> Result<(), Failure> {
    // Before there are handlers of signals: a file may take its time, and there is nothing to tidy up.
    let (stage, problems) = Stage::read(arguments);
    let mut target = Target::read(&arguments.settings, |sources| stage.settle(sources));
    target.object(problems);
    let (monitor, problems) = Monitor::start(&arguments.monitor).map_err(Failure::Run)?;
    target.object(problems);
    let (changes, problems) = plan::read(&arguments.at, stage.duration);
    target.object(problems);
    let (workload, problems) = arguments.workload.read();
    target.object(problems);
    let (outputs, problems) = arguments.output.open(&Form::OF_A_RUN);
    target.object(problems);
    let (criteria, problems) = arguments.criteria.read()?;
    target.object(problems);
    let changes = stage.changes(changes);
    if let Some(product) = stage.start {
        // A server that would be of no use is not started.
        let check = Check { workload: &workload, changes: &changes };
        let known = target.at("--start", product.url());
        known.resolve(SqliteOptions::private_memory(), check).map_err(usage)??;
    }
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime");
    let ready = Ready { arguments, stage, workload, changes, monitor, outputs, criteria };
    runtime.map_err(Failure::Run)?.block_on(run_async(ready, target))
}

/// What was asked for, all of it understood.
struct Ready<'a> {
    arguments: &'a RunArguments,
    stage: Stage,
    workload: Plan,
    changes: Vec<Change>,
    monitor: Monitor,
    outputs: Outputs,
    criteria: Criteria,
}

async fn run_async(ready: Ready<'_>, mut target: Target) -> Result<(), Failure> {
    // First of all: whatever is made from here on is removed again.
    let signals = Signals::install().context("cannot listen to signals").map_err(Failure::Run)?;
    let in_temporary_file = !target.names_url();
    let directory = in_temporary_file.then(TempDir::new).transpose();
    let directory = directory.context("cannot make a temporary directory").map_err(Failure::Run)?;
    let path = directory.as_ref().map(|directory| directory.path().to_owned());
    let started = Arc::new(OnceLock::new());
    let server = Arc::clone(&started);
    let stopped = signals.listen(move || tidy(path.as_deref(), server.get()));
    let server = start(&ready.stage, &stopped).await?;
    if let Some(server) = &server {
        let _ = started.set(Arc::clone(server));
        target = target.at("--start", &server.url());
    }
    let fallback = match &directory {
        Some(directory) => SqliteOptions::file(directory.path().join("bank.db")),
        None => SqliteOptions::private_memory(),
    };
    let run = Run { ready, server, stopped, in_temporary_file };
    let running = target.resolve(fallback, run).map_err(usage)?;
    let ended = running.await;
    // Removed only now that the pool is closed.
    drop(directory);
    ended
}

/// Starts the server of the run's own, if there is to be one.
async fn start(stage: &Stage, stopped: &Stopped) -> Result<Option<Arc<OwnServer>>, Failure> {
    let Some(product) = stage.start else { return Ok(None) };
    let fault = stage.planned().map(|planned| planned.fault);
    let patience = async {
        sleep(PATIENCE).await;
        say("still starting the server");
        pending().await
    };
    let started = tokio::select! {
        started = on_a_thread(move || OwnServer::start(product, fault)) => started,
        never = patience => never,
        () = stopped.wait() => return Err(Failure::Interrupted),
    };
    started.map(|server| Some(Arc::new(server))).map_err(Failure::Run)
}

/// What the second signal leaves no time for otherwise.
fn tidy(directory: Option<&Path>, server: Option<&Arc<OwnServer>>) {
    if let Some(directory) = directory {
        remove(directory);
    }
    let Some(server) = server.map(Arc::clone) else { return };
    let (ended, end) = mpsc::channel();
    // It may be busy starting again: then it ends with this process.
    thread::spawn(move || ended.send(server.end()));
    let _ = end.recv_timeout(PATIENCE);
}

/// Looks at what is to be done to a pool before there is a server for it.
struct Check<'a> {
    workload: &'a Plan,
    changes: &'a [Change],
}

impl Visit for Check<'_> {
    type Output = Result<(), Failure>;

    fn visit<D: Database + Clone>(self, driver: D, resolved: Resolved) -> Self::Output {
        made::<D>(self.workload)?;
        plan::check(self.changes, resolved.config(), &driver).map_err(usage)
    }
}

/// Makes the workload.
pub(super) fn made<D: Database>(workload: &Plan) -> Result<Chosen<D>, Failure> {
    workload.workload().map_err(|error| Failure::Usage(error.into()))
}

/// A run on whichever database.
struct Run<'a> {
    ready: Ready<'a>,
    server: Option<Arc<OwnServer>>,
    stopped: Stopped,
    in_temporary_file: bool,
}

impl<'a> Visit for Run<'a> {
    type Output = Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

    fn visit<D: Database + Clone>(self, driver: D, resolved: Resolved) -> Self::Output {
        Box::pin(self.on(driver, resolved))
    }
}

impl Run<'_> {
    async fn on<D: Database + Clone>(self, driver: D, resolved: Resolved) -> Result<(), Failure> {
        let Self { ready, server, stopped, in_temporary_file } = self;
        let Ready { arguments, stage, workload, changes, monitor, outputs, criteria } = ready;
        let workload = made::<D>(&workload)?;
        plan::check(&changes, resolved.config(), &driver).map_err(usage)?;
        stage.check(resolved.config(), &driver).map_err(usage)?;
        let pool = tokio::select! {
            pool = open(&driver, resolved.config()) => pool?,
            () = stopped.wait() => return Err(Failure::Interrupted),
        };
        let mut watching = monitor.watch(&pool.control()).map_err(Failure::Run)?;
        let mut health = HealthWatch::start(&pool.control()).map_err(Failure::Run)?;
        let mut aside = Aside::start(&pool.control(), arguments.replicas).await;
        let mut partial = Partial::beside(outputs.first_file());
        let options = LoadOptions {
            partial_every: partial.every(),
            ..stage.options(arguments.seed, changes)
        };
        // The path of a temporary file is of no use to anybody: it is about to be removed.
        let temporary = in_temporary_file.then(|| "a file in a temporary directory".to_owned());
        let database = temporary.or_else(|| server.as_ref().map(|server| server.name()));
        let planned = stage.planned().zip(server.clone());
        let misfortunes = Misfortunes::plan(planned, &stage.notes);
        tokio::select! {
            () = misfortunes.ready() => {}
            () = stopped.wait() => return Err(Failure::Interrupted),
        }
        let beside = Beside {
            stage: &stage,
            misfortunes: &misfortunes,
            health: &mut health,
            aside: &aside,
            partial: &mut partial,
            database: database.as_deref(),
            form: arguments.progress,
        };
        let report = load(pool.clone(), workload, options, beside, stopped.wait()).await;
        // Before the pool is closed, as what comes then is not of the load.
        let advice = watching.advice();
        aside.before_close().await;
        let closed = pool.close(CLOSE).await;
        let seen = watching.deliver(advice).await;
        let mut report = report?;
        report.incidents = misfortunes.seen().await;
        aside.add_to(&mut report).await;
        stage.conclude(&mut report);
        report.database = database.or(report.database);
        let health = health.seen();
        let judgement = criteria.judge(&report);
        let printed =
            PrintedRun { report: &report, health: &health, seen: &seen, judgement: &judgement };
        outputs.write_files(&printed).map_err(Failure::Run)?;
        partial.remove();
        outputs.print(&printed).map_err(Failure::Run)?;
        watching.be_scraped(stopped.wait()).await;
        if !closed.drained {
            return Err(Failure::Run(anyhow!("connections were not given back: {closed}")));
        }
        judge(&report, stage.expects_errors())?;
        judgement.conclude()
    }
}

/// Opens the pool within the time of one acquire.
pub(super) async fn open<D: Database + Clone>(
    driver: &D,
    config: &PoolConfig,
) -> Result<Pool<D>, Failure> {
    let (limit, database) = (limit(config), database(driver));
    let options = PoolOptions::from(config.clone());
    let opening = timeout(limit, Pool::open(driver.clone(), options));
    let patience = async {
        sleep(PATIENCE).await;
        let limit = humantime::format_duration(limit);
        say(&format!("still opening {database}, for at most {limit} (acquire_timeout)"));
        pending().await
    };
    let opened = tokio::select! {
        opened = opening => opened,
        never = patience => never,
    };
    let error = match opened {
        Ok(Ok(pool)) => return Ok(pool),
        Ok(Err(OpenError::Config(error))) => return Err(usage(error)),
        Ok(Err(error)) => Error::new(error),
        Err(_) => {
            let source = driver.blocked_by().await;
            Error::new(OutOfTime { limit, source }).context("connecting and checking")
        }
    };
    Err(Failure::Run(error.context(format!("cannot open the database {database}"))))
}

pub(super) fn usage(error: ConfigError) -> Failure {
    Failure::Usage(error.into())
}

/// What goes on beside a load.
struct Beside<'a> {
    stage: &'a Stage,
    misfortunes: &'a Misfortunes,
    health: &'a mut HealthWatch,
    aside: &'a Aside,
    partial: &'a mut Partial,
    /// What reports call the database, if it has no name of its own.
    database: Option<&'a str>,
    form: ProgressForm,
}

impl Beside<'_> {
    /// The load is so far.
    fn tell(&mut self, progress: &Progress) {
        self.stage.tell(progress);
        self.misfortunes.tell(progress);
        self.aside.tell(progress);
        if let Some(report) = &progress.partial {
            let mut report = Report::clone(report);
            self.stage.name(&mut report);
            report.database = self.database.map(str::to_owned).or(report.database);
            self.partial.write(report);
        }
    }
}

async fn load<D: Database>(
    pool: Pool<D>,
    workload: Chosen<D>,
    options: LoadOptions,
    mut beside: Beside<'_>,
    stop: impl Future<Output = ()>,
) -> Result<Report, Failure> {
    let Beside { stage, misfortunes, form, .. } = beside;
    let mut display = ProgressDisplay::start(form, options.duration, &pool.control());
    let notes = Arc::clone(&stage.notes);
    let workload = Staged::new(workload, stage.scenario, notes, misfortunes.calm());
    let tester = LoadTester::new(pool, workload, options);
    let report = tester.run_until(stop, |progress| {
        beside.tell(progress);
        display.note(misfortunes.news());
        display.show(progress, beside.health);
    });
    let report = survived(report).await;
    display.end();
    let report = report.map_err(|why| {
        beside.partial.died(&why);
        Failure::Run(anyhow!("the workload {why}"))
    })?;
    report.map_err(|error| match error {
        LoadError::Interrupted => Failure::Interrupted,
        error => Failure::Run(error.into()),
    })
}

/// How the program ends after a report.
pub(super) fn judge(report: &Report, expects_errors: bool) -> Result<(), Failure> {
    let Report { operations, late, errors, invariant_detail: detail, .. } = report;
    let database = report.database.as_deref().unwrap_or("unnamed");
    let failed = |words: String| Err(Failure::Run(anyhow!("{database}: {words}")));
    match (report.invariant, report.outcome) {
        (Invariant::Broken, _) => failed(format!("the invariant did not hold: {detail}")),
        (_, Outcome::Interrupted | Outcome::Running) => Err(Failure::Interrupted),
        (Invariant::Unchecked, _) => {
            failed(format!("the invariant could not be checked: {detail}"))
        }
        (Invariant::Held, _) if expects_errors => Ok(()),
        (Invariant::Held, _) => match what_failed(operations + late, *errors) {
            Some(words) => failed(words),
            None => Ok(()),
        },
    }
}

/// What to say of a run in which too little succeeded.
fn what_failed(succeeded: u64, errors: u64) -> Option<String> {
    let all = succeeded + errors;
    match succeeded {
        0 => Some(format!("not one operation succeeded, {errors} failed")),
        _ if errors > succeeded => {
            Some(format!("more than half of the operations failed: {errors} of {all}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_which_more_than_half_failed_has_failed() {
        assert_eq!((what_failed(50, 50), what_failed(1, 0)), (None, None));
        let half = "more than half of the operations failed: 51 of 101";
        assert_eq!(what_failed(50, 51).as_deref(), Some(half));
        let none = "not one operation succeeded, 0 failed";
        assert_eq!(what_failed(0, 0).as_deref(), Some(none));
    }
}
