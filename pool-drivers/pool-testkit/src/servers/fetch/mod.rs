//! Programs brought into the cache: nothing is installed, nobody need be root.

mod apt;
mod python;
mod wheel;

use std::fmt;
use std::path::Path;

use super::error::ServerError;

pub(crate) use self::apt::{Packages, Suite};
#[cfg(feature = "receivers")]
pub(crate) use self::python::Python;
pub(crate) use self::wheel::{Machine, Wheel};

/// What brings a program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    Debian(Packages),
    Python(Wheel),
}

impl Source {
    /// Whether this machine can fetch it; otherwise why not.
    pub(crate) fn available(&self) -> Result<(), String> {
        match self {
            Self::Debian(_) => apt::available(),
            Self::Python(wheel) => wheel.available(),
        }
    }

    /// Fetches it into the folder `root`; `what` is it for.
    pub(crate) fn unpack(&self, what: &str, root: &Path) -> Result<(), ServerError> {
        match self {
            Self::Debian(packages) => apt::unpack(packages, what, root),
            Self::Python(wheel) => wheel.unpack(what, root),
        }
    }

    /// The command that mends it where it cannot be fetched, if there is one.
    pub(crate) fn remedy(&self) -> Option<String> {
        match self {
            Self::Debian(Packages { names, suite: Suite::Ours | Suite::OursInFull, .. }) => {
                Some(format!("on Debian: apt-get install {}", names.join(" ")))
            }
            Self::Debian(Packages { suite: Suite::Unstable, .. }) => None,
            Self::Python(wheel) => {
                wheel.lacks_pip().then(|| "on Debian: apt-get install python3-pip".to_owned())
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debian(packages) => write!(f, "Debian packages {}", packages.names.join(", ")),
            Self::Python(wheel) => write!(f, "Python wheel {} {}", wheel.name, wheel.version),
        }
    }
}
