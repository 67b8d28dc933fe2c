//! What a sweep found, as numbers. The JSON form is [`SweepReport`].

use pool_core::PoolConfig;
use serde::{Deserialize, Serialize};

use crate::report::{LoadReport, Outcome, Provenance, Report, ReportKind, SCHEMA_VERSION};
use crate::scalability::Scalability;

use super::findings;
use super::plan::{Plan, Turn};

/// What a sweep found: how a pool did with each of several settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SweepReport {
    /// Version of this form.
    pub schema_version: u32,
    /// What kind of report this is: `sweep`.
    pub kind: ReportKind,
    /// Where it comes from.
    pub provenance: Provenance,
    /// The database system: `sqlite` ...
    pub system: String,
    /// The database's file or name, where there is one.
    pub database: Option<String>,
    /// How the sweep ended. One that was interrupted has fewer runs than were asked for.
    pub outcome: Outcome,
    /// How long it took as a whole, in seconds.
    pub duration_seconds: f64,
    /// The seed of the order of its runs and of the workload's random numbers.
    pub seed: u64,
    /// What the work was, such as `bank`.
    pub workload: String,
    /// What kind of load each run was; `None` if none came to an end.
    pub load: Option<LoadReport>,
    /// The pool's settings but for those that are swept.
    #[cfg_attr(feature = "cli", schemars(with = "serde_json::Map<String, serde_json::Value>"))]
    pub config: PoolConfig,
    /// The settings that are swept, one or two, each with its values in ascending order.
    pub settings: Vec<SweptSetting>,
    /// How often each cell was to be run.
    pub repeats: u32,
    /// How long each run was to last, in seconds.
    pub run_seconds: f64,
    /// Every value of the first setting with every value of the second, the second's changing faster.
    pub cells: Vec<SweepCell>,
    /// The Universal Scalability Law fitted to the throughputs of a closed loop by the number of
    /// connections that its tasks can use, if `max_open` alone is swept over three values or more.
    pub scalability: Option<Scalability>,
    /// What is best, and what is enough.
    pub verdict: SweepVerdict,
    /// What else is to be known, such as a table that could not be dropped.
    pub warnings: Vec<String>,
}

/// A setting that is swept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SweptSetting {
    /// The field of the pool's settings.
    pub field: String,
    /// Its values, ascending, as [`PoolConfig::set`] takes them.
    pub values: Vec<String>,
}

/// How the pool did with one value of each setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SweepCell {
    /// The value of each setting, in the settings' order.
    pub values: Vec<String>,
    /// Operations per second.
    pub throughput: Option<Estimate>,
    /// Median response in microseconds.
    pub response_p50: Option<Estimate>,
    /// The response that 99 % did not exceed, in microseconds.
    pub response_p99: Option<Estimate>,
    /// Share of operations that failed, 0 to 1, over all runs.
    pub errors: Option<f64>,
    /// Average share of the connections in use, 0 to 1, over all runs.
    pub utilisation: Option<f64>,
    /// Its runs, in the order in which they were made.
    pub runs: Vec<SweepRun>,
    /// Its runs that came to nothing.
    pub failed: Vec<FailedRun>,
}

/// The mean of a cell's runs, and where the true value lies with a confidence of 95 %. How much runs
/// differ is taken from all cells together, as a share of their values, for a cell has only a few.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Estimate {
    /// The mean of the runs.
    pub mean: f64,
    /// The lower end of the interval; `None` if no cell was run twice.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

/// One run of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SweepRun {
    /// The how manieth run of the sweep it was, from 1.
    pub number: usize,
    /// The how manieth of its cell, from 1.
    pub repeat: u32,
    /// Operations per second.
    pub throughput: f64,
    /// Median response in microseconds.
    pub response_p50: Option<f64>,
    /// 99 % took no longer.
    pub response_p99: Option<f64>,
    /// How long an operation had its connection on average, in microseconds.
    pub service_mean: Option<f64>,
    /// Arrivals that were due; of a closed loop the operations begun.
    pub arrivals: u64,
    /// Operations that succeeded.
    pub operations: u64,
    /// Operations that failed.
    pub errors: u64,
    /// Average share of the connections in use, 0 to 1.
    pub utilisation: f64,
    /// Whether the load generator could not keep up, so that the figures say more of it.
    pub generator_saturated: bool,
}

