//! Adapts the size of a pool to its load: a controller that tries sizes, and says why.
//!
//! The throughput of a database rises with the sessions that it works for, up to a point, and falls beyond
//! it. Neither waits nor latency show on which side of it a pool is: both grow with the load, whether the
//! pool is too small or the database has too much to do. Trying shows it. So the [`Controller`] makes
//! experiments: it changes the limit a little, compares what is completed before and after, and keeps what
//! pays. What it compares is the *elasticity*: by how many percent throughput grows for one percent more
//! connections. Where a pool does all that it is asked for, that tells nothing: there, it compares how long
//! clients wait, for a connection and with it.
//!
//! It is fed with a [`Reading`] each control period, a second or so, and answers with a [`Decision`] and its
//! [`Reason`]. It reads no clock, touches no pool and sees no other one: pools that share a database take
//! from each other what they gain, and no experiment of a single one tells. They need a common budget, which
//! is the most that a reading allows.
//!
//! Where nothing may be tried, [`Controller::recommend`] says what is known without, and what it would try.

mod controller;
mod decision;
mod demand;
mod probe;
mod reading;
mod recent;
mod service;
mod trial;

pub use self::controller::Controller;
pub use self::decision::{Decision, Outcome, Reason, Sizes};
pub use self::reading::Reading;
