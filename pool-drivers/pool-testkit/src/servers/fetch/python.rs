//! A Python with pip: this machine's, or Debian's in the cache. Nothing is installed for either.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt::{self, Packages, Suite};
use crate::servers::cache;
use crate::servers::error::ServerError;
use crate::servers::installation::library_path;

/// The folder of the cache.
const NAME: &str = "python";

/// What it takes beyond what is installed: all of Python, or pip alone.
const PACKAGES: Packages =
    Packages { names: &["python3", "python3-pip"], suite: Suite::Ours, without: &["libc6"] };

/// An interpreter, and where it finds what was fetched for it.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    program: PathBuf,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Python {
    /// Whether there is one with pip, or one can be fetched; otherwise why not.
    pub(super) fn available() -> Result<(), String> {
        if Self::has_pip() || Self::cached().is_some() {
            return Ok(());
        }
        apt::available().map_err(|why| format!("`python3 -m pip` is not there, and {why}"))
    }

    /// One with pip, fetched if need be.
    pub(super) fn with_pip() -> Result<Self, ServerError> {
        if Self::has_pip() {
            return Ok(Self::of_the_machine());
        }
        cache::get_or_make(NAME, |root| apt::unpack(&PACKAGES, "Python with pip", root))?;
        Ok(Self::cached().unwrap_or_else(Self::of_the_machine))
    }

    #[cfg(feature = "receivers")]
    /// One that runs scripts, if there is any: this machine's, or else the cache's.
    pub(crate) fn present() -> Option<Self> {
        let ours = Self::of_the_machine();
        let is_there = ours.command(&["--version"]).output().is_ok();
        if is_there { Some(ours) } else { Self::cached() }
    }

    fn of_the_machine() -> Self {
        Self { program: "python3".into(), environment: Vec::new() }
    }

    fn has_pip() -> bool {
        let pip = Self::of_the_machine().command(&["-m", "pip", "--version"]).output();
        pip.is_ok_and(|output| output.status.success())
    }

    fn cached() -> Option<Self> {
        let root = cache::folder().join(NAME);
        root.exists().then(|| Self::at(&root))
    }

    /// The one in `root`, or this machine's with the pip in it.
    fn at(root: &Path) -> Self {
        let (usr, own) = (root.join("usr"), root.join("usr/bin/python3"));
        if !own.exists() {
            let pip = usr.join("lib/python3/dist-packages");
            return Self { environment: vec![("PYTHONPATH", pip)], ..Self::of_the_machine() };
        }
        let libraries = library_path(root).into();
        let environment = vec![("PYTHONHOME", usr), ("LD_LIBRARY_PATH", libraries)];
        Self { program: own, environment }
    }

    /// A call of it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).envs(self.environment.iter().map(|(name, path)| (name, path)));
        command
    }
}
