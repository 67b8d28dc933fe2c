//! The search for the smallest value of a setting that is enough.
//!
//! What is here is pure: which value to try next, and what the tries come to. Running is not.

mod search;

pub(crate) use self::search::{Ask, Goal, Next, Outcome, Search, Settled};
