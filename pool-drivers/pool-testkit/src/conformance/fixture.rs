//! What the suite must know of a driver to try it out.

use std::fmt::Debug;
use std::future::Future;

use pool_core::{Driver, PoolConfig};

/// A fixture's connections.
pub type Connection<F> = <<F as Fixture>::Driver as Driver>::Connection;

/// What a fixture's driver fails with.
pub type Error<F> = <<F as Fixture>::Driver as Driver>::Error;

/// Why a fixture cannot show something: the claim that asked is reported as not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported(pub &'static str);

/// What a fixture shows, or why it cannot.
pub type Supported<T> = Result<T, Unsupported>;

/// How a connect is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// Soon, with an error that may go away by itself.
    Transiently,
    /// Soon, with an error that will not go away by itself.
    Permanently,
    /// Not at all: it takes longer than any claim waits.
    Hanging,
}

/// A driver under test, with a database of its own.
///
/// An error or a panic of these methods fails the claim; [`Unsupported`] is for what this database
/// cannot show at all.
pub trait Fixture: Send + Sync + Sized + 'static {
    /// The driver.
    type Driver: Driver<Connection: Debug> + Debug;

    /// Starts on a fresh, empty database that no other fixture sees.
    fn start() -> impl Future<Output = Self> + Send;

    /// A driver to that database.
    fn driver(&self) -> Self::Driver;

    /// Settings of a pool of it. Claims change fields of them; `max_open` must be at least 2.
    fn config(&self) -> PoolConfig {
        PoolConfig { max_open: 4, ..PoolConfig::default() }
    }

    /// A driver whose connects fail. It knows the same secret as [`driver`](Self::driver)'s.
    fn failing_driver(&self, how: Failing) -> Supported<Self::Driver>;

    /// Runs a trivial statement and takes in its whole answer.
    fn use_once(
        connection: &mut Connection<Self>,
    ) -> impl Future<Output = Result<(), Error<Self>>> + Send;

    /// That the driver tells observers of its statements by itself, as it should wherever it knows of
    /// them.
    fn tells_of_statements(&self) -> Supported<()> {
        Ok(())
    }

    /// Runs a statement that the database refuses; the code it gives for that.
    fn fail_once(
        connection: &mut Connection<Self>,
    ) -> impl Future<Output = Supported<&'static str>> + Send;

    /// Opens a transaction and leaves it open.
    fn begin(connection: &mut Connection<Self>) -> impl Future<Output = Supported<()>> + Send;

    /// Whether no transaction is open and nothing else is left of an earlier user.
    fn is_clean(connection: &mut Connection<Self>) -> impl Future<Output = bool> + Send;

    /// Writes something in a transaction that is left open.
    fn write_uncommitted(
        connection: &mut Connection<Self>,
    ) -> impl Future<Output = Supported<()>> + Send;

    /// Whether anything written by [`write_uncommitted`](Self::write_uncommitted) can be seen.
    fn sees_written(
        connection: &mut Connection<Self>,
    ) -> impl Future<Output = Supported<bool>> + Send;

    /// Uses the connection for as long as the future is polled; ends only to say that it cannot.
    fn run_long(connection: &mut Connection<Self>) -> impl Future<Output = Unsupported> + Send;

    /// Which session the connection is: different for each connection of a database.
    fn session(connection: &mut Connection<Self>) -> impl Future<Output = Supported<u64>> + Send;

    /// Has the server hang up on a connection, as far as that can be had: nothing works on it any
    /// more, and nobody has told its client.
    fn sever(
        &self,
        connection: &mut Connection<Self>,
    ) -> impl Future<Output = Supported<()>> + Send;

    /// Connections that the server knows, those of [`driver`](Self::driver)s alone.
    fn sessions(&self) -> impl Future<Output = Supported<usize>> + Send;

    /// A password that the drivers know and that must never be shown.
    fn secret(&self) -> Supported<&'static str>;
}
