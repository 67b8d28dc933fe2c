//! A server that follows another, and can take its place.

use super::error::ServerError;
use super::ground::Ground;
use super::product::Product;
use super::server::Server;
use super::{postgres, replica};

impl Server {
    /// Starts a server that follows this one and answers queries that only read. MySQL and MariaDB
    /// have to be started as [`followed`](super::Setup::followed) for it.
    ///
    /// # Errors
    ///
    /// It cannot be followed, or the standby does not start.
    pub fn standby(&self) -> Result<Self, ServerError> {
        let mut setup = self.setup().clone();
        match setup.product {
            Product::Postgres15 | Product::Postgres18 => {
                let ground = Ground::new(setup)?;
                postgres::copy_primary(&ground, self.access())?;
                Self::start_on(ground)
            }
            Product::MariaDb | Product::MySql => {
                replica::require_log(self.access())?;
                // Users with all privileges may write all the same, in both.
                setup.settings.push("read-only=ON".to_owned());
                let ground = Ground::new(setup)?;
                ground.initialise()?;
                replica::forget_identity(&ground)?;
                let standby = Self::start_on(ground)?;
                replica::follow(standby.access(), self.access())?;
                Ok(standby)
            }
            other => Err(unable(other, "can have no standby here")),
        }
    }

    /// Makes a standby a server of its own, which writes. A MySQL or MariaDB does not wait for what it
    /// has still to apply, and started again it only reads.
    ///
    /// # Errors
    ///
    /// It is no standby, or it is none that can be promoted.
    pub fn promote(&self) -> Result<(), ServerError> {
        let access = self.access();
        let product = access.product;
        match product {
            Product::Postgres15 | Product::Postgres18 => {
                let promoted =
                    access.run(&access.first_database, "SELECT pg_promote(true, 60);")?;
                match &*promoted {
                    "t" => Ok(()),
                    other => {
                        let message = format!("promoted: {other}");
                        Err(ServerError::Refused { product, message })
                    }
                }
            }
            Product::MariaDb | Product::MySql => replica::promote(access),
            other => Err(unable(other, "cannot be promoted here")),
        }
    }
}

fn unable(product: Product, problem: &str) -> ServerError {
    ServerError::Input {
        input: product.to_string(),
        problem: format!("{problem}; use PostgreSQL, MariaDB or MySQL"),
    }
}
