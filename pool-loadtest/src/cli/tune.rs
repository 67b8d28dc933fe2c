//! `pool-loadtest tune`.

use std::time::Instant;

use anyhow::anyhow;
use clap::Args;
use pool_core::{ConfigError, Driver, FIELDS, Field, Pool, PoolConfig, Problem, Resolved};

use super::budget::ask;
use super::cell_arguments::{CellArguments, CellSetup};
use super::cells::{CellError, CellLoad, Cells};
use super::on_database::{self, Place, Work};
use super::output::Outputs;
use super::run::{made, usage};
use super::target::Target;
use super::{Failure, say};
use crate::arrivals::Arrivals;
use crate::budget::Sharing;
use crate::condition::unknown_kinds;
use crate::database::Database;
use crate::objective::Objective;
use crate::report::{Invariant, Outcome, Provenance, Report};
use crate::tune::{
    Ask, Goal, Next, Search, TuneCircumstances, TuneConclusion, TuneReport, VERIFY_FACTOR,
};
use crate::words::{grouped, time};
use crate::workload::Workload as _;

/// The largest value that is tried if nobody says so and the tasks would need no less.
const MOST: usize = 64;
/// The largest value that can be asked for: far more than any server has connections.
const LARGEST: usize = 100_000;
const SLO: &str = "What to achieve, such as 'response.p99<20ms' or 'best throughput'";
const SLO_LONG: &str = "\
What to achieve: conditions with commas between them and, if it matters, arrivals per second
under which they are to hold, such as 'response.p99<20ms, errors<1% at 2000/s'; or 'best
throughput', the smallest value whose throughput is within 5 % of the best.

Figures are response, wait and service with .mean, .p50, .p90, .p99, .p99_9 or .max, and
throughput, errors (a share), error_count, dropped, in_use and utilisation";

/// What `tune` is asked for.
#[derive(Debug, Args)]
pub(crate) struct TuneArguments {
    #[arg(long, value_name = "OBJECTIVE", default_value = "best throughput")]
    #[arg(help = SLO, long_help = SLO_LONG)]
    slo: String,
    /// The setting to find, one that is a number.
    #[arg(long, value_name = "FIELD", default_value = "max_open")]
    setting: String,
    /// The largest value to try [default: 64, or what tasks can use or the server has
    /// left].
    #[arg(long, value_name = "NUMBER", value_parser = most, allow_hyphen_values = true)]
    most: Option<usize>,
    #[command(flatten)]
    pub(crate) cells: CellArguments,
}

fn most(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=LARGEST).contains(number));
    number.ok_or_else(|| format!("allowed: a whole number from 1 to {LARGEST}"))
}

/// Whether a field holds a number of things.
fn is_count(field: &Field) -> bool {
    let takes = |text| PoolConfig::default().set(field.name, text).is_ok();
    takes("7") && !takes("7%")
}

/// Reads the field to find.
fn field(name: &str) -> Result<&'static Field, Problem> {
    let counts = FIELDS.iter().filter(|field| is_count(field));
    let found = counts.clone().find(|field| field.name == name.trim());
    found.ok_or_else(|| Problem::unknown("--setting", name, counts.map(|field| field.name)))
}

/// Searches, and prints what it found.
///
/// # Errors
///
/// A [`Failure`], after the report was printed if there is one.
pub(crate) fn tune(arguments: &TuneArguments) -> Result<(), Failure> {
    let (tune, target) = Tune::read(arguments);
    on_database::run(target, arguments.cells.start.calm(), tune)
}

/// What was asked for, all of it understood.
pub(super) struct Tune<'a> {
    arguments: &'a TuneArguments,
    objective: Objective,
    field: &'static Field,
    load: CellLoad,
    outputs: Outputs,
}

impl<'a> Tune<'a> {
    /// Reads it, and the database that it is to be done on, which knows what is wrong with both.
    pub(super) fn read(arguments: &'a TuneArguments) -> (Self, Target) {
        let objective = arguments.slo.parse::<Objective>();
        let field = field(&arguments.setting);
        let rate = objective.as_ref().ok().and_then(Objective::rate);
        let CellSetup { mut target, load, outputs } = arguments.cells.read(rate);
        if let Err(error) = &objective {
            target.object(error.problems().to_vec());
        }
        if let Err(problem) = &field {
            target.object(vec![problem.clone()]);
        }
        // If one of them is wrong, the target objects and nothing is done with these.
        let objective = objective.unwrap_or_else(|_| Objective::best_throughput());
        let field = field.unwrap_or(&FIELDS[0]);
        (Self { arguments, objective, field, load, outputs }, target)
    }

    /// The largest value that tasks can use, unless another is asked for.
    fn most(&self) -> usize {
        self.arguments.most.unwrap_or(match self.load.arrivals {
            Arrivals::Closed { tasks, .. } => MOST.min(tasks),
            Arrivals::Open { .. } => MOST,
        })
    }
}

