//! What a run found, as numbers. The JSON form is this structure.

mod assemble;
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

use pool_core::{Driver, PoolConfig};
use serde::{Deserialize, Serialize};

pub(crate) use self::assemble::{About, Loaded, Run};
pub use self::budget::BudgetReport;
pub use self::generator::GeneratorReport;
#[cfg(feature = "cli")]
pub(crate) use self::histograms::Histograms;
#[cfg(feature = "cli")]
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
use crate::changes::ChangeReport;
use crate::recorder::Unfinished;
use crate::verdict::Verdict;

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
    /// How long it was measured, in seconds.
    pub duration_seconds: f64,
    /// The seed of the workload's random numbers.
    pub seed: u64,
    /// What the work was, such as `bank` or `mix --slow 5`.
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
    /// Processes that share one server.
    Fleet,
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
    /// It died half-way, as the workload or the load tester panicked; the warnings say more.
    Died,
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
