//! Ctrl-Z: the shell gets its screen back while the program is stopped.

use std::io;
use std::sync::{Arc, Weak};

use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use super::{Shared, lock, screen};

/// Listens from now on. Once there is a handler the program does not stop by itself any more, so that
/// this goes on after the view, too.
pub(super) fn watch(view: &Arc<Shared>) -> io::Result<()> {
    let mut stops = signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?;
    let view = Arc::downgrade(view);
    tokio::spawn(async move {
        while stops.recv().await.is_some() {
            stop(&view);
        }
    });
    Ok(())
}

/// Stops the program, until somebody lets it go on.
fn stop(view: &Weak<Shared>) {
    screen::give_back();
    // One that cannot be stopped goes on.
    let _ = kill_process(getpid(), Signal::STOP);
    if let Some(view) = view.upgrade() {
        lock(&view.slot).is_lost = true;
    }
}
