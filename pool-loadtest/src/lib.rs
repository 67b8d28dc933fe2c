//! Puts a connection pool under load and says in plain words what limits it.
//!
//! As a library: a [`LoadTester`] drives any pool with a [`Workload`] and returns a [`Report`]. As a
//! program: see `cli`, and `pool-loadtest --help`.
#![forbid(unsafe_code)]

mod backoff;
mod bank;
mod baseline;
mod bounds;
pub mod cli;
mod latency;
mod options;
mod pool_report;
mod recorder;
mod report;
mod stop;
mod task;
mod tester;
mod text;
mod verdict;
mod words;
mod workload;

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

pub use self::bank::Bank;
pub use self::latency::Latency;
pub use self::options::LoadOptions;
pub use self::pool_report::{AcquireReport, PoolReport};
pub use self::recorder::Unfinished;
pub use self::report::{ErrorGroup, Invariant, Outcome, Report, SCHEMA_VERSION};
pub use self::tester::{LoadError, LoadTester, Progress};
pub use self::verdict::{Limit, Recommendation, Verdict};
pub use self::workload::{Checked, Workload, WorkloadError};
