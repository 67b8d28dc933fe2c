//! A PostgreSQL server that follows another, and can take its place.

use super::error::ServerError;
use super::ground::Ground;
use super::postgres;
use super::product::Product;
use super::server::Server;

impl Server {
    /// Starts a server that follows this one and answers queries that only read.
    ///
    /// # Errors
    ///
    /// This is no PostgreSQL, or the standby does not start.
    pub fn standby(&self) -> Result<Self, ServerError> {
        self.require_postgres("can have no standby here")?;
        let ground = Ground::new(self.setup().clone())?;
        postgres::copy_primary(&ground, self.access())?;
        Self::start_on(ground)
    }

    /// Makes a standby a server of its own, which writes.
    ///
    /// # Errors
    ///
    /// It is no standby.
    pub fn promote(&self) -> Result<(), ServerError> {
        self.require_postgres("cannot be promoted here")?;
        let access = self.access();
        let promoted = access.run(&access.first_database, "SELECT pg_promote(true, 60);")?;
        let product = access.product;
        match &*promoted {
            "t" => Ok(()),
            other => Err(ServerError::Refused { product, message: format!("promoted: {other}") }),
        }
    }

    fn require_postgres(&self, problem: &str) -> Result<(), ServerError> {
        match self.access().product {
            Product::Postgres15 | Product::Postgres18 => Ok(()),
            other => Err(ServerError::Input {
                input: other.to_string(),
                problem: format!("{problem}; use PostgreSQL"),
            }),
        }
    }
}
