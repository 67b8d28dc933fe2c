//! What can go wrong with a receiver, and how to mend it.

use std::time::Duration;

use super::tool::Tool;
use crate::servers::ServerError;
use crate::servers::error::said;

/// Why a receiver is not there, or has not received what was awaited.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiverError {
    /// The tool is nowhere, and cannot be fetched.
    #[error("{tool} cannot be had: {why}; {remedy}")]
    Missing {
        /// Which tool.
        tool: Tool,
        /// Where it was looked for, and why it was not fetched.
        why: String,
        /// What would bring it.
        remedy: String,
    },
    /// The tool ended instead of starting.
    #[error("{tool} ended while it was started ({end}){}", said(.log))]
    Died {
        /// Which tool.
        tool: Tool,
        /// How it ended.
        end: String,
        /// The last lines of what it said.
        log: String,
    },
    /// The tool runs and does not answer.
    #[error("{tool} was not ready within {waited:?}{}", said(.log))]
    Unready {
        /// Which tool.
        tool: Tool,
        /// How long it was waited for.
        waited: Duration,
        /// The last lines of what it said.
        log: String,
    },
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
