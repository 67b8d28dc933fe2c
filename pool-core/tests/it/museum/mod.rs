//! The museum: famous defects of other pools, each as a test of ours under the number of its entry.
//!
//! A doc comment names the public repository and its issue, pull request or commit. The table of
//! all entries, with the tests of the drivers that hold them against real servers, is
//! `docs/museum.md`.

mod cancellation;
mod clock;
mod closing;
mod dirty;
mod failover;
mod foreign;
mod herd;
mod limits;
mod lost_wakeups;
mod memory;
mod panics;
mod reaper;
mod resizing;
mod runtime;
mod self_deadlock;
mod starvation;
mod statistics;
mod timeouts;
