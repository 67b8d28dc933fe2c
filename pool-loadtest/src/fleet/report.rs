//! What a fleet came to, as numbers. The JSON form is [`FleetReport`].

use pool_core::PoolConfig;
use serde::{Deserialize, Serialize};

use crate::report::{LoadReport, Outcome, Provenance, ReportKind, SCHEMA_VERSION};

/// What became of a fleet of processes that shared one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct FleetReport {
    /// Version of this form.
    pub schema_version: u32,
    /// What kind of report this is: `fleet`.
    pub kind: ReportKind,
    /// Where it comes from.
    pub provenance: Provenance,
    /// The database system: `postgresql` ...
    pub system: String,
    /// The database's name, where there is one.
    pub database: Option<String>,
    /// How it ended: its time was up, or it was interrupted.
    pub outcome: Outcome,
    /// How long it took, in seconds.
    pub duration_seconds: f64,
    /// The seed of the first member's random numbers; each further one has the next.
    pub seed: u64,
    /// What the fleet is called.
    pub fleet: String,
    /// What the work of each member was, such as `bank`.
    pub workload: String,
    /// What kind of load each member had.
    pub load: LoadReport,
    /// Tasks of the members in turn, if they had not the same.
    pub tasks_each: Vec<u32>,
    /// The settings of each member's pool. In JSON counts are numbers or `"unlimited"`, times are text
    /// such as `"30s"` or `"off"`.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub config: PoolConfig,
    /// What there was to share.
    pub budget: FleetBudget,
    /// The members, in the order of their joining.
    pub members: Vec<FleetMember>,
    /// Operations of all that succeeded.
    pub operations: u64,
    /// Operations of all that failed.
    pub errors: u64,
    /// Operations of all per second.
    pub throughput: f64,
    /// The most there was at once.
    pub peaks: FleetPeaks,
    /// How fair shares were when nobody had come or gone for a while; `None` if there was no such time.
    pub fairness: Option<Fairness>,
    /// How all were, one point in time after the other.
    pub points: Vec<FleetPoint>,
    /// What must not happen, and did.
    pub faults: Vec<String>,
    /// All of it in words.
    pub summary: String,
    /// What else is to be known.
    pub warnings: Vec<String>,
}

/// What a fleet had to share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct FleetBudget {
    /// Connections for all, control connections among them; `None` if the server could not be asked.
    pub total: Option<usize>,
    /// Part of them that is not given out.
    pub reserve: usize,
    /// Where the total is from, such as `80 % of the server's`.
    pub source: String,
    /// The fewest connections that a member can work with.
    pub floor: usize,
    /// Between two settlements of a member on average, in seconds.
    pub heartbeat_seconds: f64,
    /// For how long a settlement holds, in seconds.
    pub lease_seconds: f64,
}

/// What became of a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct FleetMember {
    /// Its place in the order of joining, from 1.
    pub number: usize,
    /// Its process.
    pub process: u32,
    /// When it was started, in seconds.
    pub joined_seconds: f64,
    /// How long it took then until its floor was granted.
    pub floor_after_seconds: Option<f64>,
    /// When its process had ended.
    pub gone_seconds: Option<f64>,
    /// How it ended.
    pub end: MemberEnd,
    /// If it was killed: how long after that the others had been granted as much as all had before.
    pub reused_after_seconds: Option<f64>,
    /// Connections that it was granted.
    pub granted: Spread,
    /// Connections that it had open.
    pub open: Spread,
    /// Operations that succeeded.
    pub operations: u64,
    /// Operations that failed.
    pub errors: u64,
    /// Operations per second.
    pub throughput: f64,
    /// Median response in microseconds; `None` if it did not come to its end.
    pub response_p50: Option<f64>,
    /// 99 % took no longer.
    pub response_p99: Option<f64>,
    /// Connects that the server refused because it has too many connections.
    pub refused: u64,
    /// Connects that failed otherwise.
    pub connects_failed: u64,
    /// Why the first of both failed.
    pub connect_failure: Option<String>,
    /// What its tuner would have had last, if it had one.
    pub recommended: Option<usize>,
}

/// How a member ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MemberEnd {
    /// It left when it was told to.
    Left,
    /// It was killed.
    Killed,
    /// It ended by itself.
    Failed,
}

/// Of a number that was looked at again and again.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[non_exhaustive]
pub struct Spread {
    /// Half of the time it was no more.
    pub median: usize,
    /// It was never more.
    pub most: usize,
}

