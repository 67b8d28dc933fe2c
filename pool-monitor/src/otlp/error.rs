//! Why exporters do not start, and why an export does not arrive.

use std::error::Error;
use std::io;
use std::time::Duration;

use pool_core::ConfigError;

use crate::causes::causes;

/// Why [`Telemetry::start`](super::Telemetry::start) failed. Nothing of it runs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// Options or variables are wrong.
    #[error("exporters are not set up")]
    Config(#[from] ConfigError),
    /// The system has no thread or no descriptors left.
    #[error("exporters have no thread to run in")]
    Thread(#[source] io::Error),
}

/// Why an export did not arrive, or not all of it. It repeats nothing of what was sent or answered,
/// which may hold a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The collector is not reached, or breaks the connection.
    #[error("no connection: {reason}")]
    Connection {
        /// What the system or TLS says.
        reason: String,
    },
    /// There is no answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// It is refused, with an HTTP status.
    #[error("refused with HTTP status {0}")]
    Http(u16),
    /// It is refused, with the name of a gRPC status.
    #[error("refused with gRPC status {0}")]
    Grpc(&'static str),
    /// A part is refused.
    #[error("{rejected} spans or data points were rejected")]
    PartlyRejected {
        /// How many.
        rejected: u64,
    },
    /// The answer is longer than any should be.
    #[error("the answer is longer than {limit} bytes")]
    AnswerTooLong {
        /// What is read at most.
        limit: usize,
    },
    /// The exporters were shut down meanwhile, from elsewhere.
    #[error("the exporters were shut down")]
    ShutDown,
    /// Metrics cannot be collected: a callback panics, or did once.
    #[error("metrics cannot be collected")]
    NotCollected,
}

impl ExportError {
    /// Of the last error that caused `error`: it says what happened, the others where.
    pub(super) fn connection(error: &(dyn Error + 'static)) -> Self {
        let reason = causes(error).last().map(ToString::to_string).unwrap_or_default();
        Self::Connection { reason }
    }
}
