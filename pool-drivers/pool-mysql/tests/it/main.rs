//! The MySQL driver against real servers. A test's name is its claim.

mod conformance;
mod hygiene;
mod rig;
