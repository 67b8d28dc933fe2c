//! PostgreSQL for `pool-core`, over tokio-postgres: connections that come back clean without a round
//! trip.
//!
//! - [`PostgresDriver`] opens connections to the database that [`PostgresOptions`] describe.
//! - [`PostgresConnection`] runs statements, each prepared once; [`Transaction`] is rolled back
//!   unless it is committed; [`RowStream`] yields rows as they arrive.
//! - [`Hygiene`] says what a connection keeps of its last user. Whether a transaction is open is the
//!   server's own word; what must be undone is sent ahead of the next user's first statement.
//!
//! ```no_run
//! use pool_core::{Pool, PoolConfig};
//! use pool_postgres::PostgresDriver;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let driver = PostgresDriver::from_url("postgres://shop:secret@db.example.com/shop")?;
//! let pool = Pool::open(driver, PoolConfig::default()).await?;
//!
//! let mut connection = pool.acquire().await?;
//! let transaction = connection.transaction().await?;
//! transaction.execute("INSERT INTO fruit (name, price) VALUES ($1, $2)", &[&"apple", &3_i32]).await?;
//! transaction.commit().await?;
//!
//! for row in connection.query("SELECT name FROM fruit WHERE price < $1", &[&5_i32]).await? {
//!     println!("{}", row.get::<_, &str>(0));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! It needs tokio, with its network and timer enabled.
#![forbid(unsafe_code)]

mod cache;
mod cancel;
mod certificate;
mod connection;
mod dial;
mod driver;
mod dsn;
mod error;
mod framing;
mod lease;
mod notifications;
mod open;
mod options;
mod parameters;
mod questions;
mod release;
mod secret;
mod session;
mod stream;
mod task;
mod tls;
mod transaction;
mod url;
mod validate;
mod verify;
mod wire;

pub use tokio_postgres;

pub use self::connection::PostgresConnection;
pub use self::driver::PostgresDriver;
pub use self::error::{ConnectFailure, PostgresError};
pub use self::options::{
    At, ChannelBinding, ClientCertificate, Host, Hygiene, LoadBalance, PostgresOptions,
    TargetSession, TlsMode, TlsOptions,
};
pub use self::secret::{Password, PasswordError};
pub use self::stream::RowStream;
pub use self::transaction::Transaction;
