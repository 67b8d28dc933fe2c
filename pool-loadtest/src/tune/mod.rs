//! The search for the smallest value of a setting that is enough.
//!
//! What is here is pure: which value to try next, and what the tries come to. Running is not.

mod report;
mod search;
mod text;
mod words;

pub(crate) use self::report::TuneCircumstances;
pub use self::report::{Confidence, TuneConclusion, TuneRecommendation, TuneReport, TuneStep};
pub(crate) use self::search::{Ask, Goal, Next, Search, VERIFY_FACTOR};
