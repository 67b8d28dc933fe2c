//! A database that exists on paper: a driver that does what a test's script says, and the ledger
//! of what its server saw.

mod driver;
mod leases;
mod ledger;
mod script;

pub use self::driver::{FakeConnection, FakeDriver, FakeError};
pub use self::ledger::{FakeServer, Session};
pub use self::script::{Answer, Call};
