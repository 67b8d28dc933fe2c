//! The conformance suite on the fake driver, before it is run on real ones; and real servers.

mod fake;
#[cfg(feature = "servers")]
mod servers;
