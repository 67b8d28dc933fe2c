//! SQLite for `pool-core`: connections that do not block the async runtime, and whose calls can be
//! cancelled.
//!
//! - [`SqliteDriver`] opens connections to the database that [`SqliteOptions`] describe: a file, a
//!   private database in memory, or one in memory that the whole process shares.
//! - [`SqliteConnection`] runs closures with a `rusqlite` connection on a thread of its own. Dropping
//!   the future of a call stops it, without ever hitting the next one.
//! - [`ReadWritePools`] is one writer and many readers over the same database, because SQLite has
//!   one writer.
//!
//! It works on any async runtime: nothing here needs one.
//!
//! # What a call costs
//!
//! A connection's thread that has nothing to do looks for the next call for 50 us before it sleeps.
//! Calls that follow each other closely are up to ten times faster for it, at the price of processor
//! time: one task that made one small call after the other for 3 s used 4.5 s of it, three quarters
//! in the kernel, which gives the core to any other thread that wants it. An idle pool uses none. To bring several statements to the thread at once, put them in one
//! [`call`](SqliteConnection::call).
#![forbid(unsafe_code)]

mod board;
mod busy;
mod connection;
mod driver;
mod error;
mod file;
mod location;
mod lock_waits;
mod mailbox;
mod open;
mod options;
mod pair;
mod private;
mod storage;
mod thread;
mod url;
mod validate;
mod worker;

pub use rusqlite;

pub use self::connection::SqliteConnection;
pub use self::driver::SqliteDriver;
pub use self::error::{OpenFailure, SqliteError};
pub use self::lock_waits::LockWaits;
pub use self::options::{Access, Hygiene, JournalMode, Source, SqliteOptions, Synchronous};
pub use self::pair::{ReadWritePools, ReadWriteReport};