/// The most there was at once.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[non_exhaustive]
pub struct FleetPeaks {
    /// Sessions of the fleet that the server showed, control connections among them; `None` if it could
    /// not be asked.
    pub fleet_sessions: Option<usize>,
    /// Sessions of anybody that the server showed.
    pub sessions: Option<usize>,
    /// The sum of what members said that they were granted. They do not say it at the same moment.
    pub granted: usize,
    /// The sum of what members said that they had open, without control connections.
    pub open: usize,
}

/// How far the share that was furthest from what is max-min fair was from it, as a part of that.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Fairness {
    /// How often that could be said.
    pub looks: usize,
    /// Half of the time it was no further.
    pub median: f64,
    /// It was never further.
    pub most: f64,
}

/// How all members were at a point in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct FleetPoint {
    /// Seconds since the first one was started.
    pub at_seconds: f64,
    /// By their number; `None` for one that has said nothing yet, or is gone.
    pub members: Vec<Option<MemberPoint>>,
    /// Sessions of the fleet that the server showed.
    pub fleet_sessions: Option<usize>,
    /// Sessions of anybody that the server showed.
    pub sessions: Option<usize>,
}

/// How a member was at a point in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct MemberPoint {
    /// Connections that it was granted.
    pub granted: usize,
    /// Connections open.
    pub open: usize,
    /// Connections in use.
    pub in_use: usize,
    /// Acquires waiting.
    pub waiting: usize,
    /// The most that were in use or waited for within 30 s.
    pub demand: usize,
    /// What its tuner would have, if it has one.
    pub recommended: Option<usize>,
    /// Operations so far.
    pub operations: u64,
    /// How its share stood: `granted`, `pending`, `lapsed` or `draining`.
    pub state: Option<String>,
}

/// What a report is of.
#[derive(Clone, Debug)]
pub(crate) struct FleetCircumstances {
    pub(crate) provenance: Provenance,
    pub(crate) system: String,
    pub(crate) database: Option<String>,
    pub(crate) seed: u64,
    pub(crate) fleet: String,
    pub(crate) workload: String,
    pub(crate) load: LoadReport,
    pub(crate) tasks_each: Vec<u32>,
    pub(crate) config: PoolConfig,
    pub(crate) budget: FleetBudget,
}

/// What a record comes to.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) total: Option<usize>,
    pub(crate) members: Vec<FleetMember>,
    pub(crate) points: Vec<FleetPoint>,
    pub(crate) peaks: FleetPeaks,
    pub(crate) fairness: Option<Fairness>,
    pub(crate) faults: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

impl FleetReport {
    pub(crate) fn new(
        circumstances: FleetCircumstances,
        judged: Judged,
        outcome: Outcome,
        seconds: f64,
    ) -> Self {
        let FleetCircumstances { budget, .. } = circumstances;
        let Judged { total, members, points, peaks, fairness, faults, warnings } = judged;
        let sum = |of: fn(&FleetMember) -> u64| members.iter().map(of).sum::<u64>();
        let operations = sum(|member| member.operations);
        let errors = sum(|member| member.errors);
        let mut report = Self {
            schema_version: SCHEMA_VERSION,
            kind: ReportKind::Fleet,
            provenance: circumstances.provenance,
            system: circumstances.system,
            database: circumstances.database,
            outcome,
            duration_seconds: seconds,
            seed: circumstances.seed,
            fleet: circumstances.fleet,
            workload: circumstances.workload,
            load: circumstances.load,
            tasks_each: circumstances.tasks_each,
            config: circumstances.config,
            budget: FleetBudget { total: total.or(budget.total), ..budget },
            throughput: if seconds > 0.0 { operations as f64 / seconds } else { 0.0 },
            operations,
            errors,
            members,
            peaks,
            fairness,
            points,
            faults,
            summary: String::new(),
            warnings,
        };
        report.summary = report.in_words();
        report
    }
}

impl Fairness {
    /// Of how far the share that was furthest was from a fair one at each look.
    pub(crate) fn of(mut deviations: Vec<f64>) -> Option<Self> {
        deviations.sort_by(f64::total_cmp);
        let most = *deviations.last()?;
        Some(Self { looks: deviations.len(), median: deviations[deviations.len() / 2], most })
    }
}

impl Spread {
    pub(crate) fn of(mut numbers: Vec<usize>) -> Self {
        numbers.sort_unstable();
        let median = numbers.get(numbers.len() / 2).copied().unwrap_or_default();
        Self { median, most: numbers.last().copied().unwrap_or_default() }
    }
}
