//! How a server is wanted.

use super::installation::{Fetching, Installation};
use super::product::Product;
use super::replica;
use super::tls::Tls;

/// How a server is wanted; [`Setup::new`] has what suits most tests.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Which server.
    pub product: Product,
    /// How many connections it takes.
    pub max_connections: u16,
    /// Whether and how it talks TLS.
    pub tls: Tls,
    /// More settings, each as `name=value` in the server's own words.
    pub settings: Vec<String>,
    /// Whether it may be fetched.
    pub fetching: Fetching,
}

impl Setup {
    /// A server that takes 200 connections, and offers TLS. A PostgreSQL 18 that is not installed was
    /// built without, and Redis is not asked for it; there it is off.
    #[must_use]
    pub fn new(product: Product) -> Self {
        let tls = match product {
            Product::Postgres18 if !Installation::is_installed(product) => Tls::Off,
            Product::Redis => Tls::Off,
            _ => Tls::Offered,
        };
        let fetching = Fetching::default();
        Self { product, max_connections: 200, tls, settings: Vec::new(), fetching }
    }

    /// The same of a server that a [`standby`](super::Server::standby) can follow: MySQL and MariaDB
    /// keep a log for it. PostgreSQL does anyway.
    #[must_use]
    pub fn followed(product: Product) -> Self {
        let settings = replica::settings_to_be_followed(product);
        let settings = settings.iter().copied().map(String::from).collect();
        Self { settings, ..Self::new(product) }
    }
}
