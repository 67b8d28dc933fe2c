//! What the worker is told to do next, and what it reports back.

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::{DriverFault, ErrorClass, SharedError};

/// A call of the driver that the worker is to make, or to cut short. At most one is under way for a
/// slot, and each ends in exactly one [`Finished`].
#[derive(Debug)]
pub(crate) enum Command<C> {
    Open {
        slot: u32,
        id: u64,
    },
    Check {
        slot: u32,
        connection: C,
    },
    Reset {
        slot: u32,
        connection: C,
    },
    Close {
        slot: u32,
        connection: C,
    },
    /// Drop what is under way for the slot.
    Cut {
        slot: u32,
    },
}

/// How a call of the driver ended.
#[derive(Debug)]
pub(crate) enum Finished<C> {
    /// With a connection that is good.
    Good(C),
    /// With an error.
    Failed(Failure),
    /// With nothing: the goodbye is said.
    Gone,
    /// It was cut short.
    Cut,
}

/// What a call of the driver failed with.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: SharedError,
    pub(crate) class: ErrorClass,
    /// The database's own code for it.
    pub(crate) code: Option<Cow<'static, str>>,
}

impl Failure {
    /// What was not said by the database and may go away by itself.
    pub(crate) fn transient(fault: DriverFault) -> Self {
        Self { error: Arc::new(fault), class: ErrorClass::Transient, code: None }
    }
}

impl<C> Finished<C> {
    pub(super) fn into_error(self) -> Option<SharedError> {
        match self {
            Self::Failed(failure) => Some(failure.error),
            Self::Good(_) | Self::Gone | Self::Cut => None,
        }
    }
}
