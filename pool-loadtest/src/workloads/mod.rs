//! The workloads that come with the load tester. Each is written once, for every
//! [database](crate::database).

mod bank;
mod chosen;
mod custom;
mod ledger;
mod long_transactions;
mod mix;
mod point_read;
mod prepared;
mod rows;
mod table;
#[cfg(test)]
mod tests;
mod tpcb_like;

pub use self::bank::Bank;
pub(crate) use self::chosen::Chosen;
pub(crate) use self::custom::{Custom, MOST_BYTES, SqlFileError};
pub(crate) use self::long_transactions::LongTransactions;
pub(crate) use self::mix::Mix;
pub(crate) use self::point_read::PointRead;
pub(crate) use self::prepared::Prepared;
pub(crate) use self::tpcb_like::{MOST_SCALE, TpcbLike};
