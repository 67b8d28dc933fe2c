//! The SQLite driver against real databases. A test's name is its claim.

mod abandon;
mod cancel;
mod conformance;
mod databases;
mod failing;
mod fuzz;
mod hygiene;
mod managed;
mod pair;
mod panics;
mod private;
mod readme;
mod rig;
mod statements;
mod storage;
mod url;
mod valid;
