//! `pool-loadtest run`.

use std::future::{Future, pending};
use std::io::{Write as _, stdout};
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, Error, anyhow};
use pool_core::{OpenError, Pool, PoolConfig, PoolOptions, Resolved};
use pool_sqlite::SqliteOptions;
use serde::Serialize;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::arguments::{Output, RunArguments};
use super::health::{HealthSeen, HealthWatch};
use super::monitor::{Monitor, Seen};
use super::plan;
use super::progress::ProgressLine;
use super::signals::{Signals, Stopped};
use super::target::{Target, Visit};
use super::{Failure, say};
use crate::bank::{Bank, Teller};
use crate::bounds::{OutOfTime, limit};
use crate::change::Change;
use crate::options::LoadOptions;
use crate::report::{Invariant, Outcome, Report, database};
use crate::tester::{LoadError, LoadTester};

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
    let mut target = Target::read(&arguments.settings);
    let (monitor, problems) = Monitor::start(&arguments.monitor).map_err(Failure::Run)?;
    target.object(problems);
    let (changes, problems) = plan::read(&arguments.at, arguments.duration);
    target.object(problems);
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime");
    runtime.map_err(Failure::Run)?.block_on(run_async(arguments, changes, target, monitor))
}

async fn run_async(
    arguments: &RunArguments,
    changes: Vec<Change>,
    target: Target,
    monitor: Monitor,
) -> Result<(), Failure> {
    // First of all: whatever is made from here on is removed again.
    let signals = Signals::install().context("cannot listen to signals").map_err(Failure::Run)?;
    let in_temporary_file = !target.names_url();
    let directory = in_temporary_file.then(TempDir::new).transpose();
    let directory = directory.context("cannot make a temporary directory").map_err(Failure::Run)?;
    let path = directory.as_ref().map(|directory| directory.path().to_owned());
    let stopped = signals.listen(path);
    let fallback = match &directory {
        Some(directory) => SqliteOptions::file(directory.path().join("bank.db")),
        None => SqliteOptions::private_memory(),
    };
    let run = Run { arguments, changes, stopped, in_temporary_file, monitor };
    let running = target.resolve(fallback, run).map_err(usage)?;
    let ended = running.await;
    // Removed only now that the pool is closed.
    drop(directory);
    ended
}

/// A run on whichever database.
struct Run<'a> {
    arguments: &'a RunArguments,
    changes: Vec<Change>,
    stopped: Stopped,
    in_temporary_file: bool,
    monitor: Monitor,
}

impl<'a> Visit for Run<'a> {
    type Output = Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

    fn visit<D: Teller + Clone>(self, driver: D, resolved: Resolved) -> Self::Output {
        Box::pin(self.on(driver, resolved))
    }
}

impl Run<'_> {
    async fn on<D: Teller + Clone>(self, driver: D, resolved: Resolved) -> Result<(), Failure> {
        let Self { arguments, changes, stopped, in_temporary_file, monitor } = self;
        plan::check(&changes, resolved.config(), &driver).map_err(usage)?;
        let pool = tokio::select! {
            pool = open(&driver, resolved.config()) => pool?,
            () = stopped.wait() => return Err(Failure::Interrupted),
        };
        let mut watching = monitor.watch(&pool.control()).map_err(Failure::Run)?;
        let mut health = HealthWatch::start(&pool.control()).map_err(Failure::Run)?;
        let options = LoadOptions {
            tasks: arguments.tasks as usize,
            duration: arguments.duration,
            seed: arguments.seed,
            changes,
            ..LoadOptions::default()
        };
        let report = load(pool.clone(), options, &mut health, stopped.wait()).await;
        // Before the pool is closed, as what comes then is not of the load.
        let advice = watching.advice();
        let closed = pool.close(CLOSE).await;
        let seen = watching.deliver(advice).await;
        let mut report = report?;
        if in_temporary_file {
            // Its path is of no use to anybody: it is about to be removed.
            report.database = Some("a file in a temporary directory".to_owned());
        }
        print(&report, &health.seen(), &seen, arguments.output).map_err(Failure::Run)?;
        watching.be_scraped(stopped.wait()).await;
        if !closed.drained {
            return Err(Failure::Run(anyhow!("connections were not given back: {closed}")));
        }
        judge(&report)
    }
}

/// Opens the pool within the time of one acquire.
pub(super) async fn open<D: Teller + Clone>(
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

pub(super) fn usage(error: pool_core::ConfigError) -> Failure {
    Failure::Usage(error.into())
}

async fn load<D: Teller>(
    pool: Pool<D>,
    options: LoadOptions,
    health: &mut HealthWatch,
    stop: impl Future<Output = ()>,
) -> Result<Report, Failure> {
    let mut line = ProgressLine::new(options.duration);
    let tester = LoadTester::new(pool, Bank::new(), options);
    let report = tester.run_until(stop, |progress| line.show(progress, health)).await;
    line.clear();
    report.map_err(|error| match error {
        LoadError::Interrupted => Failure::Interrupted,
        error => Failure::Run(error.into()),
    })
}

fn print(report: &Report, health: &HealthSeen, seen: &Seen, output: Output) -> anyhow::Result<()> {
    let text = match output {
        Output::Text => format!("{report}{health}{seen}"),
        Output::Json => serde_json::to_string_pretty(&Printed { report, health, seen })? + "\n",
    };
    let mut out = stdout();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    printed.context("cannot print the report")
}

/// The JSON that is printed.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// How the pool was when the load began, and each change since.
    health: &'a HealthSeen,
    /// Nothing, if nobody watched.
    #[serde(flatten)]
    seen: &'a Seen,
}

/// How the program ends after a report.
pub(super) fn judge(report: &Report) -> Result<(), Failure> {
    let Report { operations, late, errors, invariant_detail: detail, .. } = report;
    let database = report.database.as_deref().unwrap_or("unnamed");
    let failed = |words: String| Err(Failure::Run(anyhow!("{database}: {words}")));
    match (report.invariant, report.outcome) {
        (Invariant::Broken, _) => failed(format!("the invariant did not hold: {detail}")),
        (_, Outcome::Interrupted | Outcome::Running) => Err(Failure::Interrupted),
        (Invariant::Unchecked, _) => {
            failed(format!("the invariant could not be checked: {detail}"))
        }
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
