//! MySQL and MariaDB for `pool-core`, over the connections of `mysql_async` (not its pool).
//!
//! - [`MysqlDriver`] opens connections to the server that [`MysqlOptions`] describe.
//! - [`MysqlConnection`] runs statements, tells observers of them, and knows from the server's own
//!   answers whether the next user may have it as it is.
//! - [`Transaction`] is rolled back when it is dropped.
//!
//! ```no_run
//! use pool_core::{Pool, PoolConfig};
//! use pool_mysql::MysqlDriver;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let driver = MysqlDriver::from_url("mysql://app:secret@db.example.com/orders")?;
//! let pool = Pool::open(driver, PoolConfig::default()).await?;
//! let mut connection = pool.acquire().await?;
//! let mut transaction = connection.transaction().await?;
//! transaction.exec_drop("UPDATE accounts SET cents = cents - ? WHERE id = ?", (500, 7)).await?;
//! transaction.exec_drop("UPDATE accounts SET cents = cents + ? WHERE id = ?", (500, 8)).await?;
//! transaction.commit().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Runtime
//!
//! The client library's sockets are tokio's: whatever runtime the pool itself uses, its worker must
//! run inside a tokio runtime with I/O enabled, and with time, for hosts of several addresses.
//! Elsewhere a connect fails with an error that says so.
//!
//! # Cryptography
//!
//! The client library encrypts with rustls' provider of the whole process, and takes no other: it
//! makes its settings of TLS itself. Where the process has none, the first connect with TLS installs
//! ring as the process's ([`install_default`]), which cannot be undone. A program that wants another
//! provider (aws-lc-rs, FIPS) installs its own before, at best as the first thing in `main`; it is
//! then used here, too, and never replaced. Connections without TLS touch nothing.
//!
//! [`install_default`]: rustls::crypto::CryptoProvider::install_default
#![forbid(unsafe_code)]

mod activity;
mod capacity;
mod class;
mod connection;
mod driver;
mod error;
mod lease;
mod location;
mod open;
mod options;
mod password;
mod replica;
mod session;
mod transaction;
mod url;
mod validate;
mod wire;

// Its rows, parameters and errors are in the signatures here.
pub use mysql_async;

pub use self::connection::{Done, MysqlConnection};
pub use self::driver::MysqlDriver;
pub use self::error::{ConnectFailure, MysqlError};
pub use self::options::{Address, Hygiene, MysqlOptions, System, TlsMode};
pub use self::password::{Password, PasswordError};
pub use self::transaction::Transaction;
