//! What users do with a driver's connections, well and badly.

use std::future::Future;

use pool_core::Driver;

/// What an answer says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) number: i64,
    /// Nothing is left of an earlier user, as far as the hygiene promises.
    pub(crate) is_clean: bool,
}

/// Accounts, numbered from 0, and what is in each at first.
pub(crate) const ACCOUNTS: i64 = 16;
pub(crate) const AMOUNT: i64 = 100;

type Done<D, T = ()> = Result<T, <D as Driver>::Error>;

/// A driver whose connections can be used in all these ways.
pub(crate) trait Subject: Driver {
    /// Makes the accounts.
    fn prepare(connection: &mut Self::Connection) -> impl Future<Output = Done<Self>> + Send;

    /// Has the number sent back.
    fn ask(
        connection: &mut Self::Connection,
        number: i64,
    ) -> impl Future<Output = Done<Self, Answer>> + Send;

    /// Moves 1 from an account to another in a transaction.
    fn transfer(
        connection: &mut Self::Connection,
        from: i64,
        to: i64,
    ) -> impl Future<Output = Done<Self>> + Send;

    /// Takes from an account in a transaction that stays open.
    fn leave_open(
        connection: &mut Self::Connection,
        account: i64,
    ) -> impl Future<Output = Done<Self>> + Send;

    /// Changes the session.
    fn soil(connection: &mut Self::Connection) -> impl Future<Output = Done<Self>> + Send;

    /// Asks for much and reads a little.
    fn read_half(connection: &mut Self::Connection) -> impl Future<Output = Done<Self>> + Send;

    /// Takes some tenths of a second.
    fn dawdle(connection: &mut Self::Connection) -> impl Future<Output = Done<Self>> + Send;

    /// Runs what is no statement.
    fn err(connection: &mut Self::Connection) -> impl Future<Output = Done<Self>> + Send;

    /// What is in all accounts.
    fn total(connection: &mut Self::Connection) -> impl Future<Output = Done<Self, i64>> + Send;
}
