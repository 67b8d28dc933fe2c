//! What a run found, as numbers. The JSON form is this structure.

mod budget;
mod generator;
#[cfg(feature = "cli")]
mod histograms;
mod incident;
mod kind;
mod latency;
mod law;
mod load;
mod pool;
mod provenance;
mod series;
mod server;

use std::thread::available_parallelism;
use std::time::Duration;

use pool_core::{CloseReason, ConfigError, Driver, Pool, PoolConfig, PoolStats};
use serde::{Deserialize, Serialize};

pub use self::budget::BudgetReport;
pub use self::generator::GeneratorReport;
#[cfg(feature = "cli")]
pub(crate) use self::histograms::Histograms;
pub(crate) use self::incident::after;
pub use self::incident::{Aftermath, IncidentReport};
pub use self::kind::KindReport;
pub use self::latency::{Latency, Unit};
pub use self::law::LittlesLaw;
pub use self::load::{LoadModel, LoadReport};
pub use self::pool::{AcquireReport, PoolReport};
pub use self::provenance::Provenance;
pub use self::series::Point;
pub use self::server::{ServerCounter, ServerReport};
use crate::changes::{ChangeOutcome, ChangeReport};
use crate::law::Figures;
use crate::leftover::Leftover;
use crate::options::LoadOptions;
use crate::recorder::{Measured, Unfinished};
use crate::verdict::{Churned, Evidence, MostErrors, Network, Verdict};
use crate::workload::Checked;

/// Version of the JSON form; grows when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 2;

/// What a run found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Report {
    /// Version of this form.
    pub schema_version: u32,
    /// What kind of report this is: `run`.
    pub kind: ReportKind,
    /// Where it comes from.
    pub provenance: Provenance,
    /// The database system: `sqlite` ...
    pub system: String,
    /// The database's file or name, where there is one.
    pub database: Option<String>,
    /// How the run ended.
    pub outcome: Outcome,
    /// How long it lasted, in seconds.
    pub duration_seconds: f64,
    /// The seed of the workload's random numbers.
    pub seed: u64,
    /// What the work was, such as `bank`.
    pub workload: String,
    /// The scenario it was run in, if it was one of those that `scenarios` lists.
    pub scenario: Option<String>,
    /// What kind of load it was.
    pub load: LoadReport,
    /// The pool's settings when the load began. In JSON counts are numbers or `"unlimited"`, times are
    /// text such as `"30s"` or `"off"`, and `max_idle` is what it comes to: at most `max_open`.
    #[cfg_attr(feature = "cli", schemars(with = "serde_json::Map<String, serde_json::Value>"))]
    pub config: PoolConfig,
    /// What was done to the pool during the load.
    pub changes: Vec<ChangeReport>,
    /// What befell the server during the load.
    pub incidents: Vec<IncidentReport>,
    /// What the scenario was to show, and whether it did; `None` without a scenario.
    pub aftermath: Option<Aftermath>,
    /// Operations that succeeded before the time was up.
    pub operations: u64,
    /// These, per second.
    pub throughput: f64,
    /// Operations that succeeded after the time was up. They are among the latencies only.
    pub late: u64,
    /// Operations that had no end.
    pub unfinished: Unfinished,
    /// Operations that failed.
    pub errors: u64,
    /// The errors by kind.
    pub error_groups: Vec<ErrorGroup>,
    /// How the load generator itself fared.
    pub generator: GeneratorReport,
    /// From wanting a connection to having it, or to failing to; in an open loop from the moment the
    /// operation was meant to start.
    pub wait: Latency,
    /// From having it to having given it back, also of operations that failed.
    pub service: Latency,
    /// Both.
    pub response: Latency,
    /// The same for each kind of operation, if the workload has several.
    pub kinds: Vec<KindReport>,
    /// The same for each second.
    pub series: Vec<Point>,
    /// What an operation took on average while one task ran alone, in microseconds.
    pub baseline_us: Option<f64>,
    /// Whether the workload's invariant held.
    pub invariant: Invariant,
    /// The same in words.
    pub invariant_detail: String,
    /// Connections in use after the run; anything but 0 is a leak.
    pub in_use: usize,
    /// What the pool did during the load.
    pub pool: PoolReport,
    /// What the server itself counted, where it was asked.
    pub server: Option<ServerReport>,
    /// Little's law as a check of the figures; `None` if too little was done.
    pub littles_law: Option<LittlesLaw>,
    /// What share of the server's connections the pool may have, if that was asked.
    pub budget: Option<BudgetReport>,
    /// What limited the run, and what to set.
    pub verdict: Verdict,
    /// What else went wrong, such as a table that could not be dropped.
    pub warnings: Vec<String>,
    /// What the latencies were made from; `None` in a report that was read from JSON.
    #[cfg(feature = "cli")]
    #[serde(skip)]
    pub(crate) histograms: Option<Histograms>,
}

