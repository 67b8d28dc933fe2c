//! Sweeps: one or two settings over a range, each cell of the grid run several times.
//!
//! What is here is pure: what to run, in which order, and what the figures come to. Running is not.

mod axis;
mod findings;
mod plan;
mod pooled;
mod report;
mod text;

pub(crate) use self::findings::GOOD_FIT;
pub(crate) use self::plan::{Plan, Turn};
pub(crate) use self::report::Circumstances;
pub use self::report::{
    Estimate, FailedRun, SweepCell, SweepReport, SweepRun, SweepVerdict, SweptSetting,
};
