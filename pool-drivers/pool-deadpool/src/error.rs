//! What can go wrong with an object of a manager's.

use std::borrow::Cow;
use std::error::Error;

use deadpool::managed::RecycleError;

/// A failed call of a manager.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeadpoolError<E: Error + 'static> {
    /// `create` failed.
    #[error("the manager cannot open a connection")]
    Create(#[source] E),
    /// `recycle` failed.
    #[error("the manager cannot recycle the connection")]
    Recycle(#[source] E),
    /// `recycle` refused, in its own words.
    #[error("the manager does not recycle the connection: {0}")]
    Refused(Cow<'static, str>),
}

impl<E: Error + 'static> DeadpoolError<E> {
    pub(crate) fn of_recycling(error: RecycleError<E>) -> Self {
        match error {
            RecycleError::Message(message) => Self::Refused(message),
            RecycleError::Backend(error) => Self::Recycle(error),
        }
    }

    /// The manager's own error, unless it only said something.
    #[must_use]
    pub fn backend(&self) -> Option<&E> {
        match self {
            Self::Create(error) | Self::Recycle(error) => Some(error),
            Self::Refused(_) => None,
        }
    }
}