/// What kind of report a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReportKind {
    /// One load on one pool.
    Run,
    /// One or two settings over a range.
    Sweep,
    /// The search for a setting.
    Tune,
    /// Two reports beside each other.
    Compare,
    /// What share of a server's connections a pool may have.
    Budget,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// Its time was up.
    Completed,
    /// It was stopped before.
    Interrupted,
    /// It was still under way when this was written, and nothing came after it: the load tester was
    /// killed, or the machine went down.
    Running,
}

/// Whether a workload's invariant held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Invariant {
    /// Nothing was lost or done twice.
    Held,
    /// Something was.
    Broken,
    /// It could not be checked.
    Unchecked,
}

/// Errors of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ErrorGroup {
    /// What they have in common.
    pub kind: String,
    /// How many there were.
    pub count: u64,
    /// The first of them with its causes.
    pub first: String,
}

/// The database's file or name, or else its system, for messages.
pub(crate) fn database<D: Driver>(driver: &D) -> String {
    let metadata = driver.metadata();
    metadata.namespace.unwrap_or_else(|| metadata.system_name.into_owned())
}

/// What the load itself brought to light.
pub(crate) struct Loaded {
    /// The pool's settings before it.
    pub(crate) config: PoolConfig,
    pub(crate) changes: Vec<ChangeReport>,
    /// The largest `max_open` there was.
    pub(crate) most_open: usize,
    pub(crate) elapsed: Duration,
    /// Connections that were not given back by then.
    pub(crate) leftover: Leftover,
    /// The same with the operations that went on after the time was up.
    pub(crate) whole: Duration,
    /// Operations succeeded by then.
    pub(crate) in_time: u64,
    pub(crate) measured: Measured,
    /// The pool before it and after its last operation.
    pub(crate) before: PoolStats,
    pub(crate) after: PoolStats,
}

/// Everything a run brought to light.
pub(crate) struct Run {
    pub(crate) outcome: Outcome,
    /// What the workload calls itself.
    pub(crate) workload: String,
    pub(crate) options: LoadOptions,
    pub(crate) baseline: Option<Duration>,
    pub(crate) network: Network,
    pub(crate) loaded: Loaded,
    /// The pool after everything.
    pub(crate) end: PoolStats,
    /// What was found, or why nothing was.
    pub(crate) invariant: Result<Checked, String>,
    pub(crate) warnings: Vec<String>,
}

