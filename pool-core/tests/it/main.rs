//! The engine against the scripted driver, in virtual time. A test's name is its claim.

mod acquire;
mod allocations;
mod cancel;
mod compat;
mod control;
mod demand;
mod driver;
mod errors;
#[cfg(feature = "sources")]
mod fuzz;
mod gates;
mod hostile;
mod incidents;
mod leases;
mod lent;
mod lifecycle;
#[cfg(feature = "manager")]
mod manager;
mod model;
mod museum;
mod observer;
mod opening;
mod outages;
mod panics;
mod promptly;
mod reconfigure;
mod release;
mod renewal;
mod rig;
#[cfg(feature = "sources")]
mod schema;
mod settings;
mod shapes;
mod simulation;
#[cfg(feature = "smol")]
mod smol_runtime;
#[cfg(feature = "sources")]
mod sources;
mod steering;
mod tokio_runtime;
