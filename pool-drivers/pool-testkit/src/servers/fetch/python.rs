//! A Python with pip: this machine's, or Debian's in the cache. Nothing is installed for either.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt::{self, Packages, Suite};
use crate::servers::cache;
use crate::servers::error::ServerError;
use crate::servers::installation::library_path;
use crate::servers::program::{PATIENCE, run_for};

/// The folder of the cache.
const NAME: &str = "python-with-pip";

/// All of Python, whatever is installed of it: an interpreter finds no half of its library elsewhere.
const PACKAGES: Packages = Packages {
    names: &["python3", "python3-pip"],
    suite: Suite::OursInFull,
    without: &["libc6", "perl", "debconf"],
};

/// What runs with pip alone.
const PIP: [&str; 3] = ["-m", "pip", "--version"];
/// What runs with the whole standard library alone, of which Debian has a minimal one.
#[cfg(feature = "receivers")]
const LIBRARY: [&str; 2] = ["-c", "import asyncio, ssl"];

/// An interpreter, and where it finds what was fetched for it.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    program: PathBuf,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Python {
    /// Whether there is one with pip, or one can be fetched; otherwise why not.
    pub(super) fn available() -> Result<(), String> {
        if Self::of_the_machine().runs(&PIP) || Self::cached().is_some() {
            return Ok(());
        }
        apt::available().map_err(|why| format!("`python3 -m pip` is not there, and {why}"))
    }

    /// One with pip, fetched if need be.
    pub(super) fn with_pip() -> Result<Self, ServerError> {
        let ours = Self::of_the_machine();
        if ours.runs(&PIP) {
            return Ok(ours);
        }
        let root = cache::get_or_make(NAME, |root| {
            apt::unpack(&PACKAGES, "Python with pip", root)?;
            // One that does not run is not taken into the cache.
            run_for("try Python with pip", Self::at(root).command(&PIP), "", PATIENCE).map(drop)
        })?;
        Ok(Self::at(&root))
    }

    /// One that runs scripts, if there is any: this machine's, or else the cache's.
    #[cfg(feature = "receivers")]
    pub(crate) fn present() -> Option<Self> {
        let ours = Self::of_the_machine();
        if ours.runs(&LIBRARY) { Some(ours) } else { Self::cached() }
    }

    fn of_the_machine() -> Self {
        Self { program: "python3".into(), environment: Vec::new() }
    }

    /// The cache's, if it runs here.
    fn cached() -> Option<Self> {
        let root = cache::folder().join(NAME);
        root.exists().then(|| Self::at(&root)).filter(|cached| cached.runs(&PIP))
    }

    fn at(root: &Path) -> Self {
        let environment =
            vec![("PYTHONHOME", root.join("usr")), ("LD_LIBRARY_PATH", library_path(root).into())];
        Self { program: root.join("usr/bin/python3"), environment }
    }

    /// Whether such a call of it succeeds.
    fn runs(&self, arguments: &[&str]) -> bool {
        self.command(arguments).output().is_ok_and(|output| output.status.success())
    }

    /// A call of it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).envs(self.environment.iter().map(|(name, path)| (name, path)));
        command
    }
}
