//! The thread that starts every server.
//!
//! A child's death signal goes off when the *thread* that started it ends, not the process. Threads
//! of tests and of blocking pools end early; this one lives as long as the process.

use std::io;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

type Birth = (Command, Sender<io::Result<Child>>);

/// Starts `command` from a thread that ends only with this process.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    static NURSERY: OnceLock<Sender<Birth>> = OnceLock::new();
    let nursery = NURSERY.get_or_init(|| {
        let (sender, births) = channel();
        thread::spawn(move || serve(&births));
        sender
    });
    let (reply, child) = channel();
    let gone = |_| io::Error::other("the thread that starts servers is gone");
    nursery.send((command, reply)).map_err(|error| gone(error.to_string()))?;
    child.recv().map_err(|error| gone(error.to_string()))?
}

fn serve(births: &Receiver<Birth>) {
    for (mut command, reply) in births {
        // Whoever asked waits for the answer.
        let _asked = reply.send(command.spawn());
    }
}
