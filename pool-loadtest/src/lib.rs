//! Puts a connection pool under load and says in plain words what limits it.
//!
//! As a library: a [`LoadTester`] drives any pool with a [`Workload`], or with a
//! [closure](workload_of), and returns a [`Report`]. As a program, with the feature `cli` (on by
//! default): see `pool-loadtest --help`.
//!
//! ```
//! use std::time::Duration;
//!
//! use pool_core::{Pool, PoolConfig};
//! use pool_loadtest::{
//!     Arrivals, Checked, Invariant, LoadOptions, LoadTester, Step, StepError, Workload,
//!     WorkloadError,
//! };
//! # use std::sync::Arc;
//! # use pool_core::runtime::TokioRuntime;
//! # use pool_testkit::{FakeDriver, FakeServer};
//!
//! struct Queries;
//!
//! impl Workload<FakeDriver> for Queries {
//!     async fn prepare(&self, _: &Pool<FakeDriver>) -> Result<(), WorkloadError> {
//!         Ok(())
//!     }
//!
//!     async fn step(&self, step: Step<'_, FakeDriver>) -> Result<(), StepError> {
//!         Ok(step.connection.query("select 1")?)
//!     }
//!
//!     async fn verify(&self, _: &Pool<FakeDriver>) -> Result<Checked, WorkloadError> {
//!         Ok(Checked::Held("nothing was written".to_owned()))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let driver = FakeDriver::new(&FakeServer::new(Arc::new(TokioRuntime::new())));
//! let pool = Pool::new(driver, PoolConfig { max_open: 4, ..PoolConfig::default() })?;
//! let options = LoadOptions {
//!     arrivals: Arrivals::closed(8),
//!     duration: Duration::from_millis(50),
//!     ..LoadOptions::default()
//! };
//! let report = LoadTester::new(pool, Queries, options).run().await?;
//! assert!(report.operations > 0 && report.errors == 0);
//! assert_eq!((report.invariant, report.in_use), (Invariant::Held, 0));
//! println!("{report}");
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod arrivals;
mod backoff;
mod baseline;
#[cfg(feature = "cli")]
mod bounds;
#[cfg(feature = "cli")]
mod budget;
mod change;
mod changes;
#[cfg(feature = "cli")]
pub mod cli;
mod closure;
mod compare;
mod condition;
#[cfg(feature = "cli")]
mod database;
#[cfg(feature = "monitor")]
mod fleet;
#[cfg(feature = "cli")]
mod forms;
mod generator;
mod law;
mod leftover;
mod load;
mod metric;
mod network;
mod objective;
mod opening;
mod options;
mod panics;
#[cfg(feature = "cli")]
mod paste;
mod processor;
mod recorder;
mod report;
#[cfg(test)]
mod samples;
mod scalability;
#[cfg(feature = "cli")]
mod scenario;
#[cfg(feature = "cli")]
mod server;
mod statistics;
mod stop;
#[cfg(feature = "cli")]
mod sweep;
mod tester;
mod text;
#[cfg(feature = "cli")]
mod tune;
mod verdict;
mod words;
mod workload;
#[cfg(feature = "cli")]
mod workloads;

/// The README's example is a test.
#[cfg(all(doctest, feature = "mysql", feature = "postgres"))]
#[doc = include_str!("../../README.md")]
struct Readme;

/// So is the guide's.
#[cfg(doctest)]
#[doc = include_str!("../../docs/load-testing.md")]
struct Guide;

/// And that of adaptive sizes.
#[cfg(all(doctest, feature = "monitor", feature = "postgres"))]
#[doc = include_str!("../../docs/adaptive.md")]
struct Adaptive;

pub use self::arrivals::{Arrivals, Offsets, Schedule, Stage, ThinkTime};
pub use self::change::{Action, Change};
pub use self::changes::{ChangeOutcome, ChangeReport};
pub use self::closure::{StepFuture, workload_of};
pub use self::compare::{Comparison, ComparisonVerdict, FigureComparison};
pub use self::condition::{Condition, Violation};
#[cfg(feature = "cli")]
pub use self::database::Database;
#[cfg(feature = "monitor")]
pub use self::fleet::{
    Fairness, FleetBudget, FleetMember, FleetPeaks, FleetPoint, FleetReport, MemberEnd,
    MemberPoint, Spread,
};
pub use self::load::Progress;
pub use self::metric::{Direction, Metric, MetricUnit};
pub use self::objective::{Objective, ObjectiveError};
pub use self::options::LoadOptions;
#[cfg(feature = "cli")]
pub use self::paste::PasteForms;
pub use self::recorder::Unfinished;
pub use self::report::{
    AcquireReport, Aftermath, BudgetReport, ErrorGroup, GeneratorReport, IncidentReport, Invariant,
    KindReport, Latency, LittlesLaw, LoadModel, LoadReport, Outcome, Point, PoolReport, Provenance,
    Report, ReportKind, SCHEMA_VERSION, ServerCounter, ServerReport, Unit,
};
pub use self::scalability::Scalability;
#[cfg(feature = "cli")]
pub use self::sweep::{
    Estimate, FailedRun, SweepCell, SweepReport, SweepRun, SweepVerdict, SweptSetting,
};
pub use self::tester::{LoadError, LoadTester};
#[cfg(feature = "cli")]
pub use self::tune::{Confidence, TuneConclusion, TuneRecommendation, TuneReport, TuneStep};
pub use self::verdict::{Limit, Recommendation, Verdict};
pub use self::workload::{Checked, Step, StepError, Workload, WorkloadError};
#[cfg(feature = "cli")]
pub use self::workloads::Bank;