impl Work for Tune<'_> {
    fn check<D: Database + Clone>(&self, driver: &D, config: &PoolConfig) -> Result<(), Failure> {
        let kinds = made::<D>(&self.load.workload)?.kinds();
        let mut problems = unknown_kinds(self.objective.conditions(), &kinds);
        // What lies between is no larger than the one and no smaller than the other.
        if let Err(error) = check(driver, config, self.field.name, [1, self.most()]) {
            problems.extend_from_slice(error.problems());
        }
        ConfigError::from_problems(problems).map_err(usage)
    }

    async fn on<D: Database + Clone>(
        self,
        place: &Place,
        driver: D,
        resolved: Resolved,
    ) -> Result<(), Failure> {
        let (base, usable) = (resolved.config(), self.most());
        let Self { arguments, objective, field, load, outputs } = self;
        let TuneArguments { most, cells: CellArguments { duration, seed, .. }, .. } = arguments;
        let most = match *most {
            Some(most) => most,
            None => tokio::select! {
                most = most_by_itself(&driver, base, field.name, usable) => most,
                () = place.stopped.wait() => return Err(Failure::Interrupted),
            },
        };
        let mut cells = Cells::new(driver, place, base, load);
        let circumstances = TuneCircumstances {
            provenance: Provenance::now(),
            metadata: cells.metadata(),
            database: cells.database(),
            seed: *seed,
            workload: cells.workload()?,
            config: base.clone(),
            field: field.name,
            most,
        };
        let goal = Goal::of(&objective);
        let (mut search, began) = (Search::new(goal, most), Instant::now());
        let mut report = TuneReport::begin(&objective, &circumstances);
        cells.prepare().await?;
        loop {
            let ask = match search.next() {
                Next::Ask(ask) => ask,
                Next::Done(settled) => {
                    report.settle(&search, settled, goal, &circumstances.metadata);
                    break;
                }
            };
            let config = with(base, field.name, ask.value);
            let factor = if ask.verifies { VERIFY_FACTOR } else { 1 };
            let seed = seed.wrapping_add(report.steps.len() as u64);
            let run = cells.run(&config, duration.saturating_mul(factor), seed).await;
            let name = format!("{} = {}", field.name, ask.value);
            match run {
                Err(CellError::Interrupted) => {
                    let why = "interrupted before the search had a result";
                    report.give_up(Outcome::Interrupted, &search, why.to_owned());
                    break;
                }
                Err(CellError::Died(why)) => {
                    report.give_up(Outcome::Died, &search, format!("{name}: {why}"));
                    break;
                }
                Err(CellError::Failed(error)) => {
                    report.give_up(Outcome::Completed, &search, format!("{name}: {error:#}"));
                    break;
                }
                Ok(run) => {
                    say(&line(report.steps.len() + 1, &name, ask, &run));
                    let tried = report.add(ask, &objective, &run);
                    if let Some(why) = says_nothing(&run) {
                        report.give_up(Outcome::Completed, &search, format!("{name}: {why}"));
                        break;
                    }
                    search.tell(ask, tried);
                }
            }
        }
        report.warnings.extend(cells.clean_up().await);
        report.duration_seconds = began.elapsed().as_secs_f64();
        outputs.write(&report).map_err(Failure::Run)?;
        let words = || anyhow!("{}", report.summary);
        match (report.outcome, report.conclusion) {
            (Outcome::Interrupted, _) => Err(Failure::Interrupted),
            (Outcome::Died, _) => Err(Failure::Run(words())),
            (_, TuneConclusion::Found) => Ok(()),
            (_, TuneConclusion::Missed) => Err(Failure::Missed(words())),
            (_, TuneConclusion::Inconclusive) => Err(Failure::Inconclusive(words())),
        }
    }
}

/// The largest value to try if nobody says so: of connections, no more than the server has left. Why it
/// cannot be asked is what the preparation will tell.
async fn most_by_itself<D: Database + Clone>(
    driver: &D,
    base: &PoolConfig,
    field: &str,
    usable: usize,
) -> usize {
    let Ok(pool) = Pool::new(driver.clone(), base.clone()) else { return usable };
    let sharing = Sharing { replicas: 1, surge: 0, reserve: 0, max_open: usable, own: 1 };
    match ask(&pool.control(), sharing).await {
        Ok(Some(budget)) if field == "max_open" => usable.min(budget.max_open_each).max(1),
        _ => usable,
    }
}

/// The settings with this value.
fn with(base: &PoolConfig, field: &str, value: usize) -> PoolConfig {
    let mut config = base.clone();
    config.set(field, &value.to_string()).expect("bug: it holds a number");
    config
}

/// Finds out whether the pool and its driver take these values.
fn check<D: Driver>(
    driver: &D,
    base: &PoolConfig,
    field: &str,
    values: [usize; 2],
) -> Result<(), ConfigError> {
    let mut problems: Vec<Problem> = Vec::new();
    for value in values {
        let config = with(base, field, value);
        let objections = || ConfigError::from_problems(driver.objections(&config));
        if let Err(error) = config.validate().and_then(|()| objections()) {
            problems.extend_from_slice(error.problems());
        }
    }
    problems.dedup();
    ConfigError::from_problems(problems)
}

/// Why nothing follows from a run.
fn says_nothing(run: &Report) -> Option<String> {
    if run.generator.saturated {
        return Some(run.generator.detail.clone());
    }
    if run.invariant != Invariant::Held {
        return Some(format!("the invariant was not found to hold: {}", run.invariant_detail));
    }
    let nothing = run.operations + run.late == 0;
    nothing.then(|| format!("not one operation succeeded, {} failed", run.errors))
}

/// What is said of a run once it is over.
fn line(number: usize, name: &str, ask: Ask, run: &Report) -> String {
    let throughput = grouped(run.throughput.round() as u64);
    let p99 = run.response.p99.map_or_else(|| "-".to_owned(), time);
    let longer = if ask.verifies { ", longer, to be sure" } else { "" };
    format!("run {number}: {name}{longer}: {throughput}/s, p99 {p99}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_setting_that_is_a_number_can_be_found() {
        let counts: Vec<_> = FIELDS.iter().filter(|it| is_count(it)).map(|it| it.name).collect();
        assert_eq!(counts, ["max_open", "max_idle", "min_idle", "max_waiters", "max_opening"]);
        let problem = field("max_opn").expect_err("misspelt");
        assert_eq!(problem.nearest.as_deref(), Some("max_open"));
        assert!(field("acquire_timeout").is_err_and(|problem| problem.why == "unknown"));
    }
}
