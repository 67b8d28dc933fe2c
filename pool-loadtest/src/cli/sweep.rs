//! `pool-loadtest sweep`.

use std::time::Instant;

use anyhow::anyhow;
use clap::Args;
use humantime::format_duration;
use pool_core::{PoolConfig, Resolved};

use super::cell_arguments::{CellArguments, CellSetup};
use super::cells::{CellError, CellLoad, Cells, failed};
use super::on_database::{self, Place, Work};
use super::output::Outputs;
use super::run::{judge, made, usage};
use super::target::Target;
use super::{Failure, say};
use crate::database::Database;
use crate::report::{Outcome, Provenance, Report};
use crate::sweep::{Circumstances, Plan, SweepReport, Turn};
use crate::words::{counted, grouped, time};

/// Most runs of a cell; a hundred halve an interval ten times less than four do.
const MOST_REPEATS: u32 = 100;
const SWEEP: &str = "Settings and their values, such as max_open=1..64; one or two";
const SWEEP_LONG: &str = "\
One or two settings and the values to try, with the fields of --pool:
  max_open=1..64          doubling from 1 to 64
  'max_open=1..64 x4'     four times as much each time
  'max_open=1..10 +1'     one more each time
  max_open=4,8,16         these
  acquire_timeout=10ms,1s times too

Of two, every value of the first is tried with every value of the second";

/// What `sweep` is asked for.
#[derive(Debug, Args)]
pub(crate) struct SweepArguments {
    #[arg(value_name = "FIELD=VALUES", required = true, help = SWEEP, long_help = SWEEP_LONG)]
    sweep: Vec<String>,
    /// How often each cell is run; each time in another order.
    #[arg(long, value_name = "NUMBER", default_value = "3", value_parser = repeats)]
    #[arg(allow_hyphen_values = true)]
    repeats: u32,
    #[command(flatten)]
    pub(crate) cells: CellArguments,
}

fn repeats(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST_REPEATS).contains(number));
    number.ok_or_else(|| format!("allowed: a whole number from 1 to {MOST_REPEATS}"))
}

/// Runs every cell and prints what they come to.
///
/// # Errors
///
/// A [`Failure`], after the report was printed if there is one.
pub(crate) fn sweep(arguments: &SweepArguments) -> Result<(), Failure> {
    let (sweep, target) = Sweep::read(arguments);
    on_database::run(target, arguments.cells.start.calm(), sweep)
}

/// What was asked for, all of it understood.
pub(super) struct Sweep<'a> {
    arguments: &'a CellArguments,
    plan: Plan,
    load: CellLoad,
    outputs: Outputs,
}

impl<'a> Sweep<'a> {
    /// Reads it, and the database that it is to be done on, which knows what is wrong with both.
    pub(super) fn read(arguments: &'a SweepArguments) -> (Self, Target) {
        let CellSetup { mut target, load, outputs } = arguments.cells.read(None);
        let plan = Plan::read(&arguments.sweep, arguments.repeats, arguments.cells.seed);
        let plan = plan.unwrap_or_else(|error| {
            target.object(error.problems().to_vec());
            // Nothing is run with it: the target objects.
            Plan { axes: Vec::new(), repeats: 0, seed: 0 }
        });
        (Self { arguments: &arguments.cells, plan, load, outputs }, target)
    }
}

impl Work for Sweep<'_> {
    fn check<D: Database + Clone>(&self, driver: &D, config: &PoolConfig) -> Result<(), Failure> {
        made::<D>(&self.load.workload)?;
        self.plan.configs(config, driver).map(drop).map_err(usage)
    }

    async fn on<D: Database + Clone>(
        self,
        place: &Place,
        driver: D,
        resolved: Resolved,
    ) -> Result<(), Failure> {
        let Self { arguments, plan, load, outputs } = self;
        let configs = plan.configs(resolved.config(), &driver).map_err(usage)?;
        let each = arguments.duration.saturating_add(load.warm_up);
        let mut cells = Cells::new(driver, place, resolved.config(), load);
        let circumstances = Circumstances {
            provenance: Provenance::now(),
            system: cells.metadata().system_name.into_owned(),
            database: cells.database(),
            workload: cells.workload()?,
            config: resolved.config().clone(),
            run_seconds: arguments.duration.as_secs_f64(),
        };
        let (mut report, turns) = (SweepReport::begin(&plan, circumstances), plan.turns());
        let least = each.saturating_mul(turns.len() as u32);
        say(&format!(
            "{} of {}: at least {} in all",
            counted(turns.len() as u64, "run"),
            format_duration(each),
            format_duration(least)
        ));
        let (began, all) = (Instant::now(), turns.len());
        cells.prepare().await?;
        // The first, or else what the sweep died of.
        let (mut outcome, mut failure) = (Outcome::Completed, None);
        for (turn, number) in turns.into_iter().zip(1..) {
            let seed = arguments.seed.wrapping_add(u64::from(turn.repeat));
            let run = cells.run(&configs[turn.cell], arguments.duration, seed).await;
            let run = run.and_then(|run| judge(&run, false).map(|()| run).map_err(failed));
            if matches!(run, Err(CellError::Interrupted)) {
                outcome = Outcome::Interrupted;
                break;
            }
            let has_died = matches!(run, Err(CellError::Died(_)));
            let run = run.map_err(|error| error.to_string());
            let name = plan.name(&report.cells[turn.cell].values);
            say(&line(number, all, &name, turn, run.as_ref()));
            report.add(number, turn, run.as_ref().map_err(Clone::clone));
            let Err(why) = run else { continue };
            let why = format!("{name}: {why}");
            if has_died {
                report.warnings.push(format!("the sweep died: {why}"));
                (outcome, failure) = (Outcome::Died, Some(why));
                break;
            }
            failure.get_or_insert(why);
        }
        report.warnings.extend(cells.clean_up().await);
        report.end(outcome, began.elapsed().as_secs_f64());
        outputs.write(&report).map_err(Failure::Run)?;
        match failure {
            _ if outcome == Outcome::Interrupted => Err(Failure::Interrupted),
            Some(why) if outcome == Outcome::Died => Err(Failure::Run(anyhow!("{why}"))),
            Some(why) if report.runs() == 0 => {
                Err(Failure::Run(anyhow!("not one run came to an end; the first: {why}")))
            }
            _ if !report.verdict.is_conclusive => {
                Err(Failure::Inconclusive(anyhow!("{}", report.verdict.summary)))
            }
            _ => Ok(()),
        }
    }
}

/// What is said of a run once it is over.
fn line(
    number: usize,
    all: usize,
    name: &str,
    turn: Turn,
    run: Result<&Report, &String>,
) -> String {
    let figures = match run {
        Ok(report) => {
            let throughput = grouped(report.throughput.round() as u64);
            let p99 = report.response.p99.map_or_else(|| "-".to_owned(), time);
            format!("{throughput}/s, p99 {p99}")
        }
        Err(why) => format!("failed: {why}"),
    };
    format!("cell {number} of {all}: {name}, repeat {}: {figures}", turn.repeat)
}
