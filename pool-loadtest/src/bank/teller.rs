//! What a bank asks of a database, each kind in its own words.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use pool_core::Driver;

use super::table::{Found, Table, Transfer};

/// A driver whose database can keep a bank.
///
/// Implemented here for the drivers of this suite only.
pub trait Teller: Driver {
    /// How its statements write their first and second parameter.
    const PARAMETERS: [&str; 2];
    /// How its casts name an integer of 64 bits.
    const INTEGER: &str;

    /// Makes the accounts.
    ///
    /// # Errors
    ///
    /// The driver's.
    fn create(
        connection: &mut Self::Connection,
        table: &Arc<Table>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Reads one balance.
    ///
    /// # Errors
    ///
    /// The driver's.
    fn balance(
        connection: &mut Self::Connection,
        table: &Arc<Table>,
        account: i64,
    ) -> impl Future<Output = Result<i64, Self::Error>> + Send;

    /// Moves money in one transaction.
    ///
    /// # Errors
    ///
    /// The driver's; whether it was done is unknown then.
    fn transfer(
        connection: &mut Self::Connection,
        table: &Arc<Table>,
        transfer: Transfer,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Adds up all accounts.
    ///
    /// # Errors
    ///
    /// The driver's.
    fn add_up(
        connection: &mut Self::Connection,
        table: &Arc<Table>,
    ) -> impl Future<Output = Result<Found, Self::Error>> + Send;

    /// Removes the accounts, if they are there.
    ///
    /// # Errors
    ///
    /// The driver's.
    fn drop_table(
        connection: &mut Self::Connection,
        table: &Arc<Table>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// What keeps the database from answering, if that can be found out soon.
    fn blocked_by(&self) -> impl Future<Output = Option<Box<dyn Error + Send + Sync>>> + Send {
        async { None }
    }
}
