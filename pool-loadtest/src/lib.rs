//! Puts a connection pool under load and says in plain words what limits it.
//!
//! As a library: a [`LoadTester`] drives any pool with a [`Workload`] and returns a [`Report`]. As a
//! program: see `cli`, and `pool-loadtest --help`.
#![forbid(unsafe_code)]

mod backoff;
mod bank;
mod bounds;
pub mod cli;
mod options;
mod recorder;
mod report;
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
pub use self::options::LoadOptions;
pub use self::recorder::Unfinished;
pub use self::report::{
    AcquireReport, ErrorGroup, Invariant, Latency, Outcome, PoolReport, Report, SCHEMA_VERSION,
};
pub use self::tester::{LoadError, LoadTester, Progress};
pub use self::verdict::{Limit, Recommendation, Verdict};
pub use self::workload::{Checked, Workload, WorkloadError};
