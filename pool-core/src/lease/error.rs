//! Why a fleet's ledger could not be settled.

use std::error::Error;
use std::fmt;

use super::LEASE_PROTOCOL;
use crate::error::SharedError;

/// Why a fleet's ledger could not be prepared, read or settled. But for
/// [`OutcomeUnknown`](Self::OutcomeUnknown), nothing was written.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LeaseError {
    /// The account may not create, or not write, the tables.
    NoRight(SharedError),
    /// The tables are of another version.
    OtherVersion {
        /// Theirs; ours is [`LEASE_PROTOCOL`].
        found: u32,
    },
    /// The server takes no writes: it is a replica, or has become one.
    ReadOnly(SharedError),
    /// The connection failed while the transaction was being committed.
    OutcomeUnknown(SharedError),
    /// Anything else: no connection, a lock that was not had in time, a table that is gone.
    Other(SharedError),
}

/// What kind of [`LeaseError`] it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeaseTrouble {
    /// [`LeaseError::NoRight`].
    NoRight,
    /// [`LeaseError::OtherVersion`].
    OtherVersion {
        /// The version of the tables.
        found: u32,
    },
    /// [`LeaseError::ReadOnly`].
    ReadOnly,
    /// [`LeaseError::OutcomeUnknown`].
    OutcomeUnknown,
    /// [`LeaseError::Other`].
    Other,
}

impl LeaseError {
    /// Whether tables of this version can be shared.
    ///
    /// # Errors
    ///
    /// [`LeaseError::OtherVersion`], if they are not of ours.
    pub const fn check_protocol(found: u32) -> Result<(), Self> {
        if found == LEASE_PROTOCOL { Ok(()) } else { Err(Self::OtherVersion { found }) }
    }

    /// What kind it is.
    #[must_use]
    pub const fn trouble(&self) -> LeaseTrouble {
        match *self {
            Self::NoRight(_) => LeaseTrouble::NoRight,
            Self::OtherVersion { found } => LeaseTrouble::OtherVersion { found },
            Self::ReadOnly(_) => LeaseTrouble::ReadOnly,
            Self::OutcomeUnknown(_) => LeaseTrouble::OutcomeUnknown,
            Self::Other(_) => LeaseTrouble::Other,
        }
    }
}

impl fmt::Display for LeaseTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRight => f.write_str("no right to create or write the fleet's tables"),
            Self::OtherVersion { found } => write!(
                f,
                "the fleet's tables are of version {found}, and this program writes version \
                 {LEASE_PROTOCOL}: let all members run one version, or give the new ones a fleet of \
                 another name"
            ),
            Self::ReadOnly => f.write_str("the server is read-only"),
            Self::OutcomeUnknown => f.write_str("nobody knows whether the last settlement counts"),
            Self::Other => f.write_str("the fleet's tables cannot be read or written"),
        }
    }
}

impl fmt::Display for LeaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trouble().fmt(f)
    }
}

/// By hand, so that `source()` is the driver's own error and can be downcast to it.
impl Error for LeaseError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoRight(source)
            | Self::ReadOnly(source)
            | Self::OutcomeUnknown(source)
            | Self::Other(source) => Some(&**source),
            Self::OtherVersion { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn an_error_says_what_kind_it_is_and_keeps_the_drivers_own() {
        let cause: SharedError = Arc::new(io::Error::other("42501"));
        let error = LeaseError::NoRight(cause);
        assert_eq!(error.trouble(), LeaseTrouble::NoRight);
        assert_eq!(error.to_string(), "no right to create or write the fleet's tables");
        let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.expect("the driver's own").to_string(), "42501");
    }

    #[test]
    fn another_version_says_which_and_what_to_do() {
        let error = LeaseError::OtherVersion { found: 9 };
        let text = error.to_string();
        assert!(
            text.contains("of version 9") && text.contains("a fleet of another name"),
            "{text}"
        );
        assert!(error.source().is_none());
    }
}
