//! How a server is reached: its address, its first user, its client program.

use std::fmt;
use std::process::Command;
use std::time::Duration;

use super::error::ServerError;
use super::installation::Installation;
use super::product::{Family, Product};
use super::program;
use super::{mariadb, postgres};

/// The user of every server we start, who may do everything.
pub const USER: &str = "pool";

/// That user's password: a word that tests can look for where no password may be.
pub const PASSWORD: &str = "canary-pool-testkit-1f7c";

/// How a server is reached.
#[derive(Clone)]
pub struct Access {
    /// Which server.
    pub product: Product,
    /// Its host, loopback for our own.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// A user who may make databases and users.
    pub user: String,
    /// That user's password.
    pub password: String,
}

impl Access {
    /// To a server of our own.
    pub(super) fn own(product: Product, port: u16) -> Self {
        let [host, user, password] = ["127.0.0.1", USER, PASSWORD].map(str::to_owned);
        Self { product, host, port, user, password }
    }

    /// The URL of `database`, password included.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let Self { product, host, port, user, password } = self;
        let scheme = product.family().scheme();
        format!("{scheme}://{user}:{password}@{host}:{port}/{database}")
    }

    /// Runs statements in `database` through the server's own client program, and returns the rows,
    /// one a line.
    ///
    /// # Errors
    ///
    /// [`ServerError::Refused`] with the server's or the client's words, [`ServerError::Program`]
    /// if there is no client program.
    pub fn run(&self, database: &str, statements: &str) -> Result<String, ServerError> {
        self.run_within(program::PATIENCE, database, statements)
    }

    /// As [`run`](Self::run), for no longer than `bound`.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`ServerError::Unready`] after `bound`.
    pub fn run_within(
        &self,
        bound: Duration,
        database: &str,
        statements: &str,
    ) -> Result<String, ServerError> {
        let product = self.product;
        let command = self.client(database)?;
        let ended = program::run(command, statements, bound)
            .map_err(|source| ServerError::System { task: "run the server's client", source })?;
        if ended.successful {
            return Ok(ended.printed.trim_end().to_owned());
        }
        if ended.timed_out {
            return Err(ServerError::Unready { product, waited: bound, log: String::new() });
        }
        Err(ServerError::Refused { product, message: ended.complained })
    }

    fn client(&self, database: &str) -> Result<Command, ServerError> {
        let installation = Installation::of_client(self.product)?;
        let name = match self.product.family() {
            Family::Postgres => "psql",
            Family::MySql => "mariadb",
        };
        let mut command = Command::new(installation.program(name));
        installation.equip(&mut command);
        Ok(match self.product.family() {
            Family::Postgres => postgres::client(self, command, database),
            Family::MySql => mariadb::client(self, command, database),
        })
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { product, host, port, user, password: _ } = self;
        write!(f, "Access({product} as {user} at {host}:{port})")
    }
}
