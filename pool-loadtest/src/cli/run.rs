//! `pool-loadtest run`.

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Error, anyhow};
use pool_core::{ConfigError, OpenError, Pool, PoolConfig, PoolOptions, Resolved};
use tokio::time::{sleep, timeout};

use super::arguments::RunArguments;
use super::aside::Aside;
use super::cells::panicked;
use super::criteria::Criteria;
use super::health::HealthWatch;
use super::misfortune::Misfortunes;
use super::monitor::Monitor;
use super::on_database::{self, Place, Work};
use super::output::Outputs;
use super::partial::Partial;
use super::plan;
use super::printed::PrintedRun;
use super::progress::{ProgressDisplay, ProgressForm};
use super::stage::Stage;
use super::target::Target;
use super::workload::Plan;
use super::{Failure, say};
use crate::bounds::{OutOfTime, limit};
use crate::change::Change;
use crate::compare::Setup;
use crate::database::Database;
use crate::forms::Form;
use crate::load::Progress;
use crate::options::LoadOptions;
use crate::panics::caught;
use crate::report::{Invariant, LoadReport, Outcome, Provenance, Report, database};
use crate::scenario::Staged;
use crate::tester::{LoadError, LoadTester};
use crate::workload::Workload as _;
use crate::workloads::Chosen;

/// How long the pool may take to close after a run.
pub(super) const CLOSE: Duration = Duration::from_secs(5);
/// How long opening a pool or starting a server may take before something is said about it.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Runs a load and prints its report.
///
/// # Errors
///
/// A [`Failure`], after the report was printed if there is one.
pub(crate) fn run(arguments: &RunArguments) -> Result<(), Failure> {
    // Before there are handlers of signals: a file may take its time, and there is nothing to tidy up.
    let (run, target) = Run::read(arguments)?;
    let own = run.stage.own();
    on_database::run(target, own, run)
}

/// What was asked for, all of it understood.
pub(super) struct Run<'a> {
    arguments: &'a RunArguments,
    stage: Stage,
    workload: Plan,
    changes: Vec<Change>,
    monitor: Monitor,
    outputs: Outputs,
    criteria: Criteria,
}

impl<'a> Run<'a> {
    /// Reads it, and the database that it is to be done on, which knows what is wrong with both.
    ///
    /// # Errors
    ///
    /// [`Failure::Run`] if it cannot be watched as asked for.
    pub(super) fn read(arguments: &'a RunArguments) -> Result<(Self, Target), Failure> {
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
        let (criteria, problems) = arguments.criteria.read();
        target.object(problems);
        let changes = stage.changes(changes);
        Ok((Self { arguments, stage, workload, changes, monitor, outputs, criteria }, target))
    }

    /// What runs that are compared with this one have in common with it.
    fn setup<D: Database>(&self, driver: &D, workload: &str) -> Setup {
        let options = self.stage.options(self.arguments.seed, self.changes.clone());
        Setup {
            system: driver.metadata().system_name.into_owned(),
            workload: workload.to_owned(),
            scenario: self.stage.scenario.map(|scenario| scenario.name.to_owned()),
            load: LoadReport::new(&options),
            provenance: Provenance::now(),
            is_changed: !self.changes.is_empty(),
        }
    }
}

/// Makes the workload.
pub(super) fn made<D: Database>(workload: &Plan) -> Result<Chosen<D>, Failure> {
    workload.workload().map_err(|error| Failure::Usage(error.into()))
}

impl Work for Run<'_> {
    fn check<D: Database + Clone>(&self, driver: &D, config: &PoolConfig) -> Result<(), Failure> {
        let workload = made::<D>(&self.workload)?;
        let mut problems = self.criteria.unknown_kinds(&workload.kinds());
        problems.extend(self.criteria.unlike(&self.setup(driver, &workload.name())));
        problems.extend(plan::check(&self.changes, config, driver));
        problems.extend(self.stage.check(config, driver));
        ConfigError::from_problems(problems).map_err(usage)
    }

    async fn on<D: Database + Clone>(
        self,
        place: &Place,
        driver: D,
        resolved: Resolved,
    ) -> Result<(), Failure> {
        let Self { arguments, stage, workload, changes, monitor, outputs, criteria } = self;
        let (workload, stopped) = (made::<D>(&workload)?, &place.stopped);
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
        let database = place.name();
        let planned = stage.planned().zip(place.server.clone());
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
        report.verdict.heed_incidents(&report.incidents);
        aside.add_to(&mut report).await;
        stage.conclude(&mut report);
        report.database = database.or(report.database);
        let health = health.seen();
        let judgement = criteria.judge(&report);
        let printed =
            PrintedRun { report: &report, health: &health, seen: &seen, judgement: &judgement };
        let (files, written) = outputs.write_files(&printed);
        if outputs.first_file().is_none_or(|first| files.contains(&first)) {
            partial.remove();
        }
        // Before the scraper comes, and whatever became of the files: it may have taken an hour.
        written.and(outputs.print(&printed)).map_err(Failure::Run)?;
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
    let report = caught(report).await;
    display.end();
    let report = report.map_err(|panic| {
        let why = panicked(&*panic);
        beside.partial.died(&why);
        Failure::Run(anyhow!(why))
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
        (_, Outcome::Died) => failed("the run died half-way".to_owned()),
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
