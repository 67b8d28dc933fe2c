//! Signals that ask the program to end: ctrl-c, and on Unix TERM and HUP too.
//!
//! The first lets the run end by itself, with a report of what there is. The second ends the program
//! at once; nothing but the temporary directory and a server of the run's own is tidied up then.

use std::future::{Future, pending};
use std::io;
use std::path::Path;
use std::process::exit;

use tokio::sync::watch;

use super::{INTERRUPTED, live, say};

/// Handlers that are installed: no signal ends the program by itself any more.
pub(crate) struct Signals {
    #[cfg(unix)]
    streams: Vec<tokio::signal::unix::Signal>,
}

impl Signals {
    /// Installs the handlers. Needs a tokio runtime around it.
    #[cfg(unix)]
    pub(crate) fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        // Under nohup it stays ignored.
        kinds.extend(Some(SignalKind::hangup()).filter(|kind| !is_ignored(kind.as_raw_value())));
        Ok(Self { streams: kinds.into_iter().map(signal).collect::<Result<_, _>>()? })
    }

    /// Installs the handlers. Needs a tokio runtime around it.
    #[cfg(not(unix))]
    pub(crate) fn install() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next signal.
    #[cfg(unix)]
    async fn next(&mut self) {
        use std::task::Poll;

        std::future::poll_fn(|cx| {
            let came = |stream: &mut tokio::signal::unix::Signal| stream.poll_recv(cx).is_ready();
            if self.streams.iter_mut().any(came) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Waits for the next signal.
    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            pending::<()>().await;
        }
    }

    /// Starts to listen. `tidy` is what is done on the second signal, before the program ends.
    pub(crate) fn listen(mut self, tidy: impl FnOnce() + Send + 'static) -> Stopped {
        let (first, stopped) = watch::channel(false);
        tokio::spawn(async move {
            self.next().await;
            say("stopping; a second signal ends the program at once");
            let _ = first.send(true);
            self.next().await;
            live::abandon();
            tidy();
            exit(i32::from(INTERRUPTED));
        });
        Stopped(stopped)
    }
}

/// Whether the first signal has come.
pub(crate) struct Stopped(watch::Receiver<bool>);

impl Stopped {
    /// None comes.
    #[cfg(test)]
    pub(super) fn never() -> Self {
        Self(watch::channel(false).1)
    }

    /// Waits until it comes.
    pub(crate) fn wait(&self) -> impl Future<Output = ()> + use<> {
        let mut stopped = self.0.clone();
        async move {
            if stopped.wait_for(|came| *came).await.is_err() {
                pending::<()>().await;
            }
        }
    }
}

/// Removes a directory in which others may still be making files.
pub(crate) fn remove(directory: &Path) {
    for _ in 0..10 {
        if std::fs::remove_dir_all(directory).is_ok() {
            return;
        }
    }
    say(&format!("{} could not be removed", directory.display()));
}

/// Whether whoever started the program had it ignore a signal.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    // Only Linux says so in a file; elsewhere a handler is installed.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal - 1)) != 0
}
