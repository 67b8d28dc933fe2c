//! Why nothing answers probes.

use std::io;
use std::net::SocketAddr;

use pool_endpoint::EndpointError;

/// Why an endpoint for probes could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The token cannot be sent in a header.
    #[error("the token for details must be of visible ASCII characters, at least 16 of them")]
    BadToken,
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for probes")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The system has no thread left.
    #[error("cannot start the thread of the endpoint for probes")]
    Thread(#[source] io::Error),
}

impl From<EndpointError> for ServeError {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Listen { address, source } => Self::Listen { address, source },
            EndpointError::Thread(error) => Self::Thread(error),
        }
    }
}
