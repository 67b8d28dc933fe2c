//! How a server is wanted.

use super::installation::Fetching;
use super::product::Product;

/// How a server is wanted; [`Setup::new`] has what suits most tests.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Which server.
    pub product: Product,
    /// How many connections it takes.
    pub max_connections: u16,
    /// More settings, each as `name=value` in the server's own words.
    pub settings: Vec<String>,
    /// Whether it may be fetched.
    pub fetching: Fetching,
}

impl Setup {
    /// A server that takes 200 connections.
    #[must_use]
    pub fn new(product: Product) -> Self {
        let fetching = Fetching::default();
        Self { product, max_connections: 200, settings: Vec::new(), fetching }
    }
}
