//! What can go wrong with a receiver, and how to mend it.

use std::time::Duration;

use crate::servers::ServerError;
use crate::servers::error::said;

/// Why a receiver is not there, or has not received what was awaited.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiverError {
    /// What was awaited did not come.
    #[error("{awaited} did not come within {waited:?}{}", said(.instead))]
    Silent {
        /// What was awaited.
        awaited: String,
        /// How long it was waited for.
        waited: Duration,
        /// What came instead, in short.
        instead: String,
    },
    /// The system refused something, or an input cannot be used.
    #[error(transparent)]
    System(#[from] ServerError),
}
