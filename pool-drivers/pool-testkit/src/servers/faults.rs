//! What can befall a server that is asked by statements: any server, our own or given.
//!
//! What is done to its processes is in `server`, what happens on the way to it in `proxy`.

use super::access::Access;
use super::crowd::Crowd;
use super::error::ServerError;
use super::product::Family;

impl Access {
    /// Ends one session, by the number that the server knows it by (`pg_backend_pid()`,
    /// `CONNECTION_ID()`). Whether it was there is not told.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn terminate(&self, session: u64) -> Result<(), ServerError> {
        let statement = match self.product.family() {
            Family::Postgres => format!("SELECT pg_terminate_backend({session});"),
            Family::MySql => format!("KILL {session};"),
            Family::Redis => format!("CLIENT KILL ID {session}"),
        };
        self.run(&self.first_database, &statement).map(drop)
    }

    /// Opens sessions until the server takes no more, not even a superuser.
    ///
    /// # Errors
    ///
    /// There is no client program, or the server takes hundreds of connections.
    pub fn fill(&self) -> Result<Crowd, ServerError> {
        Crowd::new(self)
    }

    /// Has the server refuse to write: in PostgreSQL for all new transactions that do not ask
    /// otherwise, in MySQL and MariaDB for all users without a privilege to write all the same.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn forbid_writing(&self) -> Result<(), ServerError> {
        self.run(&self.first_database, &self.read_only("on")).map(drop)
    }

    /// Has the server write again.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn allow_writing(&self) -> Result<(), ServerError> {
        self.run(&self.first_database, &self.read_only("off")).map(drop)
    }

    fn read_only(&self, word: &str) -> String {
        match self.product.family() {
            Family::Postgres => format!(
                "ALTER SYSTEM SET default_transaction_read_only = {word}; SELECT pg_reload_conf();"
            ),
            Family::MySql => format!("SET GLOBAL read_only = {word};"),
            // As if replicas were missing.
            Family::Redis => format!("CONFIG SET min-replicas-to-write {}", u8::from(word == "on")),
        }
    }
}
