//! Any [`deadpool::managed::Manager`] as a driver of `pool-core`: what has a manager for deadpool
//! (Redis, AMQP, diesel and more) has a pool here.
//!
//! ```
//! # use deadpool::managed::{Manager, Metrics, RecycleResult};
//! use pool_core::{Metadata, Pool, PoolConfig};
//! use pool_deadpool::DeadpoolDriver;
//!
//! # struct Numbers;
//! # impl Manager for Numbers {
//! #     type Type = u32;
//! #     type Error = std::io::Error;
//! #     async fn create(&self) -> Result<u32, std::io::Error> {
//! #         Ok(7)
//! #     }
//! #     async fn recycle(&self, _: &mut u32, _: &Metrics) -> RecycleResult<std::io::Error> {
//! #         Ok(())
//! #     }
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let manager = Numbers;
//! // A manager such as `deadpool_redis::Manager::new("redis://127.0.0.1")?`.
//! let driver = DeadpoolDriver::new(manager, Metadata::new("redis"));
//! let pool = Pool::open(driver, PoolConfig::default()).await?;
//! let connection = pool.acquire().await?;
//! assert_eq!(**connection, 7);
//! # Ok(())
//! # }
//! ```
//!
//! # What maps, and what does not
//!
//! | a manager's | is called |
//! |---|---|
//! | `create` | to open a connection; in the background, not by the caller who waits |
//! | `recycle` | after each release, before the next user; and to check what was idle for long |
//! | `detach` | before a connection is dropped, for whatever reason |
//!
//! - deadpool recycles when an object is taken; here it is done when it comes back, so that an idle
//!   connection holds no locks, and the next user does not wait for it. A recycling that fails costs
//!   the connection and nobody an error.
//! - Whatever `recycle` does not clean up stays: `deadpool_postgres` with `RecyclingMethod::Fast`,
//!   `Verified` or `Clean` leaves an open transaction to the next user. Choose a method that says
//!   `ROLLBACK`, or use `pool-postgres`.
//! - A manager does not learn that a call was cut short. Use [`DeadpoolConnection::call`], which does:
//!   the connection is then closed and not recycled.
//! - Nor does this driver see what is done with an object: observers are told of no statement, until its
//!   user tells them, through [`DeadpoolConnection::statements`].
//! - `Metrics` count as deadpool does: created, last recycled, how often.
//! - There is no goodbye: an object is dropped, and what that does is its own affair. Some need their
//!   runtime for it, some spawn a task.
//! - The hooks, timeouts and queue of deadpool's own pool are not used: observers, settings and the
//!   queue of this one take their place. Unmanaged pools have no manager, and so no driver.
//! - What kind of error it was, a manager does not say: all are taken to be transient, until
//!   [`DeadpoolDriver::with_classes`] says more. Capacity, role and lag cannot be asked for.
//! - Whether a manager shows a password in its errors is its own affair, too. It is never printed
//!   itself.
//! - A manager that needs a runtime and finds none may panic; that costs the one connection.
#![forbid(unsafe_code)]

mod connection;
mod driver;
mod error;

pub use deadpool;

pub use self::connection::DeadpoolConnection;
pub use self::driver::DeadpoolDriver;
pub use self::error::DeadpoolError;