impl Report {
    pub(crate) fn new<D: Driver>(run: Run, pool: &Pool<D>) -> Self {
        let Run { outcome, workload, options, baseline, network, loaded, end, invariant, warnings } =
            run;
        let Loaded {
            leftover,
            config,
            changes,
            most_open,
            elapsed,
            whole,
            in_time,
            measured,
            before,
            after,
        } = loaded;
        let metadata = pool.driver().metadata();
        let (operations, errors) = (in_time, measured.failed());
        let groups = measured.failures.iter().map(|(kind, group)| ErrorGroup {
            kind: kind.clone(),
            count: group.count,
            first: group.first.clone(),
        });
        let (invariant, invariant_detail) = match invariant {
            Ok(Checked::Held(detail)) => (Invariant::Held, detail),
            Ok(Checked::Broken(detail)) => (Invariant::Broken, detail),
            Err(why) => (Invariant::Unchecked, format!("{}: {why}", database(pool.driver()))),
        };
        let seconds = elapsed.as_secs_f64().max(1e-9);
        let throughput = operations as f64 / seconds;
        let baseline_us = baseline.map(|baseline| baseline.as_secs_f64() * 1e6);
        let pool_report = PoolReport::new(&before, &after, &end, elapsed, most_open);
        let most = measured.failures.iter().max_by_key(|(_, group)| group.count);
        // One acquire for each operation; whoever made more is not the load tester.
        let nested = pool_report.acquires.started.saturating_sub(measured.wait.len());
        let is_mixed = changes.iter().any(|change| change.outcome == ChangeOutcome::Applied);
        let littles_law = LittlesLaw::of(&Figures {
            seconds: whole.as_secs_f64(),
            held_seconds: after.hold_time.saturating_sub(before.hold_time).as_secs_f64(),
            served: measured.service.len(),
            service: measured.service.mean() / 1e3,
            longest: measured.service.max() as f64 / 1e3,
            nested,
            is_cut: before.in_use > 0,
            left_out: leftover.connections,
            is_mixed,
            is_whole: outcome == Outcome::Completed,
        });
        let acquires = &pool_report.acquires;
        let closed = |reason: CloseReason| pool_report.closed[reason.name()];
        let generator = GeneratorReport {
            saturated: false,
            detail: "a closed loop keeps up with itself".to_owned(),
            arrivals: acquires.started,
            dropped: 0,
            lateness: None,
            cores_used: None,
        };
        let evidence = Evidence {
            tasks: options.tasks,
            config: config.clone(),
            is_mixed,
            cores: available_parallelism().map_or(1, usize::from),
            operations: measured.succeeded,
            errors,
            most_errors: most.map(|(kind, group)| MostErrors {
                kind: kind.clone(),
                count: group.count,
                acquire: group.acquire,
            }),
            broken: (invariant == Invariant::Broken).then(|| invariant_detail.clone()),
            saturated: generator.saturated.then(|| generator.detail.clone()),
            throughput,
            wait: measured.wait.mean() / 1e3,
            service: measured.service.mean() / 1e3,
            alone: baseline_us,
            network,
            utilisation: pool_report.utilisation,
            peak_in_use: pool_report.peak_in_use,
            nested,
            unserved: acquires.timed_out + acquires.cancelled,
            dropped: measured.unfinished.dropped,
            median: measured.service.value_at_quantile(0.5) as f64 / 1e3,
            left_out: leftover.connections,
            holders: leftover.holders,
            churned: Churned {
                opened: pool_report.opened,
                surplus: closed(CloseReason::Surplus),
                lifetime: closed(CloseReason::Lifetime),
                idle: closed(CloseReason::Idle),
                broken: closed(CloseReason::Broken) + closed(CloseReason::CheckFailed),
            },
        };
        let validate = |config: &PoolConfig| {
            config.validate()?;
            ConfigError::from_problems(pool.driver().objections(config))
        };
        Self {
            schema_version: SCHEMA_VERSION,
            kind: ReportKind::Run,
            provenance: Provenance::now(),
            system: metadata.system_name.into_owned(),
            database: metadata.namespace,
            outcome,
            duration_seconds: seconds,
            seed: options.seed,
            workload,
            scenario: None,
            load: LoadReport {
                model: LoadModel::Closed,
                arrivals: "closed".to_owned(),
                tasks: Some(options.tasks),
                in_flight_limit: None,
                warm_up_seconds: 0.0,
            },
            config: PoolConfig { max_idle: config.effective_max_idle(), ..config },
            changes,
            incidents: Vec::new(),
            aftermath: None,
            operations,
            throughput,
            late: measured.succeeded - in_time,
            unfinished: measured.unfinished,
            errors,
            error_groups: groups.collect(),
            generator,
            wait: Latency::new(&measured.wait),
            service: Latency::new(&measured.service),
            response: Latency::new(&measured.response),
            kinds: Vec::new(),
            series: Vec::new(),
            baseline_us,
            invariant,
            invariant_detail,
            in_use: pool_report.in_use,
            pool: pool_report,
            server: None,
            littles_law,
            budget: None,
            verdict: Verdict::of(&evidence, validate),
            warnings,
            #[cfg(feature = "cli")]
            histograms: Some(Histograms {
                wait: measured.wait,
                service: measured.service,
                response: measured.response,
            }),
        }
    }
}
