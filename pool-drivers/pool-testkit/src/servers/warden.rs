//! Who lets a server go on that is held still while its runner dies.
//!
//! Its farewell would not reach it: of all signals, a process that is held still only hears the last.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;

/// Reads numbers of processes until the other end is gone, then lets these go on.
const WARDEN: &str = "while read -r pid; do held=\"$held $pid\"; done; kill -s CONT $held";

/// A program that waits for the end of this process, or of this value. Then it lets those go on that it
/// was told of, and ends.
#[derive(Debug)]
pub(super) struct Warden(Child);

impl Warden {
    pub(super) fn post() -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", WARDEN]).stdin(Stdio::piped());
        // One of them may have gone meanwhile.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        // What a terminal sends to the runner is not for it.
        command.process_group(0).spawn().map(Self)
    }

    /// Tells it of one that is about to be held still.
    pub(super) fn watch(&mut self, pid: Pid) -> io::Result<()> {
        let mut told = self.0.stdin.as_ref().expect("bug: it has a pipe until it is dropped");
        writeln!(told, "{pid}")
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It waits for nothing else.
        let _ended = self.0.wait();
    }
}
