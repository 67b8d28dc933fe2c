//! The folder of one server: its data, its log, its socket.
//!
//! It is removed when the server is dropped. A process that ends otherwise, or keeps its server in a
//! static as `shared` does, leaves it behind until the next server of this user is started.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, ops};

use super::account::Account;
use super::error::{ServerError, Trying, last_lines};
use super::{postgres, process};

/// The start of each folder's name; the number of the process that made it follows.
const PREFIX: &str = "pool-servers-";

/// A folder that belongs to the user of servers, removed when dropped, or by whoever makes the next
/// one after this process has ended.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// A new one, where paths are short: a unix socket's has at most 107 bytes.
    pub(crate) fn new(account: Account) -> Result<Self, ServerError> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let parent = env::temp_dir();
        sweep(&parent, account);
        loop {
            let serial = MADE.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("{PREFIX}{}-{serial}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    let directory = Self { path };
                    account.own(&directory.path)?;
                    return Ok(directory);
                }
                // Left by a process that had our number.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).trying("create", path),
            }
        }
    }

    /// A log that is appended to.
    pub(crate) fn log(&self) -> Result<File, ServerError> {
        let path = self.log_path();
        File::options().create(true).append(true).open(&path).trying("open", path)
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The last lines of the log.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read(self.log_path()).unwrap_or_default();
        last_lines(&String::from_utf8_lossy(&log))
    }
}

impl ops::Deref for Directory {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes the folder of a server that has been ended, and all that is left of it.
fn remove(folder: &Path) {
    // A killed server's children may take a moment longer than itself.
    let _killed = process::kill_all_in(folder);
    // One that was shut down has left nothing.
    postgres::forget_shared_memory(folder);
    // What cannot be removed now a later process will; and it may be removing it, too.
    let _removed = fs::remove_dir_all(folder);
}

/// Removes the folders of processes that are gone. Their servers died with them.
fn sweep(parent: &Path, account: Account) {
    let entries = fs::read_dir(parent).into_iter().flatten().filter_map(io::Result::ok);
    for entry in entries {
        let name = entry.file_name();
        let owner = name.to_str().and_then(owner);
        let is_ours = entry.metadata().is_ok_and(|folder| folder.uid() == account.number());
        if is_ours && owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            remove(&entry.path());
        }
    }
}

/// The number of the process that made the folder `name`.
fn owner(name: &str) -> Option<&str> {
    let (owner, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    owner.bytes().all(|byte| byte.is_ascii_digit()).then_some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_folders_have_an_owner() {
        assert_eq!(owner("pool-servers-12-0"), Some("12"));
        assert_eq!(owner("pool-servers-x-0"), None);
        assert_eq!(owner("somebody-else-12-0"), None);
    }

    #[test]
    fn a_folder_goes_with_its_server() {
        let directory = Directory::new(Account::of_servers()).expect("made");
        let path = directory.to_path_buf();
        assert!(path.is_dir());
        drop(directory);
        assert!(!path.exists());
    }
}
