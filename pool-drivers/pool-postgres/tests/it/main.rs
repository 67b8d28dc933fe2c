//! The PostgreSQL driver against a real server. A test's name is its claim.

mod abandon;
mod admission;
mod conformance;
mod failing;
mod faults;
mod fuzz;
mod hosts;
mod hygiene;
mod leases;
mod load;
mod managed;
mod mixed;
mod network;
mod pgbouncer;
mod questions;
mod readme;
mod relay;
mod rig;
mod rotation;
mod secrets;
mod secure;
mod standby;
mod statements;
mod tls;
mod transactions;
mod url;