/// A run that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FailedRun {
    /// The how manieth run of the sweep it was, from 1.
    pub number: usize,
    /// The how manieth of its cell, from 1.
    pub repeat: u32,
    /// Why.
    pub detail: String,
}

/// What is best, and what is enough. Cells are named by their place in `cells`, from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SweepVerdict {
    /// Whether anything can be said at all: not if the generator was saturated or nothing succeeded.
    pub is_conclusive: bool,
    /// The same in words.
    pub summary: String,
    /// The cell with the best throughput; in an open loop, where the arrivals set that, the one with the
    /// shortest p99 among those that keep up with them.
    pub best: Option<usize>,
    /// The first cell whose figure is within 5 % of the best: not by luck, but so that with a
    /// confidence of 95 % it is at least that; the best cell, if no smaller one is.
    pub enough: Option<usize>,
    /// Where more connections begin to cost more in time than they bring in throughput: the cell
    /// with the largest ratio of throughput to service time. Only of `max_open` alone, and not the
    /// last cell, beyond which nothing is known.
    pub knee: Option<usize>,
}

/// What is known of a sweep beside its runs.
#[derive(Clone, Debug)]
pub(crate) struct Circumstances {
    pub(crate) provenance: Provenance,
    pub(crate) system: String,
    pub(crate) database: Option<String>,
    pub(crate) workload: String,
    pub(crate) config: PoolConfig,
    pub(crate) run_seconds: f64,
}

impl SweepRun {
    fn new(number: usize, turn: Turn, report: &Report) -> Self {
        Self {
            number,
            repeat: turn.repeat,
            throughput: report.throughput,
            response_p50: report.response.p50,
            response_p99: report.response.p99,
            service_mean: report.service.mean,
            arrivals: report.generator.arrivals,
            operations: report.operations + report.late,
            errors: report.errors,
            utilisation: report.pool.utilisation,
            generator_saturated: report.generator.saturated,
        }
    }
}

impl SweepReport {
    /// A sweep of which nothing has been run yet.
    pub(crate) fn begin(plan: &Plan, circumstances: Circumstances) -> Self {
        let Circumstances { provenance, system, database, workload, config, run_seconds } =
            circumstances;
        let cell = |values| SweepCell {
            values,
            throughput: None,
            response_p50: None,
            response_p99: None,
            errors: None,
            utilisation: None,
            runs: Vec::new(),
            failed: Vec::new(),
        };
        let settings = plan
            .axes
            .iter()
            .map(|axis| SweptSetting { field: axis.field.to_owned(), values: axis.values.clone() });
        Self {
            schema_version: SCHEMA_VERSION,
            kind: ReportKind::Sweep,
            provenance,
            system,
            database,
            outcome: Outcome::Running,
            duration_seconds: 0.0,
            seed: plan.seed,
            workload,
            load: None,
            config,
            settings: settings.collect(),
            repeats: plan.repeats,
            run_seconds,
            cells: plan.cells().into_iter().map(cell).collect(),
            scalability: None,
            verdict: SweepVerdict::default(),
            warnings: Vec::new(),
        }
    }

    /// Adds a run, or why it came to nothing.
    pub(crate) fn add(&mut self, number: usize, turn: Turn, run: Result<&Report, String>) {
        let cell = &mut self.cells[turn.cell];
        match run {
            Ok(report) => {
                cell.runs.push(SweepRun::new(number, turn, report));
                self.load.get_or_insert_with(|| report.load.clone());
                // Of a hundred runs that could not tidy up, one is enough to know.
                for warning in &report.warnings {
                    if self.warnings.len() < 3 && !self.warnings.contains(warning) {
                        self.warnings.push(warning.clone());
                    }
                }
            }
            Err(detail) => {
                cell.failed.push(FailedRun { number, repeat: turn.repeat, detail });
            }
        }
    }

    /// Says what the runs come to.
    pub(crate) fn end(&mut self, outcome: Outcome, duration_seconds: f64) {
        (self.outcome, self.duration_seconds) = (outcome, duration_seconds);
        findings::estimate(&mut self.cells);
        self.scalability = findings::scalability(self);
        self.verdict = findings::verdict(self);
    }

    /// Runs that came to an end.
    pub(crate) fn runs(&self) -> usize {
        self.cells.iter().map(|cell| cell.runs.len()).sum()
    }
}
