//! What the tests of a pool and of its drivers stand on.
//!
//! - [`Sim`]: a runtime in virtual time, with tasks in an order drawn from a seed; [`Hand`] polls a
//!   future by hand.
//! - [`seeds`]: simulations, each seed of which is a run; [`quietly`] contains what breaks a rule.
//! - [`FakeServer`] and [`FakeDriver`]: calls that succeed, fail, panic, hang or wait at a gate, as
//!   a test's script says, and a ledger of what the server saw.
//! - [`mod@conformance`]: what every driver must keep, as a suite that its tests expand.
//! - `leases` (feature `servers`): the same for those that keep a fleet's ledger.
//! - `servers` (feature `servers`): real database servers, private and throw-away, and what can befall
//!   them.
//! - `receivers` (feature `receivers`): real receivers of telemetry: collectors, Prometheus, mail.
//! - `browser` (feature `browser`): a browser without a screen: what a page says, and how it looks.
//! - `hostile` (feature `hostile`): texts for property tests of parsers.
//! - [`Shown`]: all that is shown to anybody, to be searched for a password.
//! - [`not_tried`]: what a test could not try, told where a test runner does not hide it.
//! - [`FaultRow`]: what came of a fault on a real server, told for a table of them all.
//! - [`run_as_shown`]: an example is what the README shows, and what comes of it; [`built_example`] is its
//!   program.
//! - [`Nothing`]: a driver that costs nothing, to measure the pool alone.
//! - [`measure`]: what benchmarks print, each figure beside a peer's of the same run.
#![forbid(unsafe_code)]

#[cfg(feature = "browser")]
pub mod browser;
pub mod conformance;
mod example;
mod fake;
mod fault_row;
#[cfg(feature = "hostile")]
pub mod hostile;
#[cfg(feature = "servers")]
pub mod leases;
pub mod measure;
mod not_tried;
mod nothing;
mod quiet;
#[cfg(feature = "receivers")]
pub mod receivers;
pub mod seeds;
#[cfg(feature = "servers")]
pub mod servers;
mod shown;
mod sim;

pub use self::example::{built_example, run_as_shown};
pub use self::fake::{Answer, Call, FakeConnection, FakeDriver, FakeError, FakeServer, Session};
pub use self::fault_row::{FAULTS_VARIABLE, FaultRow};
pub use self::not_tried::{NOT_TRIED_VARIABLE, not_tried};
pub use self::nothing::{Never, Nothing};
pub use self::quiet::quietly;
pub use self::shown::{Shown, percent_encoded};
pub use self::sim::{Hand, Sim, SimTask};
