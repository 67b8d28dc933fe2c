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
        copy(from, to, to, &mut kept).with_context(|| format!("cannot copy {}", from.display()))?;
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

/// Copies all but hidden files, build output and links, and notes what is there now. The whole copy
/// grows at `top`, in a folder that must not be copied into it.
fn copy(from: &Path, to: &Path, top: &Path, kept: &mut Vec<PathBuf>) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (original, kind) = (entry.path(), entry.file_type()?);
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        // What a link leads to may be anywhere, or this very folder.
        if is_hidden || kind.is_symlink() || is_build_output(&original, top) {
            continue;
        }
        let copy_of_it = to.join(entry.file_name());
        kept.push(copy_of_it.clone());
        if kind.is_dir() {
            copy(&original, &copy_of_it, top, kept)?;
        } else {
            let content = fs::read(&original)?;
            if fs::read(&copy_of_it).ok().as_ref() != Some(&content) {
                fs::write(copy_of_it, content)?;
            }
        }
    }
    Ok(())
}

/// Cargo marks its target folders, but may use another one than that of the copy.
fn is_build_output(path: &Path, top: &Path) -> bool {
    top.starts_with(path) || path.join("CACHEDIR.TAG").exists()
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// A workspace with `a/b.rs`, and where its copy goes, as in real life: into it.
    fn workspace() -> (TempDir, PathBuf) {
        let workspace = TempDir::new().expect("a folder");
        fs::create_dir_all(workspace.path().join("a")).expect("made");
        fs::write(workspace.path().join("a/b.rs"), "b").expect("written");
        let to = workspace.path().join("target").join("mutants");
        (workspace, to)
    }

    #[test]
    fn the_copy_is_not_copied_into_itself_though_nothing_marks_its_folder() {
        let (workspace, to) = workspace();
        for _ in 0..2 {
            let copied = Copied::new(workspace.path(), &to).expect("copied");
            assert_eq!(copied.read("a/b.rs").expect("there"), "b");
            assert!(!to.join("target").exists());
        }
    }

    #[test]
    fn what_is_marked_as_build_output_stays_where_it_is() {
        let (workspace, to) = workspace();
        fs::write(workspace.path().join("a/CACHEDIR.TAG"), "").expect("written");
        Copied::new(workspace.path(), &to).expect("copied");
        assert!(!to.join("a").exists());
    }

    #[test]
    fn links_are_not_followed() {
        let (workspace, to) = workspace();
        symlink(workspace.path(), workspace.path().join("a/up")).expect("linked");
        symlink("nowhere", workspace.path().join("a/dead")).expect("linked");
        Copied::new(workspace.path(), &to).expect("copied");
        let copied: Vec<_> = fs::read_dir(to.join("a")).expect("there").collect();
        assert_eq!(copied.len(), 1);
    }

    #[test]
    fn what_has_gone_from_the_workspace_goes_from_the_copy() {
        let (workspace, to) = workspace();
        fs::write(workspace.path().join("c.rs"), "").expect("written");
        Copied::new(workspace.path(), &to).expect("copied");
        assert!(to.join("c.rs").exists());
        fs::remove_file(workspace.path().join("c.rs")).expect("removed");
        Copied::new(workspace.path(), &to).expect("copied");
        assert!(!to.join("c.rs").exists() && to.join("a/b.rs").exists());
    }
}
