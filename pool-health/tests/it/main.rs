//! What health checkers find, when, and what it costs whom: in virtual time, on the scripted driver.

mod checker;
mod probes;
#[cfg(all(feature = "reload", unix))]
mod reload;
mod rig;
mod route;
mod told;
