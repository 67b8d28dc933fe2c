//! The conformance suite on the fake driver, before it is run on real ones; and real servers and receivers.

mod fake;
#[cfg(feature = "receivers")]
mod receivers;
#[cfg(feature = "servers")]
mod servers;
