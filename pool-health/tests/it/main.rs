//! What health checkers find, when, and what it costs whom: in virtual time, on the scripted driver. What
//! endpoints tell of it: on real sockets. What becomes of both while something befalls a real server.

mod checker;
mod fleet;
#[cfg(feature = "grpc")]
mod grpc;
mod guide;
#[cfg(feature = "http")]
mod http;
#[cfg(all(feature = "http", feature = "reload", unix))]
mod kubernetes;
mod probes;
#[cfg(all(feature = "reload", unix))]
mod reload;
mod rig;
mod route;
mod schedule;
mod told;
#[cfg(all(feature = "reload", target_os = "linux"))]
mod under_faults;
