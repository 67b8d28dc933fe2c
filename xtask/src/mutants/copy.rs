//! A copy of the workspace to break things in. Files that have not changed are left alone, so that
//! they are not compiled again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub(super) struct Copied {
    pub(super) root: PathBuf,
}

impl Copied {
    /// Brings the copy of the workspace `from` at `to` up to date.
    pub(super) fn new(from: &Path, to: &Path) -> Result<Self> {
        let mut kept = Vec::new();
        copy(from, to, &mut kept).with_context(|| format!("cannot copy {}", from.display()))?;
        remove_others(to, &kept).with_context(|| format!("cannot tidy {}", to.display()))?;
        Ok(Self { root: to.to_owned() })
    }

    /// What is in a file.
    pub(super) fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.root.join(path)).with_context(|| format!("cannot read {path}"))
    }

    pub(super) fn write(&self, path: &str, text: &str) -> Result<()> {
        fs::write(self.root.join(path), text).with_context(|| format!("cannot write {path}"))
    }
}

/// Copies all but hidden files and build output, and notes what is there now.
fn copy(from: &Path, to: &Path, kept: &mut Vec<PathBuf>) -> io::Result<()> {
    if from.join("CACHEDIR.TAG").exists() {
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let copy_of_it = to.join(entry.file_name());
        kept.push(copy_of_it.clone());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &copy_of_it, kept)?;
        } else {
            let content = fs::read(entry.path())?;
            if fs::read(&copy_of_it).ok().as_ref() != Some(&content) {
                fs::write(copy_of_it, content)?;
            }
        }
    }
    Ok(())
}

/// Removes what is in the copy and no longer in the workspace.
fn remove_others(folder: &Path, kept: &[PathBuf]) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        if is_folder && kept.contains(&entry.path()) {
            remove_others(&entry.path(), kept)?;
        } else if is_folder {
            fs::remove_dir_all(entry.path())?;
        } else if !kept.contains(&entry.path()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
