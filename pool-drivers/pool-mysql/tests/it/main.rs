//! The MySQL driver against real servers. A test's name is its claim.

mod activity;
mod cancel;
mod conformance;
mod failing;
mod faults;
mod fuzz;
mod hygiene;
mod leases;
mod letting_go;
mod load;
mod network;
mod readme;
mod rig;
mod rotation;
mod secrets;
mod server;
mod standby;
mod statements;
mod tls;
mod url;
