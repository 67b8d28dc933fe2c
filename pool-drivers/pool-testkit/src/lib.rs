//! What the tests of a pool and of its drivers stand on.
//!
//! - [`Sim`]: a runtime in virtual time, with tasks in an order drawn from a seed; [`Hand`] polls a
//!   future by hand.
//! - [`FakeServer`] and [`FakeDriver`]: calls that succeed, fail, panic, hang or wait at a gate, as
//!   a test's script says, and a ledger of what the server saw.
//! - [`mod@conformance`]: what every driver must keep, as a suite that its tests expand.
#![forbid(unsafe_code)]

pub mod conformance;
mod fake;
mod sim;

pub use self::fake::{Answer, Call, FakeConnection, FakeDriver, FakeError, FakeServer, Session};
pub use self::sim::{Hand, Sim, SimTask};
