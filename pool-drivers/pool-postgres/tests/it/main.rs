//! The PostgreSQL driver against a real server. A test's name is its claim.

mod abandon;
mod conformance;
mod hygiene;
mod rig;
mod url;
