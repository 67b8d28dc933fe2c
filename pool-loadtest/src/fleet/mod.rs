//! A fleet under load: what its members say of themselves and what the server shows, kept and judged.
//!
//! The processes and the questions to the server are the command line's.

mod fairness;
mod record;
mod report;
mod said;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use self::record::{Claims, Gone, Now, Record, Shown};
pub(crate) use self::report::FleetCircumstances;
pub use self::report::{
    Fairness, FleetBudget, FleetMember, FleetPeaks, FleetPoint, FleetReport, MemberEnd,
    MemberPoint, Spread,
};
pub(crate) use self::said::{Done, Moment, Said};
