//! As whom servers run: PostgreSQL refuses root, so that root becomes somebody else for them.
//! Receivers do not: a Python in root's home is closed to anybody else.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Command;

use super::error::{ServerError, Trying};

/// Who runs a program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    /// Whom root becomes; absent for who stays who they are.
    becomes: Option<(u32, u32)>,
}

/// The signal that a server gets when its runner dies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Farewell {
    /// PostgreSQL takes its backends and its shared memory along.
    Quit,
    /// For those who would take their time over anything milder.
    Kill,
}

impl Account {
    /// The present user, or for root one that has nothing to lose.
    pub(crate) fn of_servers() -> Self {
        const NOBODY: (u32, u32) = (65_534, 65_534);
        let is_root = rustix::process::geteuid().is_root();
        let users = || fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self { becomes: is_root.then(|| postgres_in(&users()).unwrap_or(NOBODY)) }
    }

    /// The present user, root too.
    #[cfg(feature = "receivers")]
    pub(crate) fn present() -> Self {
        Self { becomes: None }
    }

    /// A program, with what stands before it, run by this user.
    pub(crate) fn command(self, words: &[OsString]) -> Command {
        self.prefixed(None, words)
    }

    /// As [`command`](Self::command), but it does not outlive the thread that starts it.
    pub(crate) fn mortal(self, farewell: Farewell, words: &[OsString]) -> Command {
        let signal = match farewell {
            Farewell::Quit => "QUIT",
            Farewell::Kill => "KILL",
        };
        self.prefixed(Some(signal), words)
    }

    fn prefixed(self, signal: Option<&str>, words: &[OsString]) -> Command {
        let mut command = Command::new("setpriv");
        if let Some((user, group)) = self.becomes {
            command.arg(format!("--reuid={user}")).arg(format!("--regid={group}"));
            command.arg("--clear-groups");
        }
        if let Some(signal) = signal {
            command.args(["--pdeathsig", signal]);
        }
        command.arg("--").args(words);
        command
    }

    /// The user's number.
    pub(crate) fn number(self) -> u32 {
        self.becomes.map_or_else(|| rustix::process::geteuid().as_raw(), |(user, _)| user)
    }

    /// Whether this user can reach what is in `folder`, which is open to who runs this.
    pub(crate) fn enters(self, folder: &Path) -> bool {
        const OTHERS_ENTER: u32 = 0o001;
        let is_open = |folder: &Path| {
            fs::metadata(folder).is_ok_and(|folder| folder.mode() & OTHERS_ENTER != 0)
        };
        self.becomes.is_none() || folder.ancestors().all(is_open)
    }

    /// Gives a file or a folder to this user.
    pub(crate) fn own(self, path: &Path) -> Result<(), ServerError> {
        match self.becomes {
            Some((user, group)) => chown(path, Some(user), Some(group)).trying("give away", path),
            None => Ok(()),
        }
    }
}

/// The user and group of `postgres`, among the lines of `/etc/passwd`.
fn postgres_in(users: &str) -> Option<(u32, u32)> {
    let line = users.lines().find(|line| line.starts_with("postgres:"))?;
    let mut numbers = line.split(':').skip(2).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_of_postgres_is_read_by_name() {
        let users = "root:x:0:0::/root:/bin/sh\npostgres:x:101:104:PostgreSQL,,,:/var:/bin/sh\n";
        assert_eq!(postgres_in(users), Some((101, 104)));
        assert_eq!(postgres_in("root:x:0:0::/root:/bin/sh\n"), None);
    }
}
