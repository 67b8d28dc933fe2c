//! Managers for deadpool as drivers: one of the tests' own, and two against real servers. A test's
//! name is its claim.

mod ledger;
mod mapping;
mod memory;
mod postgres;
mod redis;
mod rig;
mod secrets;
