//! How the endpoint is wanted, and why it cannot be.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use pool_core::Secret;
use pool_endpoint::{EndpointError, is_usable_token};

/// How a [`PrometheusEndpoint`](super::PrometheusEndpoint) is wanted.
///
/// ```
/// use pool_monitor::PrometheusOptions;
///
/// let options = PrometheusOptions {
///     hosts: vec!["metrics.internal".into()],
///     ..PrometheusOptions::default()
/// };
/// assert_eq!(options.address.to_string(), "127.0.0.1:9187");
/// ```
#[derive(Clone, Debug)]
pub struct PrometheusOptions {
    /// Where it listens. By default 127.0.0.1:9187, which only this machine reaches; port 0 is one that
    /// is free.
    pub address: SocketAddr,
    /// What a scraper must show (`authorization: credentials:` in its settings). None by default; on an
    /// address that other machines reach, there must be one.
    pub token: Option<Secret>,
    /// The names by which it may be asked for, beside `localhost` and every IP address. Another name is
    /// refused, as it may be that of a web site which had a browser come here.
    pub hosts: Vec<String>,
}

impl Default for PrometheusOptions {
    fn default() -> Self {
        let address = (Ipv4Addr::LOCALHOST, 9_187).into();
        Self { address, token: None, hosts: Vec::new() }
    }
}

/// Why there is no endpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrometheusError {
    /// Other machines reach the address, and no token keeps them out.
    #[error(
        "the metrics on {address} would be open to other machines; set `token`, or listen on \
         127.0.0.1"
    )]
    NoToken {
        /// The address.
        address: SocketAddr,
    },
    /// The token cannot be sent in a header.
    #[error("the token for the metrics must be of visible ASCII characters, at least 16 of them")]
    BadToken,
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for scrapers")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The system has no thread left.
    #[error("cannot start the thread of the endpoint for scrapers")]
    Thread(#[source] io::Error),
}

impl PrometheusOptions {
    pub(super) fn check(&self) -> Result<(), PrometheusError> {
        let address = self.address;
        match &self.token {
            None if !address.ip().is_loopback() => Err(PrometheusError::NoToken { address }),
            Some(token) if !is_usable_token(token) => Err(PrometheusError::BadToken),
            _ => Ok(()),
        }
    }
}

impl From<EndpointError> for PrometheusError {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Listen { address, source } => Self::Listen { address, source },
            EndpointError::Thread(error) => Self::Thread(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_reach_takes_a_token() {
        let open = PrometheusOptions {
            address: "0.0.0.0:9187".parse().expect("an address"),
            ..PrometheusOptions::default()
        };
        let refused = open.check().expect_err("no token");
        assert_eq!(
            refused.to_string(),
            "the metrics on 0.0.0.0:9187 would be open to other machines; set `token`, or listen on \
             127.0.0.1"
        );
        let with =
            |token: &str| PrometheusOptions { token: Some(Secret::new(token)), ..open.clone() };
        with("canary-0123456789").check().expect("closed");
        for token in ["", "canary-short", "canary 0123456789", "canary-0123456789ü"] {
            let refused = with(token).check().expect_err(token);
            let shown = format!("{refused} {refused:?} {:?}", with(token));
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn by_default_only_this_machine_reaches_it() {
        PrometheusOptions::default().check().expect("no token is needed");
    }
}
