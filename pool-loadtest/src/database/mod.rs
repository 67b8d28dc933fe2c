//! What workloads ask of a database, each kind in its own words: a workload is written once, and a
//! driver says here how it runs statements.

mod dialect;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod session;
mod sqlite;
mod statement;

use std::error::Error;
use std::future::Future;

use pool_core::Driver;

pub(crate) use self::dialect::Dialect;
pub(crate) use self::session::Session;
pub(crate) use self::statement::{Bound, Ending, Failed, Value};

/// The first row of an answer, each value as text; `None` for null.
pub(crate) type FirstRow = Vec<Option<String>>;

/// A driver whose database the workloads know how to use.
///
/// Implemented here for the drivers of this suite only.
pub trait Database: Driver {
    /// How its SQL differs from that of others.
    const DIALECT: Dialect;

    /// Runs statements without parameters, as text and without an answer.
    ///
    /// # Errors
    ///
    /// The driver's.
    fn script(
        connection: &mut Self::Connection,
        sql: &str,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Runs prepared statements: one that is to be kept by itself, all others in a transaction of
    /// their own, which waits for nobody in its midst: if one of them writes, it is one that writes
    /// from its beginning. Returns how many rows the last one read.
    ///
    /// # Errors
    ///
    /// The driver's, with the statement that failed; whether all was done is unknown if that is the
    /// last one.
    fn run(
        connection: &mut Self::Connection,
        statements: Vec<Bound>,
        ending: Ending,
    ) -> impl Future<Output = Result<usize, Failed<Self::Error>>> + Send;

    /// Asks one question without parameters, as text.
    ///
    /// # Errors
    ///
    /// The driver's.
    fn ask(
        connection: &mut Self::Connection,
        sql: &str,
    ) -> impl Future<Output = Result<Option<FirstRow>, Self::Error>> + Send;

    /// Whether each connection has a database of its own, in which it finds nothing that another one
    /// wrote.
    fn is_private(&self) -> bool {
        false
    }

    /// What keeps the database from answering, if that can be found out soon.
    fn blocked_by(&self) -> impl Future<Output = Option<Box<dyn Error + Send + Sync>>> + Send {
        async { None }
    }
}
