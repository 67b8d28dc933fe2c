//! The PostgreSQL driver against a real server. A test's name is its claim.

mod conformance;
mod rig;
